"""Seeded looks at a street with a realistic mix: busy by day, near nothing at night, and some of everything judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import cv2
import numpy as np

from detector.core.geometry import Box, bounds
from detector.core.values import (
    EDGES_WH,
    SIGNATURE_WH,
    SKETCH_SIZE,
    Camera,
    Detections,
    Observation,
    ViewState,
    Zone,
    ZoneKind,
)

CADENCE_S = 54.0
PICTURE_EVERY = 5
SIZES = {
    "car": (0.13, 0.16),
    "person": (0.03, 0.12),
    "bicycle": (0.05, 0.07),
    "chair": (0.04, 0.05),
    "rubbish": (0.04, 0.05),
}

MIDDLE = (0.5, 0.8)
UP_THE_ROAD = (0.15, 0.4)
"""Where traffic drives and waits, beside the no-parking strip along the nearer kerb."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that stands from one look to another."""

    label: str
    box: Box
    begins: int
    ends: int
    confidence: float = 0.7


def street_looks(
    camera: Camera,
    start: datetime,
    count: int,
    seed: int,
    *,
    faults: float = 0.03,
    events: float = 1.0,
    pictures: bool = True,
) -> list[Observation]:
    """`count` looks at a camera from `start` on, less those that fall into gaps; `faults` is how
    often an hour the view fails, `events` multiplies what may be a violation.
    """
    random = np.random.default_rng(seed)
    moments = [start + timedelta(seconds=CADENCE_S * i) for i in range(count)]
    busy = [1.0 if 7 <= at.astimezone(camera.timezone).hour < 21 else 0.04 for at in moments]
    actors = list(_actors(camera, random, busy, events))
    dark = _stretches(random, count, faults, 12)
    gone = _stretches(random, count, faults, 40)
    view = random.integers(40, 200, SIGNATURE_WH[::-1])
    edges = random.random(EDGES_WH[::-1]) < 0.25
    ground = cv2.resize(random.integers(60, 180, (18, 32, 3)).astype(np.uint8), (320, 180)).astype(np.int16)
    full = _stretches(np.random.default_rng([seed, 1]), count, events * 0.3, 60)
    looks = []
    for i, at in enumerate(moments):
        if i in gone:
            continue
        here = [a for a in actors if a.begins <= i < a.ends and random.random() > 0.08]
        passing = [*_passing(camera, random, busy[i], i), *_containers(camera, i, full=i in full)]
        shown = ground if pictures and i % PICTURE_EVERY == 0 else None
        looks.append(
            Observation(
                camera.id, at, "rec", CADENCE_S * i, _detections([*here, *passing], random),
                _state(view, edges, random, dark=i in dark),
                None if shown is None else _picture(shown, [a for a in here if a.label == "rubbish"], random),
            )
        )  # fmt: skip
    return looks


def _actors(  # noqa: C901  # a line a kind
    camera: Camera, random: np.random.Generator, busy: Sequence[float], events: float
) -> Iterator[Actor]:
    """Parked cars, violations, jams, stalls, bikes and bags, by the activity at each look."""
    lanes, kerb = _zone(camera, ZoneKind.CARRIAGEWAY), _zone(camera, ZoneKind.NO_PARKING)
    footway, clean = _zone(camera, ZoneKind.SIDEWALK), _zone(camera, ZoneKind.SANITATION)
    market, bay = _zone(camera, ZoneKind.NO_VENDING), _zone(camera, ZoneKind.PARKING_BAY)
    stops = [_inside(lanes, "car", random, UP_THE_ROAD) for _ in range(4)]
    for place in (_inside(bay, "car", random) for _ in range(2)):
        i = int(random.integers(0, 40))
        while i < len(busy):
            stays = int(random.integers(20, 300))
            yield Actor("car", place, i, i + stays)
            i += stays + int(random.integers(5, 80))
    for i, much in enumerate(busy):
        if random.random() < 0.25 * much:  # a red light
            yield from (Actor("car", place, i, i + int(random.integers(1, 3))) for place in stops[:2])
        if random.random() < events * (0.006 * much + 0.0005):
            yield Actor("car", _inside(kerb, "car", random), i, i + int(random.integers(2, 14)), 0.5)
        if random.random() < events * 0.003 * much:
            yield Actor("car", _inside(footway, "car", random), i, i + int(random.integers(3, 16)))
        if random.random() < events * 0.002 * much:  # a jam
            yield from (
                Actor("car", place, i + int(random.integers(0, 3)), i + 9)
                for place in [*stops, _inside(kerb, "car", random)]
            )
        if random.random() < events * 0.003 * much:
            place, ends = _inside(market, "chair", random), i + int(random.integers(4, 20))
            x1, _, x2, y2 = place
            yield Actor("chair", place, i, ends)
            yield Actor("person", (x2, y2 - 0.12, x2 + 0.03, y2), i, ends)
            yield from (
                [Actor("car", _inside(market, "car", random), i, ends)] if random.random() < 0.3 else []
            )
        if random.random() < events * 0.002 * much:
            x1, y1, x2, y2 = _inside(footway, "bicycle", random)
            ends = i + int(random.integers(10, 60))
            yield from (Actor("bicycle", (x1 + d, y1, x2 + d, y2), i, ends) for d in (0.0, 0.06, 0.12, 0.18))
        if random.random() < events * 0.002 * much:
            yield Actor(
                "rubbish", _inside(clean, "rubbish", random), i, i + int(random.integers(15, 90)), 0.8
            )


def _containers(camera: Camera, i: int, *, full: bool) -> Iterator[Actor]:
    """What a classifier says of the containers at the looks that it is asked at."""
    if i % PICTURE_EVERY == 0:
        for zone in (zone for zone in camera.zones if zone.kind is ZoneKind.BIN):
            yield Actor("bin", bounds(zone.polygon), i, i + 1, 0.75 if full else 0.22)


def _passing(camera: Camera, random: np.random.Generator, much: float, i: int) -> Iterator[Actor]:
    lanes, footway = _zone(camera, ZoneKind.CARRIAGEWAY), _zone(camera, ZoneKind.SIDEWALK)
    yield from (
        Actor("car", _inside(lanes, "car", random, UP_THE_ROAD), i, i + 1)
        for _ in range(random.poisson(3.5 * much))
    )
    yield from (
        Actor("person", _inside(footway, "person", random), i, i + 1) for _ in range(random.poisson(2 * much))
    )


def _zone(camera: Camera, kind: ZoneKind) -> Zone:
    found = next((zone for zone in camera.zones if zone.kind is kind), None)
    off = Zone("off", kind, ((0.02, 0.02), (0.4, 0.02), (0.4, 0.3), (0.02, 0.3)))
    return found or off


def _inside(zone: Zone, label: str, random: np.random.Generator, depth: tuple[float, float] = MIDDLE) -> Box:
    """A box whose foot stands about in the middle of a zone's depth."""
    (x1, y1), (x2, y2) = np.min(zone.polygon, axis=0), np.max(zone.polygon, axis=0)
    width, height = SIZES[label]
    x = float(random.uniform(x1, max(x1 + 0.01, x2 - width)))
    y = float(min(1.0, y1 + (y2 - y1) * random.uniform(*depth)))
    return (x, max(0.0, y - height), min(1.0, x + width), y)


def _detections(actors: Sequence[Actor], random: np.random.Generator) -> Detections:
    if not actors:
        return Detections((), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))
    boxes = np.array([a.box for a in actors]) + random.normal(0, 0.0015, (len(actors), 4))
    confidences = np.array([a.confidence for a in actors]) + random.uniform(-0.2, 0.2, len(actors))
    return Detections(
        tuple(a.label for a in actors), confidences.astype(np.float32), boxes.astype(np.float32)
    )


def _state(view: np.ndarray, edges: np.ndarray, random: np.random.Generator, *, dark: bool) -> ViewState:
    noisy = np.clip(view + random.integers(-3, 4, view.shape), 0, 255).astype(np.uint8)
    sketch = random.normal(0, 5, SKETCH_SIZE).astype(np.float32)
    return ViewState(
        4.0 if dark else 110.0 + random.normal(), 9.0 + random.normal() / 9, noisy, edges, sketch
    )


def _picture(ground: np.ndarray, bags: Sequence[Actor], random: np.random.Generator) -> bytes:
    image = np.clip(ground + random.normal(0, 2, ground.shape), 0, 255).astype(np.uint8)
    for bag in bags:
        x1, y1, x2, y2 = (round(v * side) for v, side in zip(bag.box, (320, 180, 320, 180), strict=True))
        cv2.rectangle(image, (x1, y1), (x2, y2), (15, 20, 25), -1)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()


def _stretches(random: np.random.Generator, count: int, an_hour: float, longest: int) -> set[int]:
    found: set[int] = set()
    for i in np.flatnonzero(random.random(count) < an_hour * CADENCE_S / 3600):
        found |= set(range(int(i), int(i + random.integers(3, longest))))
    return found


def of_recording(looks: Sequence[Observation], recording_id: str, start: datetime) -> list[Observation]:
    """The same looks as those of one recording."""
    return [replace(o, recording_id=recording_id, offset_s=(o.at - start).total_seconds()) for o in looks]

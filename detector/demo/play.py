"""Ways that actors take: driving through, walking past, coming to stand and leaving again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from detector.core.errors import BadInput
from detector.core.geometry import contact_share
from detector.core.values import Camera, Zone, ZoneKind
from detector.demo.scene import Actor, Waypoint, box_at
from detector.demo.sprites import BODIES, PAINTS, Sprite, wardrobe
from detector.demo.street import axis_of, horizon

Random = np.random.Generator
Foot = tuple[float, float]

UNSURE: Final = ("van-silver", "van-black")
"""yolov8n gives these less than 0.4 in some places when they are some 110 px wide at 960 x 540; they only pass."""

CARS: Final = tuple(
    name for body in ("van", "minibus") for paint in PAINTS if (name := f"{body}-{paint}") not in UNSURE
)
"""Vehicles that stand. Measured over 12 places and hours each: 0.4 or more in 99 % from 110 px on, 0.75 from 160 px on."""

VEHICLES: Final = tuple(f"{body}-{paint}" for body in BODIES for paint in PAINTS)
PEOPLE: Final = ("man-beige", "man-beige-2", "man-dark", "man-dark-2")

SURE_SHARE: Final = 0.65
"""The part of its ground contact with which a made vehicle stands in its zone at the least; the rules ask for 0.5."""

PASSING_S: Final = 6.0
TURNING_IN_S: Final = 4.0


def way(camera: Camera, kind: ZoneKind, side: float) -> tuple[Foot, Foot]:
    """A line along the widest zone of a kind, from beyond the left edge of the picture to beyond the right.

    `side` in [-1, 1] is how far it lies from the middle, positive nearer to the camera.
    """
    zones = [zone for zone in camera.zones if zone.kind is kind]
    if not zones:
        return (-0.3, 0.7 + 0.15 * side), (1.3, 0.7 + 0.15 * side)
    corners = np.array(max(zones, key=lambda zone: float(np.ptp(np.array(zone.polygon)[:, 0]))).polygon)
    start, end = axis_of(tuple(map(tuple, corners)))
    across = np.array((start[1] - end[1], end[0] - start[0]))
    across /= np.linalg.norm(across)
    half = float(np.ptp((corners - start) @ across)) / 2
    start, end = (point + across * side * half for point in (start, end))
    reach = (end - start) * (0.35 / max(0.35, float(np.linalg.norm(end - start))))
    ends = (start - reach, end + reach)
    lowest = horizon(camera) + 0.06
    first, last = ((float(x), float(np.clip(y, lowest, 1.5))) for x, y in ends)
    return first, last


def passing(
    camera: Camera, sprite: str, at_s: float, *, side: float, rightward: bool, took_s: float
) -> Actor:
    """Goes through the picture along the carriageway, or along the footway if it is a person."""
    kind = ZoneKind.SIDEWALK if sprite in PEOPLE else ZoneKind.CARRIAGEWAY
    start, end = way(camera, kind, side)
    if not rightward:
        start, end = end, start
    return Actor(sprite, (Waypoint(at_s, *start), Waypoint(at_s + took_s, *end)), facing_right=rightward)


def traffic(
    camera: Camera, random: Random, until_s: float, *, vehicles_per_min: float, people_per_min: float
) -> Iterator[Actor]:
    """Vehicles and people that only pass, from before the scene's start to `until_s`."""
    for at_s in _moments(random, until_s, vehicles_per_min):
        rightward = bool(random.integers(2))
        side = 0.3 if rightward else -0.2
        sprite = VEHICLES[int(random.integers(len(VEHICLES)))]
        took_s = PASSING_S * float(random.uniform(0.8, 1.4))
        yield passing(camera, sprite, at_s, side=side, rightward=rightward, took_s=took_s)
    for at_s in _moments(random, until_s, people_per_min):
        sprite = PEOPLE[int(random.integers(len(PEOPLE)))]
        rightward, side = bool(random.integers(2)), float(random.uniform(-0.3, 0.6))
        took_s = float(random.uniform(25, 45))
        yield passing(camera, sprite, at_s, side=side, rightward=rightward, took_s=took_s)


def _moments(random: Random, until_s: float, per_min: float) -> Iterator[float]:
    at_s = -PASSING_S
    while per_min > 0 and (at_s := at_s + max(2.0, float(random.exponential(60 / per_min)))) < until_s:
        yield round(at_s, 2)


def visit(
    camera: Camera, sprite: str, foot: Foot, from_s: float, until_s: float, *, rightward: bool = False,
    exempt: str = "", turning_s: float = TURNING_IN_S, vends: bool = False,
) -> Actor:  # fmt: skip
    """Comes along the carriageway, stands at `foot` over [from_s, until_s), and drives on."""
    side = 0.3 if rightward else -0.2
    start, end = way(camera, ZoneKind.CARRIAGEWAY, side)
    if not rightward:
        start, end = end, start
    path = (
        Waypoint(from_s - turning_s, *start), Waypoint(from_s, *foot), Waypoint(until_s, *foot),
        Waypoint(until_s + turning_s, *end),
    )  # fmt: skip
    return Actor(sprite, path, facing_right=rightward, exempt=exempt, vends=vends)


def spot(
    cameras: Sequence[Camera], sprite: str, kind: ZoneKind, random: Random, *, away_from: Sequence[Foot] = ()
) -> Foot:
    """A place to stand that lies surely inside a zone of `kind` of every one of the cameras, and in no bay besides.

    Keeps a vehicle's width from the places in `away_from`. Raises BadInput where there is none.
    """
    cut = wardrobe()[sprite]
    corners = np.array([c for zone in cameras[0].zones if zone.kind is kind for c in zone.polygon])
    best, best_share = None, SURE_SHARE
    for _ in range(600 if len(corners) else 0):
        x, y = (float(v) for v in random.uniform(corners.min(axis=0), corners.max(axis=0)))
        box = box_at(cameras[0], cut, x, y)
        if box[0] < 0.01 or box[2] > 0.99 or box[1] < 0.02 or box[3] > 0.99:
            continue
        if any(abs(x - other[0]) < 1.1 * (box[2] - box[0]) for other in away_from):
            continue
        share = min(_share(camera, cut, (x, y), kind) for camera in cameras)
        if share > best_share:
            best, best_share = (x, y), share
        if share > 0.95:
            break
    if best is None:
        raise BadInput(
            f"no place for {sprite} in a {kind} zone of {', '.join(camera.id for camera in cameras)}"
        )
    return best


def _share(camera: Camera, sprite: Sprite, foot: Foot, kind: ZoneKind) -> float:
    """The largest share of a zone of the kind; 0 where an exempt bay or a forbidden zone of another kind has a part."""
    box = box_at(camera, sprite, *foot)

    def largest(zones: Sequence[Zone]) -> float:
        return max((contact_share(box, zone.polygon) for zone in zones), default=0.0)

    share = largest([zone for zone in camera.zones if zone.kind is kind])
    judged = {ZoneKind.NO_PARKING, ZoneKind.SIDEWALK, ZoneKind.PARKING_BAY} - {kind}
    if kind is ZoneKind.PARKING_BAY:
        judged = set()
    return share if largest([zone for zone in camera.zones if zone.kind in judged]) < 0.3 else 0.0

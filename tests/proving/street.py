"""A made street: a still background on which things stand, come, go and walk past at known seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

import cv2
import numpy as np

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import (
    Detections,
    Frame,
    Image,
    Incident,
    LabelGroup,
    Recording,
    RecordingState,
    Sighting,
    Stay,
    Violation,
)
from detector.proving.looker import Looker

START = datetime(2026, 1, 8, tzinfo=UTC)
WIDTH, HEIGHT = 320, 180
SPOT: Box = (0.4, 0.4, 0.6, 0.6)
CADENCE_S = 54.0
LIMIT_S = 180.0


@cache
def texture(seed: int, width: int, height: int) -> Image:
    """A picture of its own, as coarse as things in a street are."""
    coarse = np.random.default_rng(seed).integers(0, 255, (max(2, height // 6), max(2, width // 6), 3))
    return cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC).astype(
        np.uint8
    )


@cache
def grain() -> Image:
    """Noise as a sensor adds it."""
    return np.random.default_rng(0).integers(0, 8, (HEIGHT, WIDTH, 3)).astype(np.uint8)


@dataclass(frozen=True)
class Thing:
    """Something in the picture from a second (included) until another; without a label no model sees it."""

    look: int
    from_s: float
    until_s: float
    box: Box = SPOT
    label: str = "car"

    def pixels(self) -> tuple[int, int, int, int]:
        x1, y1, x2, y2 = self.box
        return round(x1 * WIDTH), round(y1 * HEIGHT), round(x2 * WIDTH), round(y2 * HEIGHT)

    def is_there(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.until_s


@dataclass
class Street:
    """Pictures at any second; the detector that knows what is there is the street itself."""

    things: Sequence[Thing]
    duration_s: float = 1200.0
    fps: float = 10.0
    keyframe_s: float = 2.0
    model_id: str = "street"
    sha256: str = "0" * 64
    input_hw: tuple[int, int] = (HEIGHT, WIDTH)
    decoded: int = 0
    asked: dict[bytes, float] = field(default_factory=dict)

    def picture(self, at_s: float) -> Image:
        image = texture(0, WIDTH, HEIGHT).copy()
        for thing in self.things:
            if thing.is_there(at_s):
                x1, y1, x2, y2 = thing.pixels()
                image[y1:y2, x1:x2] = texture(thing.look, x2 - x1, y2 - y1)
        light = 1 + 0.08 * np.sin(at_s / 97)
        noise = np.roll(grain(), int(at_s * 10) % WIDTH, axis=1)
        return np.asarray(cv2.add(cv2.convertScaleAbs(image, alpha=light), noise), np.uint8)

    def frame_at(
        self, offset_s: float, tolerance_s: float = 0.0, fit_wh: tuple[int, int] | None = None
    ) -> object:
        shown_s = np.floor(offset_s * self.fps + 1e-6) / self.fps
        keyframe_s = np.floor(shown_s / self.keyframe_s + 1e-9) * self.keyframe_s
        if offset_s - keyframe_s <= tolerance_s:
            shown_s = keyframe_s
        if shown_s >= self.duration_s:
            return None
        self.decoded += 1
        image = self.picture(float(shown_s))
        self.asked[image[::16, ::16].tobytes()] = float(shown_s)
        return Frame(float(shown_s), image, f"{int(shown_s * 1000):064d}")

    def close(self) -> None:
        """Nothing is open."""

    def seen_at(self, at_s: float) -> list[Thing]:
        """What a model sees: what nothing in front hides."""
        there = [thing for thing in self.things if thing.is_there(at_s)]
        return [
            thing
            for index, thing in enumerate(there)
            if not any(_covered(thing.box, front.box) > 0.5 for front in there[index + 1 :])
        ]

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        answers = []
        for image in images:
            things = [t for t in self.seen_at(self.asked[image[::16, ::16].tobytes()]) if t.label]
            answers.append(
                Detections(
                    tuple(thing.label for thing in things),
                    np.full(len(things), 0.8, np.float32),
                    np.array([thing.box for thing in things], np.float32).reshape(-1, 4),
                )
            )
        return answers

    def recording(self) -> Recording:
        interval = Interval(START, START + timedelta(seconds=self.duration_s))
        return Recording("c1", "a.mp4", 1, 1, interval, RecordingState.READABLE)

    def looker(self) -> Looker:
        recording = self.recording()
        return Looker([(recording, recording.interval)], lambda _: self)

    def suspicion(self, limit_s: float = LIMIT_S, box: Box = SPOT, first_s: float = 7.0) -> Incident:
        """What judging makes of looks a cadence apart: every look that sees something in the place."""
        looks_s = np.arange(first_s, self.duration_s, CADENCE_S)
        standing = [
            float(s)
            for s in looks_s
            if any(_covered(box, t.box) > 0.9 and t.label == "car" for t in self.seen_at(s))
        ]
        before, after = looks_s[looks_s < standing[0]], looks_s[looks_s > standing[-1]]
        sightings = tuple(Sighting(moment(s), box, 0.8, "car") for s in standing)
        stay = Stay(
            "c1", LabelGroup.VEHICLE, sightings,
            moment(float(before[-1])) if len(before) else None, moment(float(after[0])) if len(after) else None,
        )  # fmt: skip
        return Incident(
            Violation.ILLEGAL_PARKING,
            "p001",
            "c1",
            "kerb",
            Interval(*stay.seen),
            limit_s,
            box,
            0.9,
            0.8,
            stay,
        )


def moment(at_s: float) -> datetime:
    return START + timedelta(seconds=at_s)


def seconds(at: datetime) -> float:
    return (at - START).total_seconds()


def _covered(box: Box, by: Box) -> float:
    width = min(box[2], by[2]) - max(box[0], by[0])
    height = min(box[3], by[3]) - max(box[1], by[1])
    return max(0.0, width) * max(0.0, height) / ((box[2] - box[0]) * (box[3] - box[1]))

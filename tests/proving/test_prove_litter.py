"""A closer look at what is new and still: a thing that somebody left, and what is too wide to be one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from street import Street, Thing, seconds

from detector.core.geometry import Box
from detector.core.values import Detections, Image, Proof, Violation
from detector.proving import litter as proving
from detector.proving.litter import prove_litter
from detector.proving.prove import Dropped

BAG: Box = (0.46, 0.46, 0.54, 0.58)
LINE_OF_WORDS: Box = (0.36, 0.46, 0.60, 0.58)


class Pavement(Street):
    """Ground without edges of its own."""

    def picture(self, at_s: float) -> Image:
        street = super().picture(at_s)
        image = np.asarray(cv2.blur(street, (61, 61)), np.uint8)
        for x1, y1, x2, y2 in (thing.pixels() for thing in self.things if thing.is_there(at_s)):
            image[y1:y2, x1:x2] = street[y1:y2, x1:x2]
        return image


class Resized(Pavement):
    """A pavement whose recorder changes the picture's size at some seconds; the detector sees the usual size."""

    changes: Sequence[tuple[float, tuple[int, int]]] = ()

    def picture(self, at_s: float) -> Image:
        image = super().picture(at_s)
        sizes = [size for since_s, size in self.changes if since_s <= at_s]
        return (
            np.asarray(cv2.resize(image, sizes[-1], interpolation=cv2.INTER_AREA), np.uint8)
            if sizes
            else image
        )


@dataclass
class Naming(Street):
    """A detector for rubbish that names one place with one confidence in every picture; its input is the whole picture."""

    named: Box = BAG
    confidence: float = 0.4

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        boxes = np.array([self.named], np.float32)
        return [Detections(("rubbish",), np.array([self.confidence], np.float32), boxes) for _ in images]


def verdict(
    thing: Thing, looked_like: Box, street: Street | None = None, litter: Street | None = None
) -> Proof | Dropped:
    """Of a thing that some looks showed to be only so large."""
    street = street or Pavement([thing])
    suspicion = street.suspicion(box=thing.box)
    assert suspicion.stay is not None
    sightings = tuple(replace(s, box=looked_like) for s in suspicion.stay.sightings)
    stay = replace(suspicion.stay, sightings=sightings)
    suspicion = replace(suspicion, violation=Violation.LITTER, box=looked_like, stay=stay)
    with street.looker() as looker:
        return prove_litter(suspicion, looker, street, litter)


def test_a_bag_that_stays_is_proven_and_timed() -> None:
    found = verdict(Thing(1, 250, 800, BAG), BAG)
    assert isinstance(found, Proof)
    assert seconds(found.incident.interval.start) == pytest.approx(250, abs=1.5)
    assert seconds(found.incident.interval.end) == pytest.approx(800, abs=1.5)


@pytest.mark.parametrize("seed", range(4))
def test_a_bag_is_proven_although_the_size_of_the_picture_changes(seed: int) -> None:
    chance = np.random.default_rng(seed)
    sizes = [(320, 180), (480, 270), (288, 236), (640, 360), (256, 144)]
    street = Resized([Thing(1, 250, 800, BAG)])
    street.changes = [(s, sizes[chance.integers(len(sizes))]) for s in (0, 200, 320, 500, 700)]
    found = verdict(street.things[0], BAG, street)
    assert isinstance(found, Proof), found.reason
    assert seconds(found.incident.interval.start) == pytest.approx(250, abs=1.5)
    assert seconds(found.incident.interval.end) == pytest.approx(800, abs=1.5)


def test_a_part_of_what_is_wider_than_any_thing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    part = (0.36, 0.46, 0.44, 0.58)
    found = verdict(Thing(1, 250, 800, LINE_OF_WORDS), part)
    assert isinstance(found, Dropped)
    assert "larger than a thing" in found.reason
    monkeypatch.setattr(proving, "WIDEST", 1.0)
    assert isinstance(verdict(Thing(1, 250, 800, LINE_OF_WORDS), part), Proof)


@pytest.mark.parametrize(("confidence", "proven"), [(0.4, True), (0.3, False)])
def test_what_is_larger_than_a_bag_must_be_new_and_be_named_rubbish(confidence: float, proven: bool) -> None:
    litter = Naming([], named=LINE_OF_WORDS, confidence=confidence)
    found = verdict(Thing(1, 250, 800, LINE_OF_WORDS), LINE_OF_WORDS, litter=litter)
    assert isinstance(found, Proof) == proven
    always = verdict(Thing(1, 0, 1200, LINE_OF_WORDS), LINE_OF_WORDS, litter=litter)
    assert isinstance(always, Dropped)


class Hidden(Pavement):
    """A pavement on which something that no model sees hides a place for some seconds, and then leaves."""

    def picture(self, at_s: float) -> Image:
        image = super().picture(at_s)
        if 120 <= at_s < 250:
            x1, y1, x2, y2 = Thing(2, 0, 0, (0.42, 0.40, 0.58, 0.62)).pixels()
            image[y1:y2, x1:x2] = (90, 60, 60)
        return image


def test_what_was_only_hidden_and_was_there_at_the_start_of_the_recording_is_not_new() -> None:
    found = verdict(Thing(1, 250, 800, BAG), BAG, Hidden([Thing(1, 0, 800, BAG)]))
    assert isinstance(found, Dropped)
    assert "start of the recording" in found.reason or "always there" in found.reason
    assert isinstance(verdict(Thing(1, 250, 800, BAG), BAG, Hidden([Thing(1, 250, 800, BAG)])), Proof)

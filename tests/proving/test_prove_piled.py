"""A suspicion of piled goods looked at closer: the object came or left, and is none of what has a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from street import Street, Thing

from detector.core.geometry import Box
from detector.core.values import NO_DETECTIONS, Detections, Image, Incident, Proof, Violation
from detector.judging.litter import NEW_THING
from detector.proving.prove import Dropped
from detector.proving.verdict import verdict_on

FROM_S, UNTIL_S = 100.0, 900.0
GOODS = Thing(1, FROM_S, UNTIL_S)


def looked_at(street: Street, shown: Street | None = None) -> Proof | Dropped:
    """A suspicion of one street looked at in the pictures of another, or of the same."""
    found = street.suspicion()
    assert found.stay is not None
    unnamed = tuple(replace(s, label=NEW_THING) for s in found.stay.sightings)
    incident: Incident = replace(
        found, violation=Violation.PILED_GOODS, stay=replace(found.stay, sightings=unnamed), note="goods"
    )
    pictures = shown or street
    with pictures.looker() as looker:
        return verdict_on(incident, looker, pictures)


class Blank:
    """A larger model that names nothing."""

    input_hw = (384, 640)

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        return [NO_DETECTIONS] * len(images)


class Unnamed(Street):
    """A street whose things no model names."""

    @property
    def verifier(self) -> Blank:
        return Blank()


def without_names(street: Street) -> Street:
    return Unnamed([replace(thing, label="") for thing in street.things], duration_s=street.duration_s)


def test_goods_without_a_name_that_came_and_left_are_proven_to_the_second() -> None:
    street = Street([GOODS])
    verdict = looked_at(street, without_names(street))
    assert isinstance(verdict, Proof)
    assert abs(verdict.incident.dwell_s - (UNTIL_S - FROM_S)) < 3
    assert verdict.explanation.startswith("goods: stood 13 min")


def test_what_the_detector_names_at_close_range_is_dropped() -> None:
    verdict = looked_at(Street([GOODS]))
    assert isinstance(verdict, Dropped)
    assert "vehicle" in verdict.reason


def test_what_neither_came_nor_left_is_dropped() -> None:
    street = Street([Thing(1, 0, 1200)])
    verdict = looked_at(street, without_names(street))
    assert isinstance(verdict, Dropped)
    assert "neither to come nor to leave" in verdict.reason

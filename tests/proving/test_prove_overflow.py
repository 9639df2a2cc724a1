"""A suspicion that a container overflows looked at closer: dirty in most pictures, and since when until when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from street import SPOT, Street, Thing, moment, seconds

from detector.core.errors import BadInput
from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import Image, Incident, LabelGroup, Proof, Sighting, Stay, Violation
from detector.inference.second import SecondModels
from detector.proving.prove import Dropped
from detector.proving.verdict import verdict_on

LIMIT_S = 900.0


@dataclass
class Judge:
    """Calls the container dirty where the street has a thing without a label in its place."""

    street: Street
    model_id: str = "judge"
    threshold: float = 0.5
    asked: list[float] = field(default_factory=list)

    def dirty(self, image: Image, container: Box | None = None) -> float:
        assert container == SPOT
        at_s = self.street.asked[image[::16, ::16].tobytes()]
        self.asked.append(at_s)
        return 0.9 if any(not thing.label for thing in self.street.seen_at(at_s)) else 0.1


class Refusing(Judge):
    """Finds every container too small."""

    def dirty(self, image: Image, container: Box | None = None) -> float:
        raise BadInput("too small")


def rubbish(from_s: float, until_s: float) -> Thing:
    return Thing(5, from_s, until_s, SPOT, "")


def suspicion(first_s: float, last_s: float, before_s: float | None, after_s: float | None) -> Incident:
    sightings = tuple(
        Sighting(moment(float(s)), SPOT, 0.9, "bin") for s in np.arange(first_s, last_s + 1, 270.0)
    )
    before, after = (None if s is None else moment(s) for s in (before_s, after_s))
    stay = Stay("c1", LabelGroup.BIN, sightings, before, after)
    return Incident(
        Violation.OVERFLOWING_BIN, "p001", "c1", "bin", Interval(*stay.seen), LIMIT_S, SPOT, 1.0, 0.9, stay
    )  # fmt: skip


def looked_at(street: Street, incident: Incident, judge: Judge | None = None) -> Proof | Dropped:
    with street.looker() as looker:
        return verdict_on(incident, looker, street, SecondModels(bins=judge or Judge(street)))


def test_a_container_that_overflows_is_proven_from_when_it_was_full_until_it_was_emptied() -> None:
    street = Street([rubbish(600, 3000)], duration_s=4000)
    verdict = looked_at(street, suspicion(810, 2970, 540, 3240))
    assert isinstance(verdict, Proof)
    assert seconds(verdict.incident.interval.start) == pytest.approx(600, abs=25)
    assert seconds(verdict.incident.interval.end) == pytest.approx(3000, abs=25)
    assert verdict.start_uncertainty_s <= 20
    assert len(verdict.stills) == 4
    assert verdict.explanation.startswith("overflowing for 39 min"), verdict.explanation
    assert verdict.explanation_zh.startswith("满溢39分"), verdict.explanation_zh


def test_one_that_was_full_before_the_recording_began_is_proven_with_an_unknown_beginning() -> None:
    verdict = looked_at(Street([rubbish(0, 3000)], duration_s=4000), suspicion(0, 2970, None, 3240))
    assert isinstance(verdict, Proof)
    assert verdict.start_uncertainty_s == float("inf")
    assert verdict.end_uncertainty_s <= 20


def test_a_suspicion_of_which_most_pictures_show_a_clean_container_is_dropped() -> None:
    street = Street([rubbish(810 + 270 * k, 815 + 270 * k) for k in range(9)], duration_s=4000)
    verdict = looked_at(street, suspicion(810, 2970, 540, 3240))
    assert isinstance(verdict, Dropped)
    assert "of 16 pictures" in verdict.reason


def test_pictures_in_which_a_vehicle_hides_the_container_do_not_count_against_it() -> None:
    cars = [Thing(2, 900 + 300 * k, 960 + 300 * k, (0.35, 0.35, 0.65, 0.65)) for k in range(7)]
    street = Street([rubbish(600, 3000), *cars], duration_s=4000)
    verdict = looked_at(street, suspicion(810, 2970, 540, 3240))
    assert isinstance(verdict, Proof)


def test_one_that_turns_out_to_have_been_full_for_less_than_the_limit_is_dropped() -> None:
    street = Street([rubbish(1400, 2200)], duration_s=4000)
    verdict = looked_at(street, suspicion(1410, 2190, 1300, 2300))
    assert isinstance(verdict, Dropped)
    assert "the limit is 900 s" in verdict.reason


@pytest.mark.parametrize("judge", [None, Refusing])
def test_without_a_classifier_or_with_too_few_pixels_nothing_is_proven(judge: type[Judge] | None) -> None:
    street = Street([rubbish(600, 3000)], duration_s=4000)
    incident = suspicion(810, 2970, 540, 3240)
    with street.looker() as looker:
        second = SecondModels(bins=judge(street)) if judge else SecondModels()
        assert isinstance(verdict_on(incident, looker, street, second), Dropped)


def test_the_interval_proven_does_not_depend_on_the_limit() -> None:
    street = Street([rubbish(600, 3000)], duration_s=4000)
    incident = suspicion(810, 2970, 540, 3240)
    verdicts = [looked_at(street, replace(incident, limit_s=limit)) for limit in (300.0, 900.0)]
    assert len({v.incident.interval for v in verdicts if isinstance(v, Proof)}) == 1

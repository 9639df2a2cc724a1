"""A suspicion of vending looked at closer: the thing stands, and somebody is beside it nearly all the time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from street import Street, Thing

from detector.core.geometry import Box
from detector.core.values import Incident, Proof, Violation
from detector.judging.litter import NEW_THING
from detector.proving.prove import Dropped
from detector.proving.verdict import verdict_on

FROM_S, UNTIL_S = 100.0, 700.0
VENDOR: Box = (0.62, 0.35, 0.66, 0.6)
VAN = Thing(1, FROM_S, UNTIL_S)


def person(from_s: float, until_s: float, dx: float = 0.0) -> Thing:
    x1, y1, x2, y2 = VENDOR
    return Thing(7, from_s, until_s, (x1 + dx, y1, x2 + dx, y2), "person")


def suspicion(street: Street, beside: Box | None = VENDOR) -> Incident:
    return replace(street.suspicion(), violation=Violation.STREET_VENDING, beside=beside, note="a stall")


def looked_at(street: Street, beside: Box | None = VENDOR) -> Proof | Dropped:
    with street.looker() as looker:
        return verdict_on(suspicion(street, beside), looker, street)


def test_a_vendor_who_stays_is_proven_over_the_time_of_the_thing() -> None:
    verdict = looked_at(Street([VAN, person(FROM_S + 5, UNTIL_S - 5)]))
    assert isinstance(verdict, Proof)
    assert abs(verdict.incident.dwell_s - (UNTIL_S - FROM_S)) < 3
    assert verdict.explanation.startswith(("a stall: stood 10 min", "a stall: stood 9 min 5"))


def test_a_vendor_who_moves_a_little_and_turns_away_now_and_then_is_proven() -> None:
    steps = [person(FROM_S + 60 * k, FROM_S + 60 * k + 50, 0.015 * (k % 3)) for k in range(10)]
    assert isinstance(looked_at(Street([VAN, *steps])), Proof)


def test_people_who_pass_in_turn_are_not_a_vendor_though_every_sparse_look_may_meet_one() -> None:
    passers = [person(FROM_S + 54 * k, FROM_S + 54 * k + 20) for k in range(11)]
    verdict = looked_at(Street([VAN, *passers]))
    assert isinstance(verdict, Dropped)
    assert verdict.reason.startswith("people pass it, nobody stays")
    assert isinstance(looked_at(Street([VAN, *passers]), beside=None), Proof), (
        "without that look they would be"
    )


@pytest.mark.parametrize("dx", [-0.4, 0.25])
def test_somebody_who_stays_elsewhere_is_not_its_vendor(dx: float) -> None:
    assert isinstance(looked_at(Street([VAN, person(FROM_S, UNTIL_S, dx)])), Dropped)


def test_a_vendor_beside_one_thing_after_another_is_not_proven() -> None:
    vans = [Thing(look, FROM_S + 150 * look, FROM_S + 150 * look + 140) for look in range(4)]
    assert isinstance(looked_at(Street([*vans, person(FROM_S, UNTIL_S)])), Dropped)


@pytest.mark.parametrize(
    ("from_s", "until_s", "proven"), [(FROM_S, UNTIL_S, True), (-9e9, UNTIL_S, True), (-9e9, 9e9, False)]
)
def test_what_no_label_names_is_a_stall_only_if_it_came_or_left(
    from_s: float, until_s: float, *, proven: bool
) -> None:
    street = Street([Thing(1, from_s, until_s), person(FROM_S, UNTIL_S)])
    found = suspicion(street)
    assert found.stay is not None
    unnamed = tuple(replace(s, label=NEW_THING) for s in found.stay.sightings)
    with street.looker() as looker:
        verdict = verdict_on(replace(found, stay=replace(found.stay, sightings=unnamed)), looker, street)
    assert isinstance(verdict, Proof) is proven

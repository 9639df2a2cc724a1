"""Queues that looks alone do not tell from a row of parked cars: a closer look times who left when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from street import CADENCE_S, LIMIT_S, SPOT, Street, Thing, moment, seconds

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import Incident, LabelGroup, Proof, Queue, Sighting, Stay
from detector.proving import prove as proving
from detector.proving.prove import Dropped, prove


def place(column: int) -> Box:
    return (0.02 + 0.2 * column, 0.1, 0.18 + 0.2 * column, 0.3)


def others(comes: Callable[[int], float], leaves: Callable[[int], float]) -> list[Thing]:
    return [Thing(10 + i, comes(i), leaves(i), box=place(i)) for i in range(4)]


def stay_of(thing: Thing, duration_s: float) -> Stay:
    looks = [7.0 + CADENCE_S * k for k in range(int(duration_s / CADENCE_S))]
    there = [s for s in looks if thing.is_there(s)]
    before, after = [s for s in looks if s < there[0]], [s for s in looks if s > there[-1]]
    sightings = tuple(Sighting(moment(s), thing.box, 0.8, "car") for s in there)
    return Stay(
        "c1", LabelGroup.VEHICLE, sightings, moment(before[-1]) if before else None, moment(after[0]) if after else None
    )  # fmt: skip


def verdict(row: list[Thing], *, leaves_s: float = 430.0, clears: bool = True) -> Proof | Dropped:
    """Of a vehicle that stood from second 100 on, among others that may have been its queue."""
    street = Street([Thing(1, 100, leaves_s), *row])
    incident: Incident = street.suspicion()
    queue = Queue(
        Interval(moment(80), moment(460)),
        3,
        tuple(stay_of(thing, street.duration_s) for thing in row),
        clears,
    )
    with street.looker() as looker:
        return prove(replace(incident, queues=(queue,)), looker, street)


def test_who_stood_among_others_that_drove_on_together_is_not_parked() -> None:
    found = verdict(others(lambda i: 95 + 3 * i, lambda i: 425 + 4 * i))
    assert isinstance(found, Dropped)
    assert "stood for 0 s" in found.reason


@pytest.mark.parametrize("apart_s", [20.0, 45.0])
def test_who_stood_in_a_row_that_left_one_by_one_is_parked(apart_s: float) -> None:
    found = verdict(others(lambda i: 95 + 3 * i, lambda i: 380 + apart_s * i))
    assert isinstance(found, Proof)
    assert found.incident.excused == ()
    assert seconds(found.incident.interval.start) == pytest.approx(100, abs=1.2)


def test_without_timing_them_a_row_would_be_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "CLEARS_WITHIN_S", 600.0)
    assert isinstance(verdict(others(lambda i: 95 + 3 * i, lambda i: 380 + 45 * i)), Dropped)


def test_who_stays_on_when_the_queue_has_driven_on_is_parked_for_the_rest_of_its_time() -> None:
    found = verdict(others(lambda i: 95 + 3 * i, lambda i: 425 + 4 * i), leaves_s=700)
    assert isinstance(found, Proof)
    assert found.incident.interval.duration_s == pytest.approx(600, abs=2)
    assert LIMIT_S < found.incident.counted_s(found.incident.interval) < 260
    assert "in a queue not counted" in found.explanation


def test_a_queue_that_has_not_cleared_is_told_by_how_it_came() -> None:
    stays = others(lambda i: 95 + 3 * i, lambda _: 5000)
    assert isinstance(
        verdict(stays, leaves_s=5000, clears=False), Proof
    )  # it stands far beyond the queue's time
    assert isinstance(verdict(stays, clears=False), Dropped)
    assert isinstance(verdict(others(lambda i: 95 + 80 * i, lambda _: 5000), clears=False), Proof)


def test_what_was_never_seen_to_leave_makes_no_queue() -> None:
    assert isinstance(verdict(others(lambda _: -5, lambda _: 5000)), Proof)


def test_a_queue_needs_as_many_vehicles_as_it_says() -> None:
    with pytest.raises(ValueError, match="cannot need 3"):
        Queue(Interval(moment(0), moment(1)), 3, (stay_of(Thing(1, 0, 500, SPOT), 600.0),), clears=True)

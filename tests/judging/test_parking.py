"""illegal_parking and sidewalk_parking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import (
    CADENCE_S,
    FAR,
    KERB,
    LIMIT_S,
    SHANGHAI,
    START,
    camera,
    car,
    look,
    point,
    rules,
    series,
    zone,
)

from detector.config.rules import RuleSet
from detector.core.geometry import Box
from detector.core.values import TAKEN_FOR, Incident, Observation, Violation, Zone, ZoneKind
from detector.judging.judge import judge

STANDS = [[], *[[car()]] * 6, []]


def judged(observations: Sequence[Observation], *zones: Zone, by: RuleSet | None = None) -> list[Incident]:
    seen_by = camera(*zones)
    return list(judge(observations, point(seen_by), seen_by, by or rules()).incidents)


def test_a_car_that_stands_beyond_the_limit_is_an_incident() -> None:
    (incident,) = judged(series(STANDS))
    assert incident.violation is Violation.ILLEGAL_PARKING
    assert (incident.point_id, incident.camera_id, incident.zone_id) == ("p001", "c1", "kerb")
    assert incident.interval.start == START + timedelta(seconds=CADENCE_S)
    assert incident.dwell_s == 5 * CADENCE_S
    assert incident.share == pytest.approx(1.0)
    assert incident.limit_s == LIMIT_S


def test_judging_twice_gives_the_same_fingerprints() -> None:
    first, second = judged(series(STANDS)), judged(series(STANDS))
    assert [i.fingerprint for i in first] == [i.fingerprint for i in second]


def test_a_car_that_is_seen_once_is_no_incident() -> None:
    assert judged(series([[], [car()], []])) == []


def test_a_car_that_leaves_on_the_limit_is_not_an_incident() -> None:
    def stood(apart_s: float) -> list[Incident]:
        moments = [0.0, 1.0, LIMIT_S / 2, apart_s, apart_s + 1]
        things = [[], [car()], [car()], [], []]
        return judged([look(START + timedelta(seconds=s), t) for s, t in zip(moments, things, strict=True)])

    assert stood(LIMIT_S) == []
    assert len(stood(LIMIT_S + 1)) == 1


@given(st.integers(0, 9), st.floats(1.05, 3.0))
def test_a_car_that_stands_longer_than_the_limit_is_suspected_wherever_the_looks_fall(
    first_s: int, times: float
) -> None:
    arrives, leaves = 100.0, 100.0 + LIMIT_S * times
    moments = [first_s * 6 + i * CADENCE_S for i in range(14)]
    observations = [
        look(START + timedelta(seconds=s), [car()] if arrives <= s < leaves else []) for s in moments
    ]
    assert len(judged(observations)) == 1


@given(st.integers(0, 9), st.floats(0.05, 0.3))
def test_a_car_that_stops_for_a_moment_is_never_suspected(first_s: int, times: float) -> None:
    arrives, leaves = 100.0, 100.0 + LIMIT_S * times
    moments = [first_s * 6 + i * CADENCE_S for i in range(14)]
    observations = [
        look(START + timedelta(seconds=s), [car()] if arrives <= s < leaves else []) for s in moments
    ]
    assert judged(observations) == []


def test_a_car_outside_every_zone_is_no_incident() -> None:
    assert judged(series([[car(FAR)]] * 8)) == []


@pytest.mark.parametrize(("right", "found"), [(0.3525, 1), (0.3475, 0)])
def test_a_car_half_on_the_footway_counts_and_less_does_not(right: float, found: int) -> None:
    polygon = [(0.0, 0.3), (right, 0.3), (right, 0.6), (0.0, 0.6)]
    incidents = judged(series(STANDS), zone("walk", ZoneKind.SIDEWALK, polygon))
    assert [i.violation for i in incidents] == [Violation.SIDEWALK_PARKING] * found


def test_a_car_whose_roof_alone_reaches_over_a_zone_is_no_incident() -> None:
    roof = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.47), (0.0, 0.47)]
    assert judged(series(STANDS), zone(polygon=roof)) == []


def test_a_parking_bay_is_exempt_where_it_overlaps_a_zone() -> None:
    bay = zone("bay", ZoneKind.PARKING_BAY, [(0.28, 0.38), (0.42, 0.38), (0.42, 0.52), (0.28, 0.52)])
    assert judged(series(STANDS), zone(), bay) == []
    beside = zone("bay", ZoneKind.PARKING_BAY, [(0.42, 0.38), (0.6, 0.38), (0.6, 0.52), (0.42, 0.52)])
    assert len(judged(series(STANDS), zone(), beside)) == 1


def test_one_car_on_overlapping_zones_is_one_incident_at_the_zone_that_holds_more_of_it() -> None:
    part = zone("part", polygon=[(0.33, 0.3), (0.5, 0.3), (0.5, 0.6), (0.33, 0.6)])
    walk = zone("walk", ZoneKind.SIDEWALK, [(0.34, 0.3), (0.5, 0.3), (0.5, 0.6), (0.34, 0.6)])
    (incident,) = judged(series(STANDS), part, walk, zone())
    assert incident.zone_id == "kerb"


def test_two_cars_are_two_incidents() -> None:
    everywhere = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    incidents = judged(series([[car(KERB), car(FAR)]] * 8), zone(polygon=everywhere))
    assert len({i.fingerprint for i in incidents}) == 2


def test_a_zone_s_permitted_hours_are_exempt() -> None:
    assert judged(series(STANDS), zone(permitted=["07:00-09:00"])) == []
    assert len(judged(series(STANDS), zone(permitted=["09:00-10:00"]))) == 1


def test_hours_are_those_of_the_camera_s_clock_and_may_run_over_midnight() -> None:
    night = START.astimezone(SHANGHAI).replace(hour=23, minute=57)
    observations = series(STANDS, start=night)
    assert len(judged(observations, by=rules(LIMIT_S, "22:00-06:00"))) == 1
    assert judged(observations, by=rules(LIMIT_S, "06:00-22:00")) == []


def test_only_the_time_in_force_counts() -> None:
    start = START.astimezone(SHANGHAI).replace(hour=8, minute=50)
    looks = [[car()]] * 23  # until 09:10
    (incident,) = judged(series(looks, start=start), zone(permitted=["00:00-09:00"]))
    assert incident.interval.start.astimezone(SHANGHAI).hour == 9
    assert incident.dwell_s == 10 * CADENCE_S


def test_a_zone_s_own_limit_goes_first() -> None:
    strict = zone(limits_s={Violation.ILLEGAL_PARKING: 30.0})
    lax = zone(limits_s={Violation.ILLEGAL_PARKING: 3600.0})
    assert judged(series(STANDS), strict)[0].limit_s == 30.0
    assert judged(series(STANDS), lax) == []


def test_a_rule_that_is_off_finds_nothing() -> None:
    on = rules()
    off = RuleSet({v: replace(rule, enabled=False) for v, rule in on.rules.items()})
    assert judged(series(STANDS), by=off) == []


@pytest.mark.parametrize("start", [datetime(2026, 1, 8, 23, 56, tzinfo=SHANGHAI)])
def test_a_stay_over_midnight_and_over_two_recordings_is_one_incident(start: datetime) -> None:
    observations = [
        look(start + timedelta(seconds=i * CADENCE_S), [car()], recording="first" if i < 5 else "second")
        for i in range(10)
    ]
    (incident,) = judged(observations)
    assert incident.interval.start == start
    assert incident.dwell_s == 9 * CADENCE_S


def test_incidents_come_in_order_of_time() -> None:
    looks = [[]] + [[car((0.1, 0.4, 0.2, 0.5))]] * 8 + [[]] * 5 + [[car()]] * 8
    starts = [i.interval.start for i in judged(series(looks))]
    assert len(starts) == 2
    assert starts == sorted(starts)


def test_the_box_of_an_incident_is_the_middle_of_its_sightings() -> None:
    shaken: list[Box] = [(0.3 + d, 0.4, 0.4 + d, 0.5) for d in (-0.002, 0.001, 0.0, 0.002, -0.001)]
    (incident,) = judged(series([[car(box)] for box in shaken]))
    assert incident.box == pytest.approx(KERB, abs=1e-6)


@pytest.mark.parametrize("label", TAKEN_FOR)
def test_what_the_model_takes_for_a_phone_or_a_boat_is_suspected_and_the_closer_look_tells(
    label: str,
) -> None:
    taken = car(label=label)
    for looks in ([[], *[[taken]] * 6, []], [*[[taken]] * 6, []], [[car()], *[[taken]] * 6], [[taken]] * 6):
        assert len(judged(series(looks))) == 1


def test_a_vehicle_that_is_named_faintly_at_every_sample_is_a_candidate() -> None:
    assert len(judged(series([[], *[[car(confidence=0.12)]] * 6, []]))) == 1


def test_a_vehicle_that_is_named_faintly_now_and_then_is_none() -> None:
    now_and_then = [[car(confidence=0.12)] if i % 3 == 0 else [] for i in range(9)]
    assert judged(series([[], *now_and_then, []])) == []


def test_nested_stays_at_one_time_are_one_candidate() -> None:
    x1, y1, x2, y2 = KERB
    taller = (x1, y1 - 0.06, x2, y2)
    seen = [[car(KERB, 0.6)] if i % 2 else [car(taller, 0.5)] for i in range(12)]
    assert len(judged(series([[], *seen, []]))) == 1


def test_a_van_that_a_bus_in_front_hides_now_and_then_is_a_candidate_of_its_own() -> None:
    van, bus = (0.38, 0.32, 0.53, 0.49), (0.34, 0.32, 0.57, 0.61)
    seen = [[car(van, 0.5)]] * 3 + [[car(bus, 0.9)]] * 3 + [[car(van, 0.5)]] * 2
    found = judged(series([[], *seen, []]))
    assert any(i.box is not None and i.box[3] == pytest.approx(van[3]) for i in found)

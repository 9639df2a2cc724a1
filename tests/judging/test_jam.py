"""A queue and a jam are not parking; a row of parked cars and a car that stays when the jam clears are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import CADENCE_S, START, car, look, point, rules, zone
from judged import camera as camera_with

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import Camera, Incident, LabelGroup, Sighting, Stay, ZoneKind
from detector.judging import jam
from detector.judging.judge import judge

ROAD = ((0.0, 0.2), (1.0, 0.2), (1.0, 0.8), (0.0, 0.8))
KERB = ((0.0, 0.6), (1.0, 0.6), (1.0, 0.8), (0.0, 0.8))
LOOKS = 30
Span = tuple[int, int]


def place(column: int, row: int = 0) -> Box:
    """Six places beside each other at the kerb (row 0), and as many further off."""
    return (0.02 + 0.16 * column, 0.6 - 0.2 * row, 0.14 + 0.16 * column, 0.75 - 0.2 * row)


def street(*more: ZoneKind) -> Camera:
    return camera_with(
        zone("road", ZoneKind.CARRIAGEWAY, ROAD), zone("kerb", ZoneKind.NO_PARKING, KERB),
        *(zone(f"more-{i}", kind, ROAD) for i, kind in enumerate(more)),
    )  # fmt: skip


def suspected(
    stands: dict[Box, Span], passing: range = range(0), looks: int = LOOKS, seen_by: Camera | None = None
) -> list[Incident]:
    """What is suspected of vehicles that stand over [first, last] looks, others driving past at some looks.

    Queues that looks alone do not tell are taken as confirmed: see `test_prove_queues` for the closer look.
    """
    found = handed_on(stands, passing, looks, seen_by)
    return [i for incident in found if (i := confirmed(incident)).counted_s(widest(i)) > i.limit_s]


def handed_on(
    stands: dict[Box, Span], passing: range = range(0), looks: int = LOOKS, seen_by: Camera | None = None
) -> list[Incident]:
    """What judging hands on to be proven, with the queues that are to be looked at closer."""
    observations = []
    for i in range(looks):
        things = [car(box) for box, (first, last) in stands.items() if first <= i <= last]
        x = 0.1 + 0.37 * i % 0.7
        things += [car((x, 0.21, x + 0.1, 0.28))] if i in passing else []
        observations.append(look(START + timedelta(seconds=i * CADENCE_S), things))
    seen_by = seen_by or street()
    return list(judge(observations, point(seen_by), seen_by, rules()).incidents)


def confirmed(incident: Incident) -> Incident:
    return replace(incident, excused=(*incident.excused, *(queue.interval for queue in incident.queues)))


def widest(incident: Incident) -> Interval:
    """From the look before to the look after, as long as it may have stood."""
    reach = timedelta(seconds=CADENCE_S)
    return Interval(incident.interval.start - reach, incident.interval.end + reach)


def columns(incidents: list[Incident]) -> list[int]:
    return sorted(round((i.box[0] - 0.02) / 0.16) for i in incidents if i.box)


JAM = {place(c): (3 + c // 3, 10 + c // 3) for c in range(4)} | {place(c, 1): (3, 11) for c in range(3)}

GROWING = {place(c): (20 + c // 2, LOOKS) for c in range(5)} | {place(c, 1): (21, LOOKS) for c in range(2)}
"""A jam at the kerb and in the lane beside, that has not cleared when the recordings end."""


def test_nobody_in_a_jam_is_parked() -> None:
    assert suspected(JAM) == []


@pytest.mark.parametrize(
    ("threshold", "off"),
    [("ROADWAY", ()), ("ON_ROADWAY_SHARE", 1.1), ("MOST_SHARE", 1.1), ("CLEARS_WITHIN_S", -600.0)],
)
def test_without_its_mechanism_a_jam_is_taken_for_parked_cars(
    threshold: str, off: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jam, threshold, off)
    assert columns(suspected(JAM)) == [0, 1, 2, 3]


def test_too_few_others_make_no_jam() -> None:
    assert columns(suspected({place(c): (3, 10) for c in range(3)})) == [0, 1, 2]


def test_a_row_of_parked_cars_that_come_and_go_each_at_its_time_is_no_jam() -> None:
    row = {place(c): (2 + 2 * c, 12 + 4 * c) for c in range(5)}
    assert columns(suspected(row)) == [0, 1, 2, 3, 4]
    assert columns(suspected(row, passing=range(0, LOOKS, 3))) == [0, 1, 2, 3, 4]


def test_a_row_that_leaves_car_by_car_within_minutes_is_left_to_a_closer_look() -> None:
    row = {place(c): (3, 10 + (c + 1) // 3) for c in range(5)}
    assert suspected(row) == []
    assert suspected(row, passing=range(0, LOOKS, 2)) == []
    assert all(incident.queues for incident in handed_on(row))
    assert columns(handed_on(row)) == [0, 1, 2, 3, 4]


def test_a_queue_in_one_lane_is_none_of_parking_though_the_other_lane_flows() -> None:
    assert suspected({place(c): (3, 10) for c in range(5)}, passing=range(0, LOOKS, 2)) == []


def test_a_row_that_would_clear_at_any_time_were_a_jam(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {place(c): (2 + 2 * c, 12 + 4 * c) for c in range(5)}
    monkeypatch.setattr(jam, "CLEARS_WITHIN_S", 3600.0)
    assert columns(suspected(row)) != [0, 1, 2, 3, 4]


def test_cars_that_stand_from_the_first_look_to_the_last_are_parked() -> None:
    assert columns(suspected({place(c): (0, LOOKS) for c in range(5)})) == [0, 1, 2, 3, 4]


def test_who_drive_off_together_having_come_hours_apart_are_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {place(c): (1 + 14 * c, 62) for c in range(4)}
    assert columns(suspected(row, looks=70)) == [0, 1, 2, 3]
    monkeypatch.setattr(jam, "FORMS_WITHIN_S", 36000.0)
    assert 3 not in columns(suspected(row, looks=70))


def test_a_car_that_stays_when_the_jam_has_cleared_is_parked_from_its_arrival_on() -> None:
    (incident,) = suspected(JAM | {place(5): (3, 20)})
    assert columns([incident]) == [5]
    assert incident.interval.start == START + timedelta(seconds=3 * CADENCE_S)
    assert incident.counted_s(incident.interval) < incident.dwell_s


def test_a_car_that_leaves_soon_after_the_jam_is_not_parked_but_for_the_time_excused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stands = JAM | {place(5): (3, 12)}
    assert suspected(stands) == []
    monkeypatch.setattr(jam, "jams_around", lambda *_: jam.Jams())
    monkeypatch.setattr("detector.judging.parking.jams_around", lambda *_: jam.Jams())
    assert 5 in columns(suspected(stands))


def test_a_car_that_stood_before_the_jam_and_after_it_is_excused_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stands = {box: (first + 3, last + 3) for box, (first, last) in JAM.items()} | {place(5): (3, 17)}
    (incident,) = suspected(stands)
    assert incident.excused == ()
    monkeypatch.setattr(jam, "_outlasts", lambda *_: False)
    assert all(i.excused for i in suspected(stands))


def test_who_stands_beyond_the_longer_limit_is_parked_jam_or_not() -> None:
    looks = int(1800 / CADENCE_S) + 8
    stands = {place(c): (3, looks - 3) for c in range(5)}
    assert columns(suspected(stands, looks=looks)) == [0, 1, 2, 3, 4]


def test_a_jam_that_has_not_cleared_yet_is_waited_for_unless_others_drive_past() -> None:
    assert suspected(GROWING) == []
    assert columns(suspected(GROWING, passing=range(LOOKS))) == [0, 1, 2, 3, 4]


def test_cars_that_came_to_the_kerb_alone_and_stay_are_no_jam_while_the_lanes_are_empty() -> None:
    assert columns(suspected({place(c): (20 + c // 2, LOOKS) for c in range(5)})) == [0, 1, 2, 3, 4]


def test_cars_that_fill_the_lanes_from_the_first_look_to_the_last_are_a_jam() -> None:
    stands = {place(0): (0, LOOKS)} | {place(c, 1): (0, LOOKS) for c in range(4)}
    assert suspected(stands) == []
    assert columns(suspected(stands, passing=range(LOOKS))) == [0]


def test_the_passing_of_others_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jam, "PASSING_SHARE", 1.0)
    assert suspected(GROWING, passing=range(LOOKS)) == []


def test_who_drives_off_while_the_others_still_stand_was_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    stands = {place(5): (3, 8)} | {place(c): (3, 14) for c in range(3)}
    assert 5 in columns(suspected(stands))
    monkeypatch.setattr(jam, "_leaves_before", lambda *_: False)
    assert 5 not in columns(suspected(stands))


def test_cars_in_bays_make_no_jam() -> None:
    assert jam.traffic_of([], [], street(ZoneKind.PARKING_BAY), CADENCE_S).standing == ()
    bays = zone("bays", ZoneKind.PARKING_BAY, ((0.0, 0.2), (1.0, 0.2), (1.0, 0.58), (0.0, 0.58)))
    seen_by = camera_with(*street().zones, bays)
    stands = {place(0): (3, 10)} | {place(c, 1): (3, 10) for c in range(5)}
    assert columns(suspected(stands, seen_by=seen_by)) == [0]
    assert suspected(stands) == []


SPANS = st.tuples(st.integers(0, LOOKS - 1), st.integers(0, LOOKS - 1)).map(lambda pair: tuple(sorted(pair)))


@given(
    spans=st.lists(SPANS, max_size=8),
    passing=st.sets(st.integers(0, LOOKS - 1)),
    between=SPANS,
)
def test_looks_counted_beforehand_tell_what_counting_each_anew_tells(spans, passing, between) -> None:
    def at(i: int) -> datetime:
        return START + timedelta(seconds=i * CADENCE_S)

    def stay(first: int, last: int, box: Box) -> Stay:
        seen = [Sighting(at(i), box, 0.8, "car") for i in sorted({first, last})]
        return Stay("c", LabelGroup.VEHICLE, tuple(seen), None, None)

    stays = [stay(*span, place(i % 6, i // 6)) for i, span in enumerate(spans)]
    stays += [stay(i, i, place(3, 1)) for i in passing]
    traffic = jam.traffic_of(stays, [at(i) for i in range(LOOKS)], street(), CADENCE_S)
    start, end = between
    standing = [span for span in spans if span[0] < span[1]]
    driving = [span[0] for span in spans if span[0] == span[1]] + list(passing)
    full, passed = 0, 0
    for i in range(start, end + 1):
        there = sum(first <= i <= last for first, last in standing)
        full += there / max(1, there + driving.count(i)) >= jam.MOST_SHARE
        passed += i in driving
    count = end - start + 1
    assert jam._most_stand(at(start), at(end), traffic) == (2 * full >= count)
    assert jam._passed(at(start), at(end), traffic) == passed / count


def bike(x: float, y: float = 0.5) -> tuple[str, Box, float]:
    return ("motorcycle", (x, y, x + 0.03, y + 0.06), 0.4)


def waiting(
    crowds: list[int], first: int = 2, last: int = 8, zone_kind: ZoneKind | None = None
) -> list[Incident]:
    """What is suspected of a car that stands at looks [first, last] while crowds of two-wheelers wait around it."""
    seen_by = street(zone_kind) if zone_kind else street()
    observations = []
    for i, crowd in enumerate(crowds):
        jitter = 0.02 * (i % 3)
        things = [bike(0.3 + 0.05 * k % 0.6 + jitter) for k in range(crowd)]
        things += [car(place(0))] if first <= i <= last else []
        observations.append(look(START + timedelta(seconds=i * CADENCE_S), things))
    found = judge(observations, point(seen_by), seen_by, rules()).incidents
    return [i for i in found if i.counted_s(widest(i)) > i.limit_s]


def test_a_car_that_waits_among_two_wheelers_and_leaves_with_them_is_excused() -> None:
    assert waiting([0, 1, 5, 9, 12, 12, 14, 13, 15, 1, 0]) == []


def test_a_car_that_stays_when_the_two_wheelers_have_ridden_on_is_parked() -> None:
    assert len(waiting([0, 1, 5, 9, 12, 14, 1, 0, 1, 0, 1])) == 1


def test_a_car_in_a_steady_flow_of_two_wheelers_is_parked() -> None:
    assert len(waiting([9, 8, 9, 10, 9, 8, 9, 10, 9, 8, 9])) == 1


def test_two_wheelers_parked_on_a_footway_excuse_nobody() -> None:
    assert len(waiting([0, 1, 5, 9, 12, 12, 14, 13, 15, 1, 0], zone_kind=ZoneKind.SIDEWALK)) == 1

"""Stays over sparse looks."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import CADENCE_S, FAR, KERB, START, Thing, car, series

from detector.core.geometry import Box, iou
from detector.core.values import LabelGroup, Observation, Stay
from detector.judging.stays import HIDDEN_S, LOOKS_MISSED, ONE_OBJECT_IOU, find_stays, one_box_each

places = st.sampled_from([KERB, FAR, (0.1, 0.1, 0.2, 0.2), (0.32, 0.41, 0.42, 0.51), (0.5, 0.7, 0.9, 0.95)])
labels = st.sampled_from(["car", "truck", "bus", "person"])


@st.composite
def things(draw: st.DrawFn) -> Thing:
    shake = draw(st.floats(-0.004, 0.004))
    x1, y1, x2, y2 = draw(places)
    return (draw(labels), (x1 + shake, y1, x2 + shake, y2), draw(st.floats(0.25, 0.99)))


scenes = st.lists(st.lists(things(), max_size=4), max_size=14).map(series)


def stays_of(observations: list[Observation]) -> list[Stay]:
    return find_stays(observations, LabelGroup.VEHICLE)


def plain(stays: list[Stay]) -> list[tuple[object, ...]]:
    return [(s.seen, s.box, len(s.sightings), s.absent_before, s.absent_after) for s in stays]


@given(scenes)
def test_judging_twice_gives_the_same(observations: list[Observation]) -> None:
    assert stays_of(observations) == stays_of(observations)


@given(scenes, scenes)
def test_judging_two_halves_gives_what_judging_once_gives_where_no_stay_crosses(
    first: list[Observation], second: list[Observation]
) -> None:
    later = timedelta(days=1)
    second = [
        Observation(o.camera_id, o.at + later, o.recording_id, o.offset_s, o.detections, o.view)
        for o in second
    ]
    between = series([()] * 5, start=START + later / 2)
    whole = stays_of([*first, *between, *second])
    halves = [*stays_of([*first, *between]), *stays_of([*between, *second])]
    assert plain(whole) == plain(halves)


@given(scenes)
def test_every_sighting_belongs_to_one_stay_and_rises(observations: list[Observation]) -> None:
    stays = stays_of(observations)
    for stay in stays:
        moments = [s.at for s in stay.sightings]
        assert all(a < b for a, b in pairwise(moments))
        assert stay.absent_before is None or stay.absent_before < moments[0]
        assert stay.absent_after is None or stay.absent_after > moments[-1]
    kept = sum(len(one_box_each(o.detections.of(LabelGroup.VEHICLE))) for o in observations)
    assert sum(len(s.sightings) for s in stays) == kept


@given(scenes)
def test_of_boxes_on_one_object_the_surest_stays(observations: list[Observation]) -> None:
    for observation in observations:
        found = observation.detections.of(LabelGroup.VEHICLE)
        kept = one_box_each(found)
        boxes: list[Box] = [tuple(b) for b in kept.boxes.tolist()]
        assert all(iou(a, b) < ONE_OBJECT_IOU + 1e-6 for i, a in enumerate(boxes) for b in boxes[:i])
        if len(found):
            assert found.confidences.max() in kept.confidences
        assert one_box_each(kept).labels == kept.labels


def test_an_object_that_stands_is_one_stay() -> None:
    (stay,) = stays_of(series([[], [car()], [car()], [car()], []]))
    assert stay.seen == (START + timedelta(seconds=CADENCE_S), START + timedelta(seconds=3 * CADENCE_S))
    assert stay.absent_before == START
    assert stay.absent_after == START + timedelta(seconds=4 * CADENCE_S)


def test_a_double_box_is_one_object() -> None:
    double = [car(), car((0.301, 0.4, 0.4, 0.501), 0.4, "truck")]
    assert [len(s.sightings) for s in stays_of(series([double] * 4))] == [4]


def test_an_object_whose_label_flips_is_one_stay() -> None:
    flips = [[car(label=label)] for label in ("car", "truck", "car", "bus", "van")]
    (stay,) = stays_of(series(flips))
    assert [s.label for s in stay.sightings] == ["car", "truck", "car", "bus", "van"]


@pytest.mark.parametrize("missed", range(LOOKS_MISSED + 1))
def test_a_few_missed_looks_break_nothing(missed: int) -> None:
    looks = [[car()], [car()], *[[]] * missed, [car()], [car()]]
    assert [len(s.sightings) for s in stays_of(series(looks))] == [4]


def test_more_missed_looks_end_a_stay() -> None:
    looks = [[car()], *[[]] * (LOOKS_MISSED + 1), [car()]]
    first, second = stays_of(series(looks))
    assert first.absent_after == START + timedelta(seconds=CADENCE_S)
    assert second.absent_before == START + timedelta(seconds=(LOOKS_MISSED + 1) * CADENCE_S)


@pytest.mark.parametrize("every_s", [1.0, 5.0, 20.0])
def test_an_object_behind_passers_by_for_90_seconds_is_one_stay_however_dense_the_looks(
    every_s: float,
) -> None:
    hidden = int(90 / every_s)
    passer = ("person", (0.28, 0.3, 0.42, 0.6), 0.9)
    looks = [[car()]] * 5 + [[passer]] * hidden + [[car()]] * 5
    assert len(stays_of(series(looks, every_s=every_s))) == 1


def test_an_object_that_is_gone_for_longer_than_that_is_another() -> None:
    looks = [[car()]] * 3 + [[]] * int(HIDDEN_S / 10 + 2) + [[car()]] * 3
    assert len(stays_of(series(looks, every_s=10.0))) == 2


def test_an_object_that_moves_makes_no_stay() -> None:
    looks = [[car((0.1 * i, 0.4, 0.1 * i + 0.1, 0.5))] for i in range(9)]
    assert all(len(s.sightings) == 1 for s in stays_of(series(looks)))


def test_two_objects_side_by_side_are_two_stays() -> None:
    assert [len(s.sightings) for s in stays_of(series([[car(KERB), car(FAR)]] * 5))] == [5, 5]


def test_people_are_no_vehicles() -> None:
    assert stays_of(series([[("person", KERB, 0.9)]] * 5)) == []


def test_what_the_model_is_less_sure_of_may_be_left_out() -> None:
    observations = series([[car(confidence=0.3)]] * 3)
    assert find_stays(observations, LabelGroup.VEHICLE, min_confidence=0.5) == []


def test_one_odd_box_neither_breaks_nor_moves_a_stay() -> None:
    odd = (0.3, 0.4, 0.43, 0.52)
    (stay,) = stays_of(series([[car()]] * 3 + [[car(odd)]] + [[car()]] * 3))
    assert stay.box == pytest.approx(KERB, abs=1e-6)


def test_no_looks_give_no_stays() -> None:
    assert stays_of([]) == []
    assert len(one_box_each(series([[]])[0].detections)) == 0
    assert np.size(series([[]])[0].detections.boxes) == 0


COACH: Box = (0.2, 0.2, 0.6, 0.6)


def boxes_kept(*found: tuple[Box, float], group: LabelGroup = LabelGroup.VEHICLE) -> list[Box]:
    seen = series([[car(box, confidence) for box, confidence in found]])[0].detections.of(group, faint=True)
    kept = one_box_each(seen, nested=True)
    return [tuple(round(float(v), 3) for v in row) for row in kept.boxes]


def test_a_box_that_holds_a_vehicle_and_the_sign_above_it_is_the_same_vehicle() -> None:
    with_sign = (0.2, 0.05, 0.6, 0.6)
    assert boxes_kept((COACH, 0.7), (with_sign, 0.5)) == [COACH]


def test_a_car_in_front_of_a_coach_is_a_vehicle_of_its_own() -> None:
    car_box = (0.3, 0.45, 0.42, 0.59)
    assert boxes_kept((COACH, 0.8), (car_box, 0.6)) == [COACH, car_box]


def test_a_faint_part_of_a_vehicle_is_no_vehicle_of_its_own() -> None:
    wheel = (0.3, 0.45, 0.42, 0.59)
    assert boxes_kept((COACH, 0.8), (wheel, 0.1)) == [COACH]


def test_a_car_beside_a_car_and_partly_behind_it_stay_two() -> None:
    behind = (0.45, 0.15, 0.85, 0.5)
    assert boxes_kept((COACH, 0.8), (behind, 0.6)) == [COACH, behind]


def test_two_names_of_one_vehicle_support_each_other() -> None:
    seen = series([[car(COACH, 0.4), car(COACH, 0.3, "truck")]])[0].detections
    (confidence,) = one_box_each(seen, nested=True).confidences
    assert confidence == pytest.approx(1 - 0.6 * 0.7)


def test_faint_sightings_make_a_stay_only_where_they_are_asked_for() -> None:
    observations = series([[car(confidence=0.1)]] * 4)
    assert find_stays(observations, LabelGroup.VEHICLE) == []
    (stay,) = find_stays(observations, LabelGroup.VEHICLE, faint=True)
    assert len(stay.sightings) == 4

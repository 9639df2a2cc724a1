"""disorderly_bikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import START, Thing, camera, point, series, zone

from detector.config.rules import CategorySettings, RuleSet, RuleSettings
from detector.core.times import DailyHours
from detector.core.values import Category, Incident, Observation, Violation, Zone, ZoneKind
from detector.judging.judge import judge
from detector.proving.explain import explanation, explanation_zh

LIMIT_S = 1800.0
EVERY_S = 300.0
RULE = RuleSettings(
    Violation.DISORDERLY_BIKES,
    True,
    LIMIT_S,
    (ZoneKind.SIDEWALK, ZoneKind.NO_PARKING),
    exempt_zones=(ZoneKind.PARKING_BAY,),
    min_count=3,
)
FOOTWAY = zone("footway", ZoneKind.SIDEWALK, ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))
BAY = zone("bay", ZoneKind.PARKING_BAY, ((0.0, 0.6), (0.6, 0.6), (0.6, 1.0), (0.0, 1.0)))


def bike(x: float = 0.1, y: float = 0.9, confidence: float = 0.6, label: str = "bicycle") -> Thing:
    return (label, (x, y - 0.1, x + 0.08, y), confidence)


def row(count: int, x: float = 0.1, y: float = 0.9) -> list[Thing]:
    return [bike(x + 0.06 * i, y) for i in range(count)]


def judged(looks: Sequence[Sequence[Thing]], *zones: Zone, rule: RuleSettings = RULE) -> list[Incident]:
    return judged_of(series(looks, every_s=EVERY_S), *zones, rule=rule)


def judged_of(observations: Sequence[Observation], *zones: Zone, rule: RuleSettings = RULE) -> list[Incident]:
    seen_by = camera(*(zones or (FOOTWAY,)))
    rules = RuleSet({Violation.DISORDERLY_BIKES: rule})
    return list(judge(observations, point(seen_by), seen_by, rules).incidents)


def test_bikes_that_stand_together_outside_bays_are_one_incident_over_their_place() -> None:
    (found,) = judged([[], *[row(4)] * 8, []])
    assert (found.violation, found.zone_id) == (Violation.DISORDERLY_BIKES, "footway")
    assert found.box == pytest.approx((0.1, 0.8, 0.36, 0.9))
    assert found.interval.start == START + timedelta(seconds=EVERY_S)
    assert found.interval.duration_s == 7 * EVERY_S
    assert found.stay is not None
    assert found.stay.absent_before == START


def test_the_explanation_counts_the_bikes() -> None:
    (found,) = judged([[], *[row(4)] * 8, []])
    assert explanation(found).startswith("4 bicycles or motorcycles outside the bays: stood 35 min, 100 %")
    assert explanation(found).endswith("limit 30 min")
    assert explanation_zh(found).startswith("停车位外非机动车4辆: 停留35分")


def test_fewer_than_the_number_are_left_alone_and_one_counts_where_that_is_configured() -> None:
    looks = [[], *[row(2)] * 8, []]
    assert not judged(looks)
    assert len(judged(looks, rule=replace(RULE, min_count=2))) == 1
    assert len(judged([[], *[row(1)] * 8, []], rule=replace(RULE, min_count=1))) == 1


def test_bikes_far_apart_do_not_stand_together() -> None:
    looks = [[], *[[bike(0.05), bike(0.45), bike(0.85)]] * 8, []]
    assert not judged(looks)
    assert len(judged(looks, rule=replace(RULE, min_count=1))) == 3


def test_bikes_are_left_alone_in_a_bay_and_not_where_bays_are_not_exempt() -> None:
    looks = [[], *[row(4)] * 8, []]
    assert not judged(looks, FOOTWAY, BAY)
    assert len(judged(looks, FOOTWAY, BAY, rule=replace(RULE, exempt_zones=()))) == 1


def test_only_those_beside_the_bay_are_counted() -> None:
    looks = [[], *[row(9, x=0.3)] * 8, []]
    (found,) = judged(looks, FOOTWAY, BAY)
    assert found.note.startswith("4 ")
    assert found.box is not None
    assert found.box[0] > 0.55


def test_bikes_on_other_ground_are_left_alone() -> None:
    assert not judged([[], *[row(4)] * 8, []], zone("road", ZoneKind.CARRIAGEWAY, FOOTWAY.polygon))
    carriageway = replace(RULE, zones=(ZoneKind.CARRIAGEWAY,))
    looks = [[], *[row(4)] * 8, []]
    assert len(judged(looks, zone("road", ZoneKind.CARRIAGEWAY, FOOTWAY.polygon), rule=carriageway)) == 1


def test_the_limit_is_the_categorys_own() -> None:
    looks = [[], *[row(4)] * 8, []]
    longer = replace(RULE, by_category={Category.ARTERIAL: CategorySettings(dwell_s=3600.0)})
    assert not judged(looks, rule=longer)
    assert not judged(
        looks, rule=replace(RULE, by_category={Category.ARTERIAL: CategorySettings(enabled=False)})
    )
    (found,) = judged(
        looks, rule=replace(RULE, by_category={Category.ARTERIAL: CategorySettings(dwell_s=900.0)})
    )
    assert found.limit_s == 900.0


def test_permitted_hours_are_left_alone() -> None:
    looks = [[], *[row(4)] * 8, []]  # 08:00 to 08:45 in Shanghai
    allowed = replace(FOOTWAY, permitted=(DailyHours.parse("08:00-10:00"),))
    assert not judged(looks, allowed)
    assert len(judged(looks, replace(allowed, permitted=(DailyHours.parse("20:00-22:00"),)))) == 1
    assert not judged(looks, rule=replace(RULE, hours=(DailyHours.parse("20:00-22:00"),)))


def test_riders_who_pass_never_make_a_cluster() -> None:
    looks = [
        [bike(0.05 + 0.11 * (i % 8)), bike(0.12 + 0.11 * (i % 7)), bike(0.2 + 0.09 * (i % 8))]
        for i in range(12)
    ]
    assert not judged(looks)


def test_a_rider_beside_two_standing_bikes_does_not_make_them_three() -> None:
    looks = [row(2) for _ in range(12)]
    looks[5] = [*looks[5], bike(0.24)]
    assert not judged(looks)


def test_a_stretch_ends_where_the_bikes_are_fetched() -> None:
    (found,) = judged([[], *[row(4)] * 8, *[row(1)] * 10])
    assert found.interval.end == START + timedelta(seconds=8 * EVERY_S)


def test_those_left_at_another_place_are_another_incident() -> None:
    assert len(judged([[], *[[*row(3), *row(3, x=0.7)]] * 8, []])) == 2


def test_unsure_detections_do_not_count() -> None:
    looks = [[], *[[bike(0.1 + 0.06 * i, confidence=0.3) for i in range(4)]] * 8, []]
    assert not judged(looks, rule=replace(RULE, min_confidence=0.4))
    assert len(judged(looks)) == 1


@given(st.lists(st.lists(st.integers(0, 4), max_size=2, unique=True), min_size=10, max_size=10))
def test_flicker_does_not_break_a_cluster(missed: list[list[int]]) -> None:
    """Of five bikes any two may be missed at any look."""
    looks = [[b for i, b in enumerate(row(5)) if i not in gone] for gone in missed]
    (found,) = judged([[], *looks, []])
    assert found.interval.duration_s == 9 * EVERY_S


def test_a_box_over_two_packed_bikes_does_not_break_a_cluster() -> None:
    packed: list[Thing] = [("motorcycle", (0.1, 0.8, 0.24, 0.9), 0.5), bike(0.22), bike(0.28)]
    looks = [row(4) if i % 2 else packed for i in range(8)]
    assert len(judged([[], *looks, []])) == 1


def test_a_cluster_hidden_for_some_looks_is_one_incident() -> None:
    assert len(judged([[], *[row(4)] * 4, [], [], *[row(4)] * 4, []])) == 1


@given(st.integers(0, 1000))
def test_the_same_in_another_order_is_judged_the_same(seed: int) -> None:
    looks = [list(row(4)) for _ in range(8)]
    turned = [things[seed % 4 :] + things[: seed % 4] for things in looks]
    assert [i.fingerprint for i in judged(looks)] == [i.fingerprint for i in judged(turned)]


def test_what_stands_shorter_than_the_limit_is_no_suspicion() -> None:
    assert not judged([[], *[row(4)] * 4, []])
    first: datetime = judged([[], *[row(4)] * 8, []])[0].interval.start
    assert first > START

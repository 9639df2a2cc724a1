"""street_vending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import START, Thing, camera, point, series, zone

from detector.config.rules import CategorySettings, RuleSet, RuleSettings
from detector.core.times import DailyHours
from detector.core.values import Category, Incident, LabelGroup, Observation, Violation, Zone, ZoneKind
from detector.decoding.view import packed
from detector.judging.judge import judge
from detector.proving.explain import explanation, explanation_zh

LIMIT_S = 300.0
EVERY_S = 60.0
ALL_THINGS = (LabelGroup.GOODS, LabelGroup.VEHICLE, LabelGroup.BIKE)
RULE = RuleSettings(Violation.STREET_VENDING, True, LIMIT_S, (ZoneKind.NO_VENDING,), things=ALL_THINGS)
STALLS = zone("stalls", ZoneKind.NO_VENDING, ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))
ROAD = zone("road", ZoneKind.CARRIAGEWAY, ((0.0, 0.3), (1.0, 0.3), (1.0, 0.5), (0.0, 0.5)))


def person(x: float = 0.42, y: float = 0.85, tall: float = 0.2) -> Thing:
    return ("person", (x - 0.02, y - tall, x + 0.02, y), 0.7)


def van(x: float = 0.5, y: float = 0.85) -> Thing:
    return ("truck", (x - 0.06, y - 0.2, x + 0.06, y), 0.8)


def table(x: float = 0.47, y: float = 0.86, label: str = "dining table") -> Thing:
    return (label, (x - 0.03, y - 0.08, x + 0.03, y), 0.5)


def umbrella(x: float = 0.42, y: float = 0.85, wide: float = 0.16) -> Thing:
    return ("umbrella", (x - wide / 2, y - 0.3, x + wide / 2, y), 0.5)


def judged(looks: Sequence[Sequence[Thing]], *zones: Zone, rule: RuleSettings = RULE) -> list[Incident]:
    seen_by = camera(*(zones or (STALLS,)))
    rules = RuleSet({Violation.STREET_VENDING: rule})
    return list(judge(series(looks, every_s=EVERY_S), point(seen_by), seen_by, rules).incidents)


def visit(*things: Thing, before: int = 3, there: int = 8, after: int = 5) -> list[list[Thing]]:
    return [[] for _ in range(before)] + [list(things) for _ in range(there)] + [[] for _ in range(after)]


@pytest.mark.parametrize(
    "thing",
    [van(), table(), umbrella(), table(label="chair"), table(label="bench"), ("motorcycle", (0.44, 0.75, 0.52, 0.86), 0.6)],
    ids=lambda thing: thing[0],
)  # fmt: skip
def test_somebody_who_stays_beside_a_thing_that_stays_is_an_incident(thing: Thing) -> None:
    (found,) = judged(visit(thing, person()))
    assert (found.violation, found.zone_id) == (Violation.STREET_VENDING, "stalls")
    assert found.interval.start == START + timedelta(seconds=3 * EVERY_S)
    assert found.interval.duration_s == 7 * EVERY_S


def test_the_incidents_place_is_the_things_for_the_vendor_moves() -> None:
    looks = visit()
    for i in range(3, 11):
        looks[i] = [van(), person(x=0.41 + 0.01 * (i % 3), y=0.85 + 0.02 * (i % 2))]
    (found,) = judged(looks)
    assert found.box == pytest.approx(van()[1])
    assert found.stay is not None
    assert found.stay.group is LabelGroup.VEHICLE
    assert found.stay.absent_before is not None


def test_the_place_of_a_parasol_is_its_canopy() -> None:
    (found,) = judged(visit(umbrella(), person()))
    assert found.box is not None
    assert found.box[3] == pytest.approx(0.55 + 0.55 * 0.3)


def test_a_thing_without_a_person_or_a_person_without_a_thing_is_none() -> None:
    assert not judged(visit(van()))
    assert not judged(visit(table()))
    assert not judged(visit(person()))


def test_walkers_beside_a_standing_van_are_none() -> None:
    looks = visit(van(), there=12)
    for i in range(3, 15):
        looks[i] = [van(), person(x=0.1 + 0.29 * (i % 4))]
    assert not judged(looks)


def test_people_who_wait_without_goods_are_none_however_they_change() -> None:
    looks = [[person(0.3), person(0.4 + 0.02 * (i % 3)), person(0.6)] for i in range(14)]
    assert not judged(looks)


def test_a_traveller_with_a_suitcase_is_none() -> None:
    assert not judged(visit(table(label="suitcase"), person()))


def test_a_carried_umbrella_is_none() -> None:
    assert not judged(visit(umbrella(wide=0.06), person()))


def test_a_short_rest_is_none() -> None:
    assert not judged(visit(table(), person(), there=3))


def test_a_rest_on_a_bench_that_is_always_there_is_none_and_on_one_that_came_along_is() -> None:
    def looks(bench_from: int, bench_until: int, label: str) -> list[list[Thing]]:
        return [
            [
                *([table(label=label)] if bench_from <= i < bench_until else []),
                *([person()] if 8 <= i < 16 else []),
            ]
            for i in range(24)
        ]

    assert not judged(looks(0, 24, "bench"))
    assert not judged(looks(0, 24, "chair"))
    assert judged(looks(8, 16, "bench"))
    assert judged(looks(8, 24, "chair")), "it came with the person, who left it"


def test_a_stall_that_stands_throughout_counts_by_its_vendor_and_a_bench_does_not() -> None:
    assert judged([[table(), person()]] * 10)
    assert not judged([[table(label="bench"), person()]] * 10)


def test_a_parked_car_whose_driver_waits_beside_it_for_a_while_is_none() -> None:
    looks = [[van(), *([person()] if i < 8 else [])] for i in range(30)]
    assert not judged(looks)


def test_a_van_that_halts_where_somebody_always_stands_is_none() -> None:
    """A bus stop, or a picture of a man that the detector takes for one."""
    looks = [[person(), *([van()] if 8 <= i < 18 else [])] for i in range(26)]
    assert not judged(looks)
    assert judged(looks[6:20])


def test_a_vendor_who_is_missed_or_hidden_at_some_looks_is_still_one() -> None:
    looks = visit(van(), person(), there=10)
    looks[5] = [van()]
    looks[8] = [van()]
    (found,) = judged(looks)
    assert "8 of 10 looks" in found.note


def test_out_of_the_zone_is_none() -> None:
    assert not judged(visit(van(y=0.45), person(y=0.45)))
    assert not judged(visit(van(), person()), replace(STALLS, kind=ZoneKind.SIDEWALK))


def test_an_exempt_zone_is_left_alone() -> None:
    market = zone("bay", ZoneKind.PARKING_BAY, STALLS.polygon)
    assert not judged(
        visit(van(), person()), STALLS, market, rule=replace(RULE, exempt_zones=(ZoneKind.PARKING_BAY,))
    )
    assert judged(visit(van(), person()), STALLS, market)


def test_permitted_hours_and_places_are_left_alone() -> None:
    looks = visit(van(), person())  # after 08:00 in Shanghai
    assert not judged(looks, replace(STALLS, permitted=(DailyHours.parse("07:00-09:00"),)))
    assert judged(looks, replace(STALLS, permitted=(DailyHours.parse("18:00-23:30"),)))
    assert not judged(looks, rule=replace(RULE, hours=(DailyHours.parse("18:00-23:30"),)))


def test_a_market_that_goes_on_after_its_hours_is_judged_from_then_on() -> None:
    looks = visit(van(), person(), before=2, there=30)
    (found,) = judged(looks, replace(STALLS, permitted=(DailyHours.parse("07:00-08:10"),)))
    assert found.interval.start == START + timedelta(minutes=10)


def test_the_limit_is_the_categorys_own() -> None:
    looks = visit(van(), person())
    own = {Category.ARTERIAL: CategorySettings(dwell_s=1800.0)}
    assert not judged(looks, rule=replace(RULE, by_category=own))
    off = {Category.ARTERIAL: CategorySettings(enabled=False)}
    assert not judged(looks, rule=replace(RULE, by_category=off))


def test_what_counts_as_a_stall_is_configured() -> None:
    looks = visit(("bicycle", (0.44, 0.75, 0.52, 0.86), 0.6), person())
    assert judged(looks)
    assert not judged(looks, rule=replace(RULE, things=(LabelGroup.GOODS, LabelGroup.VEHICLE)))


def test_all_things_of_one_vendor_are_one_incident() -> None:
    assert len(judged(visit(van(), table(x=0.38), umbrella(), table(x=0.45, label="chair"), person()))) == 1


def test_two_vendors_are_two_incidents() -> None:
    assert len(judged(visit(van(), person(), table(x=0.87), person(0.82)))) == 2


def test_a_mobile_vendor_and_a_fixed_stall_are_told_apart() -> None:
    (wheels,) = judged(visit(van(), person()))
    assert explanation(wheels).startswith(
        "mobile vendor with a vehicle, somebody beside it at 8 of 8 looks: stood 7 min"
    )
    assert explanation_zh(wheels).startswith("流动摊贩(车辆售卖), 8次采样中8次有人守摊: 停留7分")
    (came,) = judged(visit(table(), person()))
    assert came.note.startswith("mobile vendor, came and went")
    (fixed,) = judged([[table(), person()]] * 10)
    assert fixed.note_zh.startswith("占道经营(固定摊位)")


def test_a_stall_away_from_the_carriageway_is_told_to_stand_by_the_shops() -> None:
    (near,) = judged([[table(y=0.62), person(y=0.62)]] * 10, STALLS, ROAD)
    (far,) = judged([[table(y=0.95), person(y=0.95)]] * 10, STALLS, ROAD)
    assert near.note_zh.startswith("占道经营")
    assert far.note_zh.startswith("疑似店外经营")


def test_the_rule_can_be_switched_off() -> None:
    assert not judged(visit(van(), person()), rule=replace(RULE, enabled=False))


@given(st.lists(st.tuples(st.floats(-0.02, 0.02), st.floats(-0.03, 0.03)), min_size=9, max_size=9))
def test_a_vendor_may_move_about_within_half_a_height(steps: list[tuple[float, float]]) -> None:
    looks = [[van(), person(0.42 + dx, 0.85 + dy)] for dx, dy in steps]
    (found,) = judged([[], *looks, []])
    assert found.interval.duration_s == 8 * EVERY_S


@given(st.integers(3, 12), st.integers(0, 5))
def test_a_visit_is_suspected_if_and_only_if_looks_show_it_up_to_a_cadence_of_the_limit(
    there: int, lead: int
) -> None:
    found = judged(visit(van(), person(), before=lead, there=there))
    assert bool(found) == ((there - 1) * EVERY_S + EVERY_S >= LIMIT_S)


def test_customers_who_take_turns_in_one_place_do_not_stand_for_the_vendor() -> None:
    vendor, customer = person(x=0.46), person(x=0.36)
    looks = [[umbrella(), vendor, *([customer] if i in (0, 2, 3, 5) else [])] for i in range(6)]
    (found,) = judged([[], [], [], *looks, [], [], [], [], []])
    assert found.beside is not None
    assert found.beside[0] == pytest.approx(vendor[1][0])
    assert "6 of 6" in found.note


# --- stalls that no label names: kept pictures show that they came or left

GROUND = np.clip(np.random.default_rng(1).normal(140, 4, (360, 640, 3)), 0, 255).astype(np.uint8)
CART = (0.44, 0.70, 0.56, 0.86)
LUGGAGE = (0.44, 0.79, 0.47, 0.86)
VENDOR: Thing = person(x=0.41)


def pictured(
    looks: Sequence[Sequence[Thing]], there: range, box: tuple[float, float, float, float] = CART
) -> list[Observation]:
    """The looks with pictures of bare ground, and of something painted over a box in those looks in which it is there."""
    x1, y1, x2, y2 = (round(v * size) for v, size in zip(box, (640, 360) * 2, strict=True))
    seen = []
    for i, observation in enumerate(series(looks, every_s=EVERY_S)):
        picture = GROUND.copy()
        if i in there:
            picture[y1:y2, x1:x2] = (40, 90, 60)
            picture[y1 : y1 + 12, x1:x2] = (30, 30, 160)
        seen.append(replace(observation, picture=packed(picture)))
    return seen


def judged_pictures(observations: Sequence[Observation], rule: RuleSettings = RULE) -> list[Incident]:
    seen_by = camera(STALLS)
    return list(
        judge(observations, point(seen_by), seen_by, RuleSet({Violation.STREET_VENDING: rule})).incidents
    )


def test_people_who_stay_beside_something_without_a_name_that_came_are_vendors() -> None:
    (found,) = judged_pictures(pictured(visit(VENDOR, there=12), range(3, 15)))
    assert found.violation is Violation.STREET_VENDING
    assert found.box == pytest.approx(CART, abs=0.02)
    assert found.stay is not None
    assert found.stay.absent_before is not None


def test_what_left_with_its_vendor_is_a_stall_although_it_was_there_at_the_first_picture() -> None:
    (found,) = judged_pictures(pictured(visit(VENDOR, before=0, there=12), range(12)))
    assert found.stay is not None
    assert found.stay.absent_before is None
    assert found.stay.absent_after is not None


def test_without_kept_pictures_a_stall_without_a_name_is_not_found() -> None:
    assert not judged(visit(VENDOR, there=12))


def test_something_without_a_name_and_nobody_beside_it_is_no_stall() -> None:
    assert not judged_pictures(pictured(visit(there=12), range(3, 15)))


def test_people_who_stay_where_nothing_came_are_no_vendors() -> None:
    assert not judged_pictures(pictured(visit(VENDOR, there=12), range(0)))
    assert not judged_pictures(pictured(visit(VENDOR, there=12), range(30)))


def test_who_waits_there_before_it_comes_is_not_its_vendor() -> None:
    assert not judged_pictures(pictured([[VENDOR]] * 24, range(8, 16)))


def test_luggage_without_a_name_beside_somebody_is_no_stall() -> None:
    assert not judged_pictures(pictured(visit(VENDOR, there=12), range(3, 15), LUGGAGE))


def test_people_who_pass_something_without_a_name_are_no_vendors() -> None:
    looks = visit(there=12)
    for i in range(3, 15):
        looks[i] = [person(x=0.36 + 0.05 * (i % 5), tall=0.1)]
    assert not judged_pictures(pictured(looks, range(3, 15)))

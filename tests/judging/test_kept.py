"""What was gathered, written as text and read again, is decided as the looks themselves are judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looked_at import template_county
from made_looks import street_looks

from detector.config.rules import RuleSet
from detector.config.settings import Settings
from detector.config.violations import families
from detector.core.times import DailyHours
from detector.core.values import Camera, Category, Observation, Point, Violation, Zone, ZoneKind
from detector.judging import litter as litter_rule
from detector.judging import parking as parking_rule
from detector.judging.judge import (
    Judgement,
    decide,
    gather,
    ground_of,
    judge,
    judge_each,
    least_limit_s,
)
from detector.judging.kept import as_text, from_text

SEEDS = st.integers(0, 10_000)
COUNT = 150
CONTAINER = Zone("container", ZoneKind.BIN, ((0.02, 0.3), (0.08, 0.3), (0.08, 0.45), (0.02, 0.45)))


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return template_county(tmp_path_factory.mktemp("county"))


def made(county: Settings, category: Category, seed: int) -> tuple[Point, Camera, list[Observation]]:
    point = next(point for point in county.points if point.category is category)
    camera = point.cameras[0]
    camera = replace(camera, zones=(*camera.zones, CONTAINER))
    start = datetime(2026, 1, 8, 8, tzinfo=camera.timezone)
    return point, camera, street_looks(camera, start, COUNT, seed, faults=0.2, events=3.0)


def with_limits(rules: RuleSet, factor: float, hours: str) -> RuleSet:
    own = (DailyHours.parse(hours),)
    return RuleSet(
        {
            violation: replace(rule, dwell_s=factor * rule.dwell_s, hours=own, by_category={})
            for violation, rule in rules.rules.items()
        }
    )


def without_queues(judgement: Judgement) -> Judgement:
    """Only a closer look asks for them, so they are not kept."""
    return replace(judgement, incidents=tuple(replace(one, queues=()) for one in judgement.incidents))


@settings(max_examples=8)
@given(
    seed=SEEDS,
    category=st.sampled_from(list(Category)),
    factor=st.sampled_from([0.3, 0.5, 0.7, 1.0, 1.5, 4.0]),
    hours=st.sampled_from(["00:00-24:00", "08:20-09:10", "22:00-09:00"]),
)
def test_other_limits_and_hours_decide_of_what_was_kept_as_of_the_looks(
    county: Settings, seed: int, category: Category, factor: float, hours: str
) -> None:
    point, camera, looks = made(county, category, seed)
    other = with_limits(county.rules, factor, hours)
    assert all(ground_of(other, family) == ground_of(county.rules, family) for family in families())
    text = as_text(gather(looks, point, camera, county.rules), "key")
    least_s = {family: least_limit_s(other, family, point, camera) for family in families()}
    gathered = from_text(text, "key", least_s)
    assert gathered is not None
    judged = judge(looks, point, camera, other)
    assert decide(gathered, point, camera, other) == without_queues(judged)
    # So that a suspicion's fingerprint is the same without its stay.
    assert all(one.interval.start == one.stay.seen[0] for one in judged.incidents if one.stay)


def test_rule_sets_judged_together_are_judged_as_each_alone_and_gather_once_what_they_share(
    county: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    point, camera, looks = made(county, Category.COMMERCIAL_STREET, 3)
    gathered: Counter[str] = Counter()
    for room, name in ((parking_rule, "find_parked"), (litter_rule, "find_lying")):
        monkeypatch.setattr(room, name, counted(gathered, getattr(room, name)))
    shorter = with_limits(county.rules, 0.3, "00:00-24:00")
    parking = shorter.rules[Violation.ILLEGAL_PARKING]
    elsewhere = RuleSet({**shorter.rules, parking.violation: replace(parking, min_share=0.9)})
    sets = [county.rules, shorter, elsewhere]
    together = judge_each(looks, point, camera, sets)
    assert gathered == {"find_parked": 2, "find_lying": 1}
    assert together == [judge(looks, point, camera, rules) for rules in sets]
    assert len({judgement.incidents for judgement in together}) == len(sets)


def counted(calls: Counter[str], inner: Callable[..., object]) -> Callable[..., object]:
    def called(*args: object) -> object:
        calls[inner.__name__] += 1
        return inner(*args)

    return called


def test_the_made_streets_hold_something_of_every_kind(county: Settings) -> None:
    found: Counter[Violation] = Counter()
    jams = 0
    for seed in range(6):
        point, camera, looks = made(county, Category.COMMERCIAL_STREET, seed)
        judgement = judge(looks, point, camera, with_limits(county.rules, 0.3, "00:00-24:00"))
        found += Counter(incident.violation for incident in judgement.incidents)
        jams += sum(bool(incident.excused or incident.queues) for incident in judgement.incidents)
    assert set(found) == set(Violation)
    assert jams


def test_what_was_gathered_of_something_else_is_not_used(county: Settings) -> None:
    point, camera, looks = made(county, Category.INTERSECTION, 1)
    text = as_text(gather(looks[:40], point, camera, county.rules), "one")
    assert from_text(text, "other", dict.fromkeys(families(), 0.0)) is None


@pytest.mark.parametrize("family", families())
def test_another_ground_is_told_and_other_limits_are_none(county: Settings, family: str) -> None:
    rules = county.rules
    changed = RuleSet({v: replace(rule, min_share=0.9) for v, rule in rules.rules.items()})
    without_faults = RuleSet({v: r for v, r in rules.rules.items() if v is not Violation.CAMERA_FAULT})
    assert ground_of(changed, family) != ground_of(rules, family)
    assert ground_of(without_faults, family) != ground_of(rules, family)
    assert ground_of(with_limits(rules, 0.5, "08:00-09:00"), family) == ground_of(rules, family)

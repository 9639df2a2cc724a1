"""When a rule holds, with which limit, and how a day falls into stretches."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.config.rules import (
    ALL_DAY,
    NOT_IN_FORCE,
    CategorySettings,
    RuleSet,
    RuleSettings,
    rules_with_limits,
)
from detector.config.settings import default_rules, load_rules
from detector.core.errors import BadInput
from detector.core.times import DailyHours, local_day
from detector.core.values import Category, Violation, Zone, ZoneKind

SHANGHAI = ZoneInfo("Asia/Shanghai")
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
KERB = Zone("kerb", ZoneKind.NO_PARKING, SQUARE)
NOON = datetime(2026, 1, 8, 12, tzinfo=SHANGHAI)
PARKING = Violation.ILLEGAL_PARKING

MINUTES = st.integers(0, 1439)
HOURS = (
    st.tuples(MINUTES, st.integers(1, 1440)).filter(lambda ab: ab[0] != ab[1]).map(lambda ab: DailyHours(*ab))
)
LIMITS = st.integers(1, 900).map(float)
TIMEZONES = st.sampled_from(
    [
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
    ]
).map(ZoneInfo)


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    def rule(violation: Violation) -> RuleSettings:
        own = st.builds(
            CategorySettings,
            enabled=st.none() | st.booleans(),
            dwell_s=st.none() | LIMITS,
            hours=st.none() | st.lists(HOURS, min_size=1, max_size=2).map(tuple),
        )
        return RuleSettings(
            violation,
            draw(st.integers(0, 4)) > 0,
            draw(LIMITS),
            tuple(draw(st.lists(st.sampled_from(ZoneKind), min_size=1, unique=True))),
            tuple(draw(st.lists(HOURS, min_size=1, max_size=2))),
            by_category=draw(st.dictionaries(st.sampled_from(Category), own, max_size=2)),
        )

    return RuleSet({v: rule(v) for v in (Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING)})


ZONES = st.lists(
    st.builds(
        Zone,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(ZoneKind),
        st.just(SQUARE),
        st.lists(HOURS, max_size=2).map(tuple),
        st.dictionaries(st.sampled_from([Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING]), LIMITS),
    ),
    max_size=3,
    unique_by=lambda zone: zone.id,
)
SPRING_FORWARD, MIDNIGHT_GAP = date(2026, 3, 29), date(2018, 11, 4)


@given(
    rules=rule_sets(),
    category=st.sampled_from(Category),
    zones=ZONES,
    day=st.dates(date(2000, 1, 1), date(2030, 12, 31))
    | st.sampled_from([SPRING_FORWARD, MIDNIGHT_GAP, date(2026, 10, 25)]),
    tz=TIMEZONES,
    shares=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=12),
)
def test_the_stretches_of_a_day_cover_it_and_agree_with_the_limits_at_any_moment(
    rules, category, zones, day, tz, shares
) -> None:
    stretches = rules.shortest_limits(category, zones, day, tz)
    whole = local_day(day, tz)
    start, end = whole.start.astimezone(UTC), whole.end.astimezone(UTC)
    assert (stretches[0][0].start, stretches[-1][0].end) == (start, end)
    assert all(a[0].end == b[0].start and a[1:] != b[1:] for a, b in itertools.pairwise(stretches))
    moments = [min(start + (end - start) * share, end - timedelta(microseconds=1)) for share in shares]
    moments += [s.start for s, _, _ in stretches] + [
        s.end - timedelta(microseconds=1) for s, _, _ in stretches
    ]
    for moment in moments:
        ((limit_s, why),) = [(limit_s, why) for s, limit_s, why in stretches if moment in s]
        asked = {
            f"{violation} in zone {zone.id}": rules.limit_s(violation, category, zone, moment.astimezone(tz))
            for violation in rules.rules
            for zone in zones
        }
        in_force = [asked_s for asked_s in asked.values() if asked_s is not None]
        assert limit_s == min(in_force, default=None)
        assert asked[why] == limit_s if in_force else why == NOT_IN_FORCE


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)]
)
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(day: date, hours: int) -> None:
    rules = RuleSet(
        {PARKING: RuleSettings(PARKING, True, 60.0, (ZoneKind.NO_PARKING,), (DailyHours(60, 240),))}
    )
    stretches = rules.shortest_limits(Category.ARTERIAL, [KERB], day, ZoneInfo("Europe/Berlin"))
    assert sum(s.duration_s for s, _, _ in stretches) == hours * 3600
    assert sum(s.duration_s for s, limit_s, _ in stretches if limit_s) == (hours - 21) * 3600


def test_a_zones_own_limit_goes_before_the_categorys_and_that_before_the_rules() -> None:
    rules = default_rules()
    own = replace(KERB, limits_s={PARKING: 30.0})
    asked = [
        rules.limit_s(PARKING, category, zone, NOON)
        for category, zone in [
            (Category.ARTERIAL, KERB), (Category.INTERSECTION, KERB), (Category.INTERSECTION, own)
        ]
    ]  # fmt: skip
    assert asked == [180.0, 120.0, 30.0]


def test_a_rule_does_not_hold_elsewhere_disabled_at_other_hours_or_where_it_is_permitted() -> None:
    rules = default_rules()
    shops = Category.COMMERCIAL_STREET
    night = NOON.replace(hour=23)
    lunch = replace(KERB, permitted=(DailyHours.parse("11:30-13:00"),), limits_s={PARKING: 5.0})
    disabled = RuleSet({PARKING: replace(rules.rules[PARKING], enabled=False)})
    assert rules.limit_s(PARKING, shops, KERB, NOON) == 180.0
    assert rules.limit_s(PARKING, shops, replace(KERB, kind=ZoneKind.CARRIAGEWAY), NOON) is None
    assert rules.limit_s(PARKING, shops, KERB, night) is None
    assert rules.limit_s(PARKING, shops, lunch, NOON) is None
    assert rules.limit_s(PARKING, shops, lunch, NOON.replace(hour=13)) == 5.0
    assert rules.limit_s(Violation.LITTER, shops, KERB, NOON) is None
    assert rules.limit_s(Violation.CAMERA_FAULT, shops, KERB, NOON) is None
    assert disabled.limit_s(PARKING, shops, KERB, NOON) is None


@given(
    rules=rule_sets(),
    category=st.sampled_from(Category),
    zones=ZONES,
    day=st.dates(date(2018, 1, 1), date(2030, 12, 31)),
    tz=TIMEZONES,
    minute=MINUTES,
    length_min=st.integers(0, 1500),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=12),
)
def test_where_no_hour_can_begin_or_end_between_two_moments_one_limit_holds_at_all_of_them(
    rules, category, zones, day, tz, minute, length_min, shares
) -> None:
    first = local_day(day, tz).start + timedelta(minutes=minute)
    moments = [(first + share * timedelta(minutes=length_min)).astimezone(tz) for share in (0, *shares, 1)]
    for zone, violation in itertools.product(zones, rules.rules):
        in_force = rules.in_force(violation, category, zone)
        limits = {rules.limit_s(violation, category, zone, moment) for moment in moments}
        if in_force is None:
            assert limits == {None}
        elif not in_force.may_change(moments[0], moments[-1]):
            assert limits == {in_force.limit_at(moments[0])}


def test_no_hour_is_asked_of_a_stay_between_the_hours_ends() -> None:
    rule = RuleSettings(PARKING, True, 180.0, (ZoneKind.NO_PARKING,), (DailyHours.parse("07:30-19:00"),))
    in_force = RuleSet({PARKING: rule}).in_force(PARKING, Category.ARTERIAL, KERB)
    assert in_force is not None
    assert not in_force.may_change(NOON, NOON + timedelta(hours=6))
    assert in_force.may_change(NOON, NOON + timedelta(hours=7))
    assert in_force.may_change(NOON, NOON + timedelta(hours=24))


def test_a_version_follows_the_content_and_not_the_layout_of_the_file(tmp_path: Path) -> None:
    texts = [
        "illegal_parking: {dwell_s: 60}\ncamera_fault: {enabled: true}\n",
        "# the same\ncamera_fault:\n  enabled: true\nillegal_parking:\n  zones: [no_parking]\n  dwell_s: 60.0\n",
        "illegal_parking: {dwell_s: 61}\n",
    ]
    versions = []
    for i, text in enumerate(texts):
        (tmp_path / f"{i}.yaml").write_text(text, encoding="utf-8")
        versions.append(load_rules(tmp_path / f"{i}.yaml").version)
    assert versions[0] == versions[1] != versions[2]
    assert default_rules().version == default_rules().version


@given(rules=rule_sets(), category=st.sampled_from(Category), minute=MINUTES, dwell_s=LIMITS)
def test_on_trial_a_named_violation_holds_always_and_no_other_does(rules, category, minute, dwell_s) -> None:
    local = NOON.replace(hour=minute // 60, minute=minute % 60)
    trial = rules_with_limits(rules, {"illegal_parking": {"dwell_s": dwell_s}, "litter": {"dwell_s": 8}})
    for kind in ZoneKind:
        zone = Zone("z", kind, SQUARE)
        expected = dwell_s if kind in rules.rules[PARKING].zones else None
        assert trial.limit_s(PARKING, category, zone, local) == expected
        assert trial.limit_s(Violation.SIDEWALK_PARKING, category, zone, local) is None


def test_on_trial_camera_faults_are_still_reported() -> None:
    trial = rules_with_limits(default_rules(), {})
    assert [violation for violation, rule in trial.rules.items() if rule.enabled] == [Violation.CAMERA_FAULT]
    assert trial.rules[PARKING].hours == ALL_DAY


def test_an_unknown_violation_on_trial_is_refused_with_a_suggestion() -> None:
    with pytest.raises(
        BadInput, match=r"unknown violation 'illegal_parkin'; did you mean 'illegal_parking'\?"
    ):
        rules_with_limits(default_rules(), {"illegal_parkin": {"dwell_s": 3}})

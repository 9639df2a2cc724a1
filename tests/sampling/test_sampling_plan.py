"""The sampling plan and its guarantee."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.times import Interval
from detector.sampling.plan import (
    IDLE_CADENCE_S,
    LOOKS_PER_LIMIT,
    Cadence,
    Stretch,
    cadence_for,
    looks,
    looks_at,
)

START = datetime(2026, 1, 8, tzinfo=UTC)
limits_s = st.one_of(st.integers(3, 7200).map(float), st.floats(3, 7200))
starts = st.integers(0, 86_400_000_000).map(lambda us: START + timedelta(microseconds=us))


def period(start: datetime, length_s: float) -> Interval:
    return Interval(start, start + timedelta(seconds=length_s))


@given(limits_s)
def test_a_picture_is_taken_at_least_three_times_a_limit(limit_s: float) -> None:
    cadence = cadence_for(limit_s)
    assert cadence.every_s + cadence.tolerance_s <= limit_s / LOOKS_PER_LIMIT + 1e-9
    assert 0 < cadence.every_s <= IDLE_CADENCE_S


def test_a_camera_without_a_rule_is_looked_at_every_ten_minutes() -> None:
    assert cadence_for(None).every_s == IDLE_CADENCE_S == 600.0


@pytest.mark.parametrize("limit_s", [0.0, -5.0])
def test_a_limit_must_be_above_0(limit_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        cadence_for(limit_s)


@given(starts, limits_s, st.floats(1, 20))
def test_a_plan_covers_its_period(start: datetime, limit_s: float, times: float) -> None:
    whole = period(start, limit_s * times)
    cadence = cadence_for(limit_s)
    moments = [look.at for look in looks_at(whole, cadence)]
    assert all(moment in whole for moment in moments)
    ends = [whole.start, *moments, whole.end]
    assert all((b - a).total_seconds() <= cadence.every_s + 2e-6 for a, b in pairwise(ends))


@given(starts, limits_s, st.floats(0, 2), st.lists(st.floats(0, 1), min_size=64, max_size=64))
def test_a_stay_as_long_as_the_limit_is_seen_three_times_however_early_the_pictures(
    start: datetime, limit_s: float, begins: float, early: list[float]
) -> None:
    plan = list(looks_at(period(start, limit_s * 4), cadence_for(limit_s)))
    stay = period(start + timedelta(seconds=begins * limit_s), math.ceil(limit_s * 1e6) / 1e6 + 1e-6)
    pictures = [
        look.at - timedelta(seconds=look.tolerance_s * early[i % len(early)]) for i, look in enumerate(plan)
    ]
    assert sum(picture in stay for picture in pictures) >= LOOKS_PER_LIMIT


@given(starts, limits_s, st.integers(0, 40), st.integers(-1, 1))
def test_a_period_cut_in_two_gives_the_same_moments(
    start: datetime, limit_s: float, which: int, off_us: int
) -> None:
    whole, cadence = period(start, limit_s * 8), cadence_for(limit_s)
    moments = list(looks_at(whole, cadence))
    cut = moments[which % len(moments)].at + timedelta(microseconds=off_us)
    if cut not in whole or cut == whole.start:
        return
    halves = Interval(whole.start, cut), Interval(cut, whole.end)
    assert [look for half in halves for look in looks_at(half, cadence)] == moments


@given(starts, st.floats(1e-3, 700))
def test_moments_rise(start: datetime, every_s: float) -> None:
    moments = [look.at for look in looks_at(period(start, every_s * 20), Cadence(every_s, 0.0))]
    assert all(a < b for a, b in pairwise(moments))


def test_each_stretch_has_its_own_cadence() -> None:
    noon = START + timedelta(hours=12)
    plan = list(
        looks(
            [
                Stretch(Interval(START, noon), 180.0, "illegal_parking in zone kerb"),
                Stretch(Interval(noon, noon + timedelta(hours=12)), None, "no rule in force"),
            ]
        )
    )
    before = [look for look in plan if look.at < noon]
    after = [look for look in plan if look.at >= noon]
    assert len(before) in (12 * 3600 // 56, 12 * 3600 // 56 + 1)
    assert len(after) == 12 * 3600 / 600
    assert {look.tolerance_s for look in before} == {4.0}
    assert after[0].tolerance_s == 40.0


@pytest.mark.parametrize(("limit_s", "tolerance_s"), [(30, 1), (60, 2), (120, 4), (180, 4), (600, 40 / 3)])
def test_a_picture_may_be_so_early_that_a_keyframe_serves(limit_s: float, tolerance_s: float) -> None:
    cadence = cadence_for(limit_s)
    assert cadence.tolerance_s == pytest.approx(tolerance_s)
    assert cadence.every_s == pytest.approx(limit_s / LOOKS_PER_LIMIT - tolerance_s)


@given(starts, limits_s, limits_s, st.floats(0.01, 3))
def test_no_two_looks_across_a_seam_are_further_apart_than_the_wider_cadence(
    start: datetime, first_s: float, second_s: float, lasts: float
) -> None:
    seam = start + timedelta(seconds=first_s * 4)
    end = seam + timedelta(seconds=second_s * lasts)
    stretches = [Stretch(Interval(start, seam), first_s, ""), Stretch(Interval(seam, end), second_s, "")]
    moments = [look.at for look in looks(stretches)]
    widest_s = max(cadence_for(first_s).every_s, cadence_for(second_s).every_s)
    assert all(a < b for a, b in pairwise(moments))
    assert all((b - a).total_seconds() <= widest_s + 1e-5 for a, b in pairwise(moments))

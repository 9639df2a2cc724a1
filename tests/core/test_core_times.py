"""Intervals, local days and daily hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.times import DAY_S, DailyHours, Interval, days_of, local_day, subtract, union

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 1, 8, tzinfo=UTC)
CLOCKS_FORWARD, CLOCKS_BACK = date(2026, 3, 29), date(2026, 10, 25)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    start_s, length_s = draw(st.integers(0, 60)), draw(st.integers(1, 30))
    start = START + timedelta(seconds=start_s)
    return Interval(start, start + timedelta(seconds=length_s))


def seconds(parts: list[Interval]) -> set[int]:
    """The whole seconds that the parts hold."""
    return {s for s in range(100) if any(START + timedelta(seconds=s) in part for part in parts)}


def hours(text: str) -> DailyHours:
    return DailyHours.parse(text)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-08T{clock}").replace(tzinfo=SHANGHAI)


def test_an_interval_is_kept_in_utc() -> None:
    interval = Interval(at("08:00"), at("09:00"))
    assert interval.start.tzinfo is UTC
    assert interval.start == datetime(2026, 1, 8, 0, tzinfo=UTC)


def test_the_hour_that_clocks_skip_is_not_counted() -> None:
    start = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN)
    assert Interval(start, start.replace(hour=3)).duration_s == 3600


def test_the_hour_that_clocks_repeat_is_counted_twice() -> None:
    start = datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)
    assert Interval(start, start.replace(hour=3)).duration_s == 3 * 3600


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Interval(START.replace(tzinfo=None), START)


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="end after it starts"):
        Interval(START, START)


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    interval = Interval(START, START + timedelta(seconds=1))
    assert interval.start in interval
    assert interval.end not in interval


@given(intervals(), intervals())
def test_intervals_overlap_exactly_where_they_intersect(a: Interval, b: Interval) -> None:
    assert a.overlaps(b) == b.overlaps(a) == (a.intersection(b) is not None)
    assert a.intersection(b) == b.intersection(a)


@given(st.lists(intervals(), max_size=6))
def test_a_union_holds_the_same_time_in_parts_that_do_not_touch(parts: list[Interval]) -> None:
    joined = union(parts)
    assert seconds(joined) == seconds(parts)
    assert all(a.end < b.start for a, b in pairwise(joined))
    assert union(joined) == joined


@given(st.lists(intervals(), max_size=6), st.integers(0, 20))
def test_a_union_leaves_only_gaps_above_what_it_may_join(parts: list[Interval], gap_s: int) -> None:
    joined = union(parts, join_gap_s=gap_s)
    assert seconds(parts) <= seconds(joined)
    assert all((b.start - a.end).total_seconds() > gap_s for a, b in pairwise(joined))


@given(intervals(), st.lists(intervals(), max_size=6))
def test_what_is_left_and_what_was_taken_make_the_whole(whole: Interval, parts: list[Interval]) -> None:
    left = subtract(whole, parts)
    assert seconds(left) == seconds([whole]) - seconds(parts)
    taken = [shared for part in parts if (shared := part.intersection(whole))]
    assert union([*left, *taken]) == [whole]


@pytest.mark.parametrize(
    ("day", "zone", "length_h"),
    [
        (date(2026, 1, 8), SHANGHAI, 24),
        (date(2026, 1, 8), BERLIN, 24),
        (CLOCKS_FORWARD, BERLIN, 23),
        (CLOCKS_BACK, BERLIN, 25),
    ],
)
def test_a_local_day_is_as_long_as_its_clock_makes_it(day: date, zone: ZoneInfo, length_h: int) -> None:
    assert local_day(day, zone).duration_s == length_h * 3600


@given(st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.integers(0, 86_399), st.integers(1, 4 * int(DAY_S)))
def test_the_days_of_a_period_are_those_it_touches(day: date, start_s: int, length_s: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=start_s)
    period = Interval(start, start + timedelta(seconds=length_s))
    days = list(days_of(period, BERLIN))
    assert days == sorted(set(days))
    assert all(local_day(d, BERLIN).overlaps(period) for d in days)
    assert not subtract(period, [local_day(d, BERLIN) for d in days])


def test_hours_over_midnight_hold_late_and_early_but_not_between() -> None:
    night = hours("22:00-06:00")
    assert [night.holds_at(at(clock)) for clock in ("21:59", "22:00", "23:59", "00:00", "05:59", "06:00")] == [
        False, True, True, True, True, False,
    ]  # fmt: skip


def test_the_whole_day_holds_at_every_minute() -> None:
    whole = hours("00:00-24:00")
    assert all(whole.holds_at(at("00:00") + timedelta(minutes=m)) for m in range(1440))


@given(st.integers(0, 1439), st.integers(1, 1439))
def test_hours_and_their_complement_share_the_day(a: int, b: int) -> None:
    if a == b:
        return
    these, others = DailyHours(a, b), DailyHours(b, a or 1440)
    midnight = at("00:00")
    for minute in {a, b, (a - 1) % 1440, (b - 1) % 1440, 0, 1439}:
        moment = midnight + timedelta(minutes=minute)
        assert these.holds_at(moment) != others.holds_at(moment)


@given(st.integers(0, 1439), st.integers(1, 1440))
def test_hours_written_and_read_are_the_same(a: int, b: int) -> None:
    if a != b:
        assert DailyHours.parse(str(DailyHours(a, b))) == DailyHours(a, b)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8-9",
        "08:00",
        "08:00-08:00",
        "25:00-26:00",
        "08:60-09:00",
        "08:00-24:30",
        "24:00-06:00",
        "a:b-c:d",
    ],
)
def test_what_are_not_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hours"):
        DailyHours.parse(text)

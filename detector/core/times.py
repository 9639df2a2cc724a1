"""Intervals of aware datetimes, and hours of the day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY_S = 86_400.0


def utc_now() -> datetime:
    """The moment, in UTC. What takes a `now` takes this one unless a test gives another."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open stretch of time, [start, end), kept in UTC; never empty.

    Raises ValueError where an end is naive or does not lie after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            if self.start.utcoffset() is None or self.end.utcoffset() is None:
                raise ValueError(f"an interval needs aware datetimes, got {self.start} and {self.end}")
            # Python subtracts two datetimes of one zone by the wall clock, an hour wrong where clocks change.
            object.__setattr__(self, "start", self.start.astimezone(UTC))
            object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.end <= self.start:
            raise ValueError(f"an interval must end after it starts, got {self.start} and {self.end}")

    @property
    def duration_s(self) -> float:
        return (self.end - self.start).total_seconds()

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end

    def intersection(self, other: Interval) -> Interval | None:
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None


def union(intervals: Iterable[Interval], *, join_gap_s: float = 0.0) -> list[Interval]:
    """The same time in as few intervals as possible, in order; gaps up to `join_gap_s` are closed."""
    joined: list[Interval] = []
    for interval in sorted(intervals):
        if joined and (interval.start - joined[-1].end).total_seconds() <= join_gap_s:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, interval.end))
        else:
            joined.append(interval)
    return joined


def subtract(whole: Interval, parts: Iterable[Interval]) -> list[Interval]:
    """What of `whole` none of `parts` covers, in order."""
    left: list[Interval] = []
    cursor = whole.start
    for part in union(parts):
        if part.start > cursor and cursor < whole.end:
            left.append(Interval(cursor, min(part.start, whole.end)))
        cursor = max(cursor, part.end)
    if cursor < whole.end:
        left.append(Interval(cursor, whole.end))
    return left


def local_day(day: date, zone: tzinfo) -> Interval:
    """The day from local midnight to the next; 23 or 25 hours long where clocks change."""
    return Interval(
        datetime.combine(day, time(), zone), datetime.combine(day + timedelta(days=1), time(), zone)
    )


def days_of(period: Interval, zone: tzinfo) -> Iterator[date]:
    """The local days that a period touches, in order."""
    day = period.start.astimezone(zone).date()
    while datetime.combine(day, time(), zone) < period.end:
        yield day
        day += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DailyHours:
    """Hours of every day in local time, [from_min, until_min) minutes after midnight.

    `until_min` below `from_min` runs over midnight; 0 to 1440 is the whole day.
    """

    from_min: int
    until_min: int

    def __post_init__(self) -> None:
        if not (0 <= self.from_min < 1440 and 0 < self.until_min <= 1440 and self.from_min != self.until_min):
            raise ValueError(f"hours must lie within 00:00-24:00 and differ, got {self}")

    @classmethod
    def parse(cls, text: str) -> DailyHours:
        """'07:30-19:00', '22:00-06:00' or '00:00-24:00'. Raises ValueError with what is wrong."""
        try:
            start, end = (_minutes(part) for part in text.split("-"))
        except ValueError as error:
            raise ValueError(f"{text!r} is not hours such as '07:30-19:00'") from error
        return cls(start, end)

    def holds_at(self, local: datetime) -> bool:
        minute = local.hour * 60 + local.minute
        if self.from_min < self.until_min:
            return self.from_min <= minute < self.until_min
        return minute >= self.from_min or minute < self.until_min

    def __str__(self) -> str:
        return "-".join(f"{m // 60:02d}:{m % 60:02d}" for m in (self.from_min, self.until_min))


def _minutes(clock: str) -> int:
    hours, minutes = clock.strip().split(":")
    if not (len(minutes) == 2 and int(minutes) < 60 and 0 <= int(hours) <= 24):
        raise ValueError(clock)
    return int(hours) * 60 + int(minutes)

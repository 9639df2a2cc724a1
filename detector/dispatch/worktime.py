"""Working time: how much of it lies between two moments, and which moment lies so much of it away. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from detector.config.loop import Calendar, Duty
from detector.core.errors import BadInput
from detector.core.times import DailyHours, Interval, union

FURTHEST_DAYS = 1100
"""Nobody has longer."""


@dataclass(frozen=True, slots=True)
class WorkTime:
    """The hours that count for one kind of issue, in one time zone."""

    calendar: Calendar
    duties: Sequence[Duty]
    zone: tzinfo

    def after(self, start: datetime, hours: float) -> datetime:
        """The moment at which so many working hours have gone by since `start`. Raises BadInput where none ever do."""
        left_s = hours * 3600.0
        for span in self._from(start):
            if span.duration_s >= left_s:
                return span.start + timedelta(seconds=left_s)
            left_s -= span.duration_s
        raise BadInput("the calendar has no working hours to put a deadline into (calendar.yaml)")

    def before(self, end: datetime, hours: float) -> datetime:
        """The latest moment from which so many working hours go by until `end`."""
        left_s = hours * 3600.0
        for span in self._back_from(end):
            if span.duration_s >= left_s:
                return span.end - timedelta(seconds=left_s)
            left_s -= span.duration_s
        raise BadInput("the calendar has no working hours to count back (calendar.yaml)")

    def between_h(self, start: datetime, end: datetime) -> float:
        """How many working hours lie between two moments; 0 where the end does not come after the start."""
        if end <= start:
            return 0.0
        whole = Interval(start, end)
        days = (end.astimezone(self.zone).date() - start.astimezone(self.zone).date()).days
        first = start.astimezone(self.zone).date() - timedelta(days=1)
        spans = union(span for k in range(days + 2) for span in self.spans(first + timedelta(days=k)))
        shared = (span.intersection(whole) for span in spans)
        return sum(part.duration_s for part in shared if part) / 3600.0

    def unknown_year(self, start: datetime, end: datetime) -> int | None:
        """The first year between two moments whose holidays the calendar does not know."""
        first, last = (at.astimezone(self.zone).date() for at in (start, end))
        return self.calendar.unknown_year(first, last)

    def spans(self, day: date) -> list[Interval]:
        """The working time that begins on a local day, in order; it may run over midnight."""
        worked = self.calendar.is_worked(day)
        hours = list(self.calendar.hours) if worked else []
        hours += [h for duty in self.duties if worked or duty.every_day for h in duty.hours]
        return union(_on(day, one, self.zone) for one in hours)

    def _from(self, start: datetime) -> Iterator[Interval]:
        """Working time from a moment on, in order, without overlaps."""
        day, reached = start.astimezone(self.zone).date() - timedelta(days=1), start
        for k in range(FURTHEST_DAYS):
            for span in self.spans(day + timedelta(days=k)):
                if span.end > reached:
                    yield Interval(max(span.start, reached), span.end)
                    reached = span.end

    def _back_from(self, end: datetime) -> Iterator[Interval]:
        day, reached = end.astimezone(self.zone).date(), end
        for k in range(FURTHEST_DAYS):
            for span in reversed(self.spans(day - timedelta(days=k))):
                if span.start < reached:
                    yield Interval(span.start, min(span.end, reached))
                    reached = span.start


def _on(day: date, hours: DailyHours, zone: tzinfo) -> Interval:
    until = day if hours.from_min < hours.until_min else day + timedelta(days=1)
    return Interval(_moment(day, hours.from_min, zone), _moment(until, hours.until_min, zone))


def _moment(day: date, minutes: int, zone: tzinfo) -> datetime:
    """Wall time of a local day; 24:00 is the next day's midnight."""
    days, rest = divmod(minutes, 1440)
    return datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), zone)

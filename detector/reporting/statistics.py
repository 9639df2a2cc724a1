"""What became of the issues of a period: by department, point, violation and day. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from detector.core.times import Interval
from detector.issues import State
from detector.reporting.rows import LedgerRow, Named, Standing


@dataclass(frozen=True, slots=True)
class Tally:
    """How many issues of one kind. Merged ones count as `merged` and nowhere else: they are others' doubles.

    `dispatched` counts what was given to a department and not withdrawn; `on_time`, `late`, `overdue` and `open` are the
    parts of it that have a deadline, by the deadline in force.
    """

    of: Named
    found: int = 0
    confirmed: int = 0
    rejected: int = 0
    waiting: int = 0
    """Not reviewed yet."""
    withdrawn: int = 0
    merged: int = 0
    dispatched: int = 0
    put_right: int = 0
    """Reported rectified, or closed."""
    closed: int = 0
    on_time: int = 0
    late: int = 0
    overdue: int = 0
    open: int = 0
    reopened: int = 0
    """Issues that were sent back once or more."""

    @property
    def precision(self) -> float | None:
        """Which part of what reviewers decided they confirmed, in [0, 1]; None where nothing was decided."""
        return _share(self.confirmed, self.confirmed + self.rejected)

    @property
    def rectification_rate(self) -> float | None:
        """Which part of what was dispatched is put right (整改率), in [0, 1]; None where nothing was."""
        return _share(self.put_right, self.dispatched)

    @property
    def on_time_rate(self) -> float | None:
        """Which part of what is put right or overdue was put right in time (按期整改率); None where nothing is."""
        return _share(self.on_time, self.on_time + self.late + self.overdue)

    def to_json(self) -> dict[str, Any]:
        counts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "of"}
        rates = {
            "precision": self.precision,
            "rectification_rate": self.rectification_rate,
            "on_time_rate": self.on_time_rate,
        }
        return {
            **self.of.to_json(),
            **counts,
            **{name: None if rate is None else round(rate, 4) for name, rate in rates.items()},
        }


@dataclass(frozen=True, slots=True)
class Statistics:
    """The issues that began in a period, as they stood at one moment."""

    period: Interval
    at: datetime
    total: Tally
    by_department: tuple[Tally, ...]
    by_point: tuple[Tally, ...]
    by_violation: tuple[Tally, ...]
    by_day: tuple[Tally, ...]

    def to_json(self) -> dict[str, Any]:
        zone = self.at.tzinfo
        return {
            "from": self.period.start.astimezone(zone).isoformat(),
            "until": self.period.end.astimezone(zone).isoformat(),
            "at": self.at.isoformat(timespec="seconds"),
            "total": self.total.to_json(),
            "by_department": [tally.to_json() for tally in self.by_department],
            "by_point": [tally.to_json() for tally in self.by_point],
            "by_violation": [tally.to_json() for tally in self.by_violation],
            "by_day": [tally.to_json() for tally in self.by_day],
        }


def statistics(rows: Iterable[LedgerRow], period: Interval, at: datetime) -> Statistics:
    """The figures of the rows that began in the period. Every breakdown adds up to the total.

    `at` is now, in the time zone of the rows.
    """
    inside = [row for row in rows if row.start in period]
    return Statistics(
        period,
        at,
        tally(Named("", "合计", "total"), inside, at),
        _broken_down(inside, lambda row: row.department, at),
        _broken_down(inside, lambda row: row.point, at),
        _broken_down(
            inside, lambda row: Named(row.violation, row.violation_name.zh, row.violation_name.en), at
        ),
        _broken_down(inside, lambda row: _day(row.start.date()), at),
    )


def tally(of: Named, rows: Sequence[LedgerRow], at: datetime) -> Tally:
    """The figures of these rows."""
    own = [row for row in rows if row.state is not State.MERGED]
    standings = [row.standing(at) for row in own]
    return Tally(
        of,
        found=len(own),
        confirmed=sum(row.was_confirmed for row in own),
        rejected=sum(row.state is State.REJECTED for row in own),
        waiting=sum(row.state is State.FLAGGED for row in own),
        withdrawn=sum(row.state is State.WITHDRAWN for row in own),
        merged=len(rows) - len(own),
        dispatched=sum(row.was_dispatched for row in own),
        put_right=sum(row.is_put_right for row in own),
        closed=sum(row.state is State.CLOSED for row in own),
        on_time=standings.count(Standing.ON_TIME),
        late=standings.count(Standing.LATE),
        overdue=standings.count(Standing.OVERDUE),
        open=standings.count(Standing.OPEN),
        reopened=sum(row.reopened > 0 for row in own),
    )


def _broken_down(
    rows: Sequence[LedgerRow], kind: Callable[[LedgerRow], Named], at: datetime
) -> tuple[Tally, ...]:
    """A tally a kind, in order of their ids; what has none comes last."""
    groups: dict[Named, list[LedgerRow]] = defaultdict(list)
    for row in rows:
        groups[kind(row)].append(row)
    ordered = sorted(groups, key=lambda named: (named.id == "", named.id))
    return tuple(tally(named, groups[named], at) for named in ordered)


def _day(day: date) -> Named:
    return Named(day.isoformat(), f"{day.month}月{day.day}日", day.isoformat())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None

"""Where an issue goes and until when it must be put right, by the tables. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from detector.config.loop import LoopSettings
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.values import Point, Violation
from detector.dispatch.worktime import WorkTime
from detector.issues.values import Issue

LOOK_AHEAD = timedelta(days=45)
"""So long before a year that the calendar lacks comes into play, it is asked for: the notice is out by then."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the tables make of one issue that is dispatched now."""

    issue_id: int
    department: str
    assisting: tuple[str, ...]
    grid: str
    """The grid unit that is told, whoever leads."""
    due_at: datetime
    warning: str | None
    """What is doubtful about it: a year without holidays in the calendar."""

    def to_json(self) -> dict[str, Any]:
        return {
            "issue": self.issue_id,
            "department": self.department,
            "assisting": list(self.assisting),
            "grid": self.grid,
            "due_at": self.due_at.isoformat(),
            "warning": self.warning,
        }


def loop_of(settings: Settings) -> LoopSettings:
    """Raises BadInput where the working folder has no tables for the closed loop."""
    if settings.loop is None:
        raise BadInput(
            f"{settings.folder} has no routing.yaml, deadlines.yaml and calendar.yaml; "
            "`kerbwatch init` writes examples"
        )
    return settings.loop


def work_time(settings: Settings, violation: Violation, point: Point) -> WorkTime:
    """The hours that count for a violation at a point: the office's, and peak duty."""
    loop = loop_of(settings)
    duties = [duty for duty in loop.duties if duty.match.holds(violation, point)]
    return WorkTime(loop.calendar, duties, settings.timezone)


def calendar_warning(settings: Settings, at: datetime) -> tuple[str, str] | None:
    """What the calendar lacks of the days into which a deadline can fall that is set in the next weeks, in English and
    Chinese; or None.

    Told when the configuration is looked at, long enough before the first deadline that it would make wrong.
    """
    if settings.loop is None:
        return None
    working = WorkTime(settings.loop.calendar, (), settings.timezone)
    longest = max(limit.working_h for limit in settings.loop.limits)
    year = working.unknown_year(at, working.after(at + LOOK_AHEAD, longest))
    if year is None:
        return None
    return (
        f"{_unknown(year)}: add them when the State Council's notice is out, or deadlines will be counted by the week",
        f"calendar.yaml 缺少{year}年节假日安排，请按国务院通知补充，否则期限只按星期计算",
    )


def _unknown(year: int) -> str:
    return f"calendar.yaml has no holidays of {year}"


def assignment(settings: Settings, issue: Issue, at: datetime) -> Assignment:
    """Where an issue goes that is dispatched at a moment, and until when.

    Raises BadInput where the tables say nothing, which loading them would have told but for a rule switched off.
    """
    loop, point = loop_of(settings), settings.point(issue.point_id)
    route = loop.route(issue.violation, point)
    hours = loop.working_h(issue.violation, point)
    if route is None or hours is None:
        missing = "routing.yaml: no route" if route is None else "deadlines.yaml: no limit"
        raise BadInput(f"{missing} for {issue.violation} at {point.category} point {point.id}")
    working = work_time(settings, issue.violation, point)
    due_at = working.after(at, hours)
    year = working.unknown_year(at, due_at)
    warning = f"{_unknown(year)}; its days were counted by the week" if year else None
    return Assignment(issue.id, route.lead, route.assisting, point.grid, due_at, warning)

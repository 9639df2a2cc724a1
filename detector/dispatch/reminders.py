"""Who is to be reminded now: before a deadline, at it, and, one level up, after it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detector.config.settings import Settings
from detector.dispatch.routing import loop_of, work_time
from detector.dispatch.worktime import WorkTime
from detector.issues.values import AWAITING_ANSWER, Issue

OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Reminder:
    """One message about one deadline; the same kind is sent once for a deadline."""

    issue_id: int
    due_at: datetime
    kind: str
    """'before 1 h', 'overdue' or 'escalate 8 h', in working hours."""
    to: str
    """The department that it goes to."""

    @property
    def escalates(self) -> bool:
        return self.kind.startswith("escalate")

    def to_json(self) -> dict[str, Any]:
        return {
            "issue": self.issue_id,
            "due_at": self.due_at.isoformat(),
            "kind": self.kind,
            "to": self.to,
        }


def owed(settings: Settings, issue: Issue, at: datetime) -> Iterator[Reminder]:
    """What should have been sent about an issue by now. Once it is late, it is not announced that it will be."""
    if issue.state not in AWAITING_ANSWER or issue.due_at is None or issue.department is None:
        return
    loop, working, due_at = loop_of(settings), _work_time(settings, issue), issue.due_at
    if at < due_at:
        for hours in loop.remind_before_h:
            if working.before(due_at, hours) <= at:
                yield Reminder(issue.id, due_at, f"before {hours:g} h", issue.department)
        return
    yield Reminder(issue.id, due_at, OVERDUE, issue.department)
    for hours in loop.escalate_after_h:
        if working.after(due_at, hours) <= at:
            yield Reminder(issue.id, due_at, f"escalate {hours:g} h", loop.escalate_to)


def _work_time(settings: Settings, issue: Issue) -> WorkTime:
    """The hours that count for an issue; those of the office alone where its point is not configured any more."""
    point = next((point for point in settings.points if point.id == issue.point_id), None)
    if point is None:
        return WorkTime(loop_of(settings).calendar, (), settings.timezone)
    return work_time(settings, issue.violation, point)

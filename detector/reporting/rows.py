"""Issues as papers tell them: names instead of ids, local times, and what became of each by its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.values import Category, Violation
from detector.issues import REJECT_REASONS, HistoryRow, Issue, IssueQueue, State

NO_DEPARTMENT = ""
"""The id under which issues stand that no department has been given yet."""

AFTER_DISPATCH = frozenset({State.DISPATCHED, State.RECTIFIED, State.CLOSED, State.REOPENED})


class Standing(StrEnum):
    """How a dispatched issue stands against its deadline."""

    NONE = "none"
    """Not dispatched, or without a deadline."""
    OPEN = "open"
    """Not put right yet, and the deadline lies ahead."""
    ON_TIME = "on_time"
    OVERDUE = "overdue"
    """Not put right, and the deadline is past."""
    LATE = "late"
    """Put right after the deadline."""


@dataclass(frozen=True, slots=True)
class Named:
    """An id, and what it is called in Chinese and English."""

    id: str
    zh: str
    en: str

    def to_json(self) -> dict[str, str]:
        return {"id": self.id, "name": self.zh, "name_en": self.en}


UNASSIGNED = Named(NO_DEPARTMENT, "未分派", "not assigned")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One issue as papers tell it. Every moment is local time of the working folder."""

    number: int
    public_id: str
    state: State
    violation: Violation
    violation_name: Named
    """Its id is the code of the city-management platform."""
    point: Named
    category: Category | None
    """None for a point that is no longer configured."""
    grid: str
    camera_id: str
    zone_id: str | None
    start: datetime
    end: datetime
    limit_s: float
    explanation: Named
    evidence_folder: str
    department: Named = UNASSIGNED
    assisting: tuple[Named, ...] = ()
    order: str = ""
    """The number of the order that dispatched it."""
    filed_at: datetime | None = None
    confirmed_at: datetime | None = None
    dispatched_at: datetime | None = None
    due_at: datetime | None = None
    rectified_at: datetime | None = None
    closed_at: datetime | None = None
    reopened_at: datetime | None = None
    reopened: int = 0
    """How many times it was sent back."""
    recurrence: int = 0
    """How many issues of the kind came before it in the same place, within the configured days."""
    reason: Named | None = None
    """Why it was rejected."""
    seen_s: float | None = None
    """For how long it was seen, where recordings are missing in between; None where that is all of its time."""

    @property
    def stood_s(self) -> float:
        """For how long it was seen."""
        return self.duration_s if self.seen_s is None else self.seen_s

    @property
    def duration_s(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def was_confirmed(self) -> bool:
        """Confirmed, and not taken back since."""
        if self.state in (State.FLAGGED, State.REJECTED):
            return False
        return self.state in AFTER_DISPATCH or self.state is State.CONFIRMED or self.confirmed_at is not None

    @property
    def was_dispatched(self) -> bool:
        """Given to a department, and not withdrawn since."""
        return self.state in AFTER_DISPATCH

    @property
    def is_put_right(self) -> bool:
        return self.state in (State.RECTIFIED, State.CLOSED)

    def standing(self, now: datetime) -> Standing:
        """Against the deadline in force: an issue that was sent back has a new one."""
        if self.state not in AFTER_DISPATCH or self.due_at is None:
            return Standing.NONE
        if not self.is_put_right:
            return Standing.OVERDUE if now > self.due_at else Standing.OPEN
        done = self.rectified_at or self.closed_at
        return Standing.LATE if done is not None and done > self.due_at else Standing.ON_TIME

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Plain values for programs; times with their offset, durations in seconds."""
        return {
            "id": self.number,
            "public_id": self.public_id,
            "state": self.state.value,
            "state_zh": self.state.zh,
            "violation": self.violation.value,
            "code": self.violation_name.id,
            "violation_zh": self.violation_name.zh,
            "violation_en": self.violation_name.en,
            "point": self.point.to_json(),
            "category": self.category.value if self.category else None,
            "grid": self.grid,
            "camera": self.camera_id,
            "zone": self.zone_id,
            "start": _iso(self.start),
            "end": _iso(self.end),
            "duration_s": self.duration_s,
            "seen_s": self.stood_s,
            "limit_s": self.limit_s,
            "department": self.department.to_json() if self.department.id else None,
            "assisting": [one.to_json() for one in self.assisting],
            "order": self.order or None,
            "filed_at": _iso(self.filed_at),
            "confirmed_at": _iso(self.confirmed_at),
            "dispatched_at": _iso(self.dispatched_at),
            "due_at": _iso(self.due_at),
            "rectified_at": _iso(self.rectified_at),
            "closed_at": _iso(self.closed_at),
            "reopened_at": _iso(self.reopened_at),
            "standing": self.standing(now).value,
            "reopened": self.reopened,
            "recurrence": self.recurrence,
            "rejected_because": self.reason.id if self.reason else None,
            "explanation_zh": self.explanation.zh,
            "explanation_en": self.explanation.en,
            "evidence_folder": self.evidence_folder,
        }


def ledger_rows(queue: IssueQueue, settings: Settings, issues: Sequence[Issue]) -> list[LedgerRow]:
    """Issues as papers tell them, in the given order."""
    histories = queue.histories([issue.id for issue in issues])
    numbers = {order.id: order.number for order in queue.orders()} if issues else {}
    return [
        row_of(issue, histories.get(issue.id, ()), settings, order=numbers.get(issue.order_id or 0, ""))
        for issue in issues
    ]


def row_of(issue: Issue, history: Sequence[HistoryRow], settings: Settings, *, order: str = "") -> LedgerRow:
    """An issue with names from the settings. A point or department that is no longer configured keeps its id."""
    point, category, grid = _point(issue.point_id, settings)
    code = settings.codes[issue.violation]

    def local(at: datetime | None) -> datetime | None:
        return at.astimezone(settings.timezone) if at else None

    return LedgerRow(
        number=issue.id,
        public_id=issue.public_id,
        state=issue.state,
        violation=issue.violation,
        violation_name=Named(code.code, code.name, code.name_en),
        point=point,
        category=category,
        grid=issue.grid or grid,
        camera_id=issue.camera_id,
        zone_id=issue.zone_id,
        start=issue.interval.start.astimezone(settings.timezone),
        end=issue.interval.end.astimezone(settings.timezone),
        seen_s=issue.seen_s if issue.seen else None,
        limit_s=issue.limit_s,
        explanation=Named("", issue.explanation_zh, issue.explanation),
        evidence_folder=issue.evidence_folder,
        department=department_of(issue.department, settings),
        assisting=tuple(department_of(one, settings) for one in issue.assisting),
        order=order,
        filed_at=local(issue.filed_at),
        confirmed_at=local(_last(history, "confirm")),
        dispatched_at=local(issue.dispatched_at),
        due_at=local(issue.due_at),
        rectified_at=local(issue.rectified_at),
        closed_at=local(issue.closed_at),
        reopened_at=local(_last(history, "reopen")),
        reopened=sum(row.move == "reopen" for row in history),
        recurrence=issue.recurrence or 0,
        reason=_reason(history) if issue.state is State.REJECTED else None,
    )


def _point(point_id: str, settings: Settings) -> tuple[Named, Category | None, str]:
    try:
        point = settings.point(point_id)
    except BadInput:
        return Named(point_id, point_id, point_id), None, ""
    return Named(point.id, point.name, point.name_en), point.category, point.grid


def department_of(department_id: str | None, settings: Settings) -> Named:
    if not department_id:
        return UNASSIGNED
    known = settings.departments.get(department_id)
    if known is None:
        return Named(department_id, department_id, department_id)
    return Named(known.id, known.name, known.name_en)


def _last(history: Sequence[HistoryRow], move: str) -> datetime | None:
    """When a move was made last."""
    return max((row.at for row in history if row.move == move), default=None)


def _reason(history: Sequence[HistoryRow]) -> Named | None:
    given = [row.reason for row in history if row.move == "reject" and row.reason]
    if not given:
        return None
    known = REJECT_REASONS.get(given[-1])
    return Named(given[-1], known.zh, known.en) if known else Named(given[-1], given[-1], given[-1])


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None

"""What pages and programs read of the queue in bulk: lists to work through, claims, the neighbours of an issue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select

from detector.core.geometry import is_same_place
from detector.database import Database, schema
from detector.issues.lifecycle import State
from detector.issues.rows import conditions, issue_of
from detector.issues.values import Issue, IssueFilter

ALIKE_WITHIN = timedelta(hours=24)
"""Issues of one place that began so near to each other may be looked at as one."""


class DeckOrder(StrEnum):
    """In which order issues are worked through."""

    PLACE = "place"
    """One camera after the other, so that the eye stays in one scene."""
    NEWEST = "newest"
    OLDEST = "oldest"
    CERTAIN = "certain"


@dataclass(frozen=True, slots=True)
class DeckEntry:
    """One issue of a list to work through."""

    public_id: str
    id: int
    version: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has an issue in hand, and until when. The departments are those that may know of the issue."""

    public_id: str
    id: int
    who: str
    until: datetime
    departments: tuple[str, ...]


class IssueReader:
    """Reads the queue. `now` gives aware datetimes. Safe to share between threads."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def deck(
        self, wanted: IssueFilter, order: DeckOrder, limit: int, *, uncertain_below: float = 0.0
    ) -> list[DeckEntry]:
        """The issues of a filter in working order, at most `limit`; those less certain than `uncertain_below` last."""
        issues = schema.issues.c
        query = (
            select(issues.public_id, issues.id, issues.version)
            .where(*conditions(wanted, self._now()))
            .order_by(issues.confidence < uncertain_below, *_deck_ordering(order))
            .limit(limit)
        )
        with self._database.read() as connection:
            return [DeckEntry(*row) for row in connection.execute(query)]

    def urgent(self, wanted: IssueFilter, limit: int) -> list[Issue]:
        """The issues of a filter by their deadline, those without one last and the oldest of them first."""
        issues = schema.issues.c
        query = (
            select(schema.issues)
            .where(*conditions(wanted, self._now()))
            .order_by(issues.due_at.is_(None), issues.due_at, issues.start, issues.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [issue_of(row) for row in connection.execute(query).mappings()]

    def claims(self) -> list[Claim]:
        """Every claim that holds now."""
        issues = schema.issues.c
        query = select(schema.issues).where(issues.claimed_until > self._now()).order_by(issues.id)
        with self._database.read() as connection:
            return [_claim_of(issue_of(row)) for row in connection.execute(query).mappings()]

    def before(
        self, issue: Issue, days: int, limit: int, department: str | None = None
    ) -> tuple[list[Issue], int]:
        """Earlier issues of the same violation and zone, newest first and at most `limit`; and how many there are.

        Those that were rejected are among them, for they say what is usual here. Of one department only, if named.
        """
        issues = schema.issues.c
        own = IssueFilter(departments=(department,) if department else ())
        here = (
            *conditions(own, self._now()),
            issues.camera_id == issue.camera_id,
            issues.violation == issue.violation,
            issues.zone_id.is_not_distinct_from(issue.zone_id),
            issues.start < issue.interval.start,
            issues.start >= issue.interval.start - timedelta(days=days),
        )
        newest = (
            select(schema.issues).where(*here).order_by(issues.start.desc(), issues.id.desc()).limit(limit)
        )
        with self._database.read() as connection:
            rows = [issue_of(row) for row in connection.execute(newest).mappings()]
            count = connection.scalar(select(func.count()).select_from(schema.issues).where(*here)) or 0
        return rows, count

    def alike(self, issue: Issue, limit: int) -> list[Issue]:
        """Other issues to review of the same violation and place that began within a day: likely one object."""
        issues = schema.issues.c
        query = select(schema.issues).where(
            issues.camera_id == issue.camera_id,
            issues.violation == issue.violation,
            issues.zone_id.is_not_distinct_from(issue.zone_id),
            issues.state == State.FLAGGED,
            issues.id != issue.id,
            issues.start.between(issue.interval.start - ALIKE_WITHIN, issue.interval.start + ALIKE_WITHIN),
        )
        with self._database.read() as connection:
            near = [
                issue_of(row)
                for row in connection.execute(query.order_by(issues.start).limit(200)).mappings()
            ]
        return [other for other in near if is_same_place(issue.box, other.box)][:limit]


def _claim_of(issue: Issue) -> Claim:
    assert issue.claimed_by is not None
    assert issue.claimed_until is not None
    departments = (issue.department,) if issue.department else ()
    return Claim(
        issue.public_id, issue.id, issue.claimed_by, issue.claimed_until, (*departments, *issue.assisting)
    )


def _deck_ordering(order: DeckOrder) -> tuple[ColumnElement[object], ...]:
    issues = schema.issues.c
    return {
        DeckOrder.PLACE: (issues.camera_id.asc(), issues.start.asc(), issues.id.asc()),
        DeckOrder.NEWEST: (issues.start.desc(), issues.id.desc()),
        DeckOrder.OLDEST: (issues.start.asc(), issues.id.asc()),
        DeckOrder.CERTAIN: (issues.confidence.desc(), issues.id.desc()),
    }[order]

"""Dispatch orders: one department, one number, never twice for one object. Works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection, insert, select

from detector.database import schema
from detector.issues import duplicates, moving
from detector.issues.errors import SuspectedDuplicate
from detector.issues.lifecycle import State
from detector.issues.moving import Step
from detector.issues.rows import issue_of
from detector.issues.values import Issue, NewAttachment, Order

_OUT = (State.DISPATCHED, State.RECTIFIED, State.CLOSED, State.REOPENED)
"""An order for it is out, or was."""

_DOES_NOT_COUNT = (State.REJECTED, State.MERGED, State.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Who must put an issue right, who helps, who is told, and until when."""

    issue_id: int
    department: str
    due_at: datetime
    day: str
    """The local day of the order, 20260108, for its number."""
    assisting: tuple[str, ...] = ()
    grid: str | None = None
    recurrence: int | None = None
    seen_version: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A department's answer to one issue; `key` tells it from others, so that it is taken in once."""

    issue_id: int
    seen_version: int
    text: str
    key: str
    attachments: tuple[NewAttachment, ...] = ()


def refuse_duplicates(connection: Connection, issues: Sequence[Issue]) -> None:
    """Raises SuspectedDuplicate where two orders would go out for one object."""
    together = {issue.id for issue in issues}
    for issue_id, other_id in duplicates.suspected(connection, together):
        if other_id in together or moving.load(connection, other_id).state in _OUT:
            raise SuspectedDuplicate(issue_id, other_id)


def dispatch(
    connection: Connection,
    taken: Sequence[tuple[Assigned, Issue]],
    step: Step,
    at: datetime,
    *,
    one_order_each: bool,
) -> list[Order]:
    """An order for each department, or for each issue, and the move of each issue."""

    def group(pair: tuple[Assigned, Issue]) -> tuple[str, int]:
        return pair[0].department, pair[1].id if one_order_each else 0

    return [
        _order(connection, list(pairs), step, at) for _, pairs in groupby(sorted(taken, key=group), key=group)
    ]


def _order(
    connection: Connection, taken: Sequence[tuple[Assigned, Issue]], step: Step, at: datetime
) -> Order:
    first = taken[0][0]
    due_at = min(one.due_at for one, _ in taken)
    number = _next_number(connection, first.day)
    values = {
        "number": number,
        "department": first.department,
        "issued_at": at,
        "issued_by": step.who,
        "due_at": due_at,
        "note": step.note,
    }
    order_id = int(
        connection.execute(insert(schema.orders).values(values).returning(schema.orders.c.id)).scalar_one()
    )
    for one, issue in taken:
        sets = {
            "department": one.department,
            "assisting": one.assisting,
            "grid": one.grid,
            "due_at": one.due_at,
            "order_id": order_id,
            "recurrence": one.recurrence,
        }
        move = replace(step, sets=sets, details={**step.details, "order": number})
        moving.make_move(connection, issue, "dispatch", move, at)
        connection.execute(insert(schema.order_issues).values(order_id=order_id, issue_id=issue.id))
    ids = tuple(issue.id for _, issue in taken)
    return Order(order_id, number, first.department, at, step.who, due_at, step.note, ids)


def _next_number(connection: Connection, day: str) -> str:
    """JB-20260108-001 and so on; the queue's lock is held, so that no two orders get one number."""
    prefix = f"JB-{day}-"
    numbers = connection.scalars(
        select(schema.orders.c.number).where(schema.orders.c.number.startswith(prefix, autoescape=True))
    )
    last = max((int(number.removeprefix(prefix)) for number in numbers), default=0)
    return f"{prefix}{last + 1:03d}"


def orders(
    connection: Connection,
    *,
    number: str | None = None,
    department: str | None = None,
    limit: int | None = None,
) -> list[Order]:
    """Newest first."""
    table, parts = schema.orders, schema.order_issues
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if number is not None:
        query = query.where(table.c.number == number)
    if department is not None:
        query = query.where(table.c.department == department)
    rows = list(connection.execute(query).mappings())
    of: dict[int, list[int]] = {}
    if rows:
        lowest, highest = rows[-1]["id"], rows[0]["id"]
        chosen = select(parts).where(parts.c.order_id.between(lowest, highest)).order_by(parts.c.issue_id)
        for part in connection.execute(chosen):
            of.setdefault(part.order_id, []).append(part.issue_id)
    return [Order(**row, issue_ids=tuple(of.get(row["id"], ()))) for row in rows]


def earlier_here(connection: Connection, issue: Issue, days: int) -> list[Issue]:
    """Earlier issues of the same violation in the same zone, that began at most so many days before, newest first."""
    issues = schema.issues.c
    query = select(schema.issues).where(
        issues.camera_id == issue.camera_id,
        issues.violation == issue.violation,
        issues.zone_id.is_not_distinct_from(issue.zone_id),
        issues.id != issue.id,
        issues.state.not_in(_DOES_NOT_COUNT),
        issues.start < issue.interval.start,
        issues.start >= issue.interval.start - timedelta(days=days),
    )
    return [issue_of(row) for row in connection.execute(query.order_by(issues.start.desc())).mappings()]

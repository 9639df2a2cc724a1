"""Rows of the database as values, and filters as conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, RowMapping, and_, or_

from detector.core.times import Interval
from detector.core.values import Violation
from detector.database import schema
from detector.database.types import has_word
from detector.issues.lifecycle import State
from detector.issues.values import (
    AWAITING_ANSWER,
    Attachment,
    AttachmentKind,
    Issue,
    IssueFilter,
    IssueOrder,
    Outcome,
    Verdict,
)


def issue_of(row: RowMapping) -> Issue:
    values = dict(row)
    values["interval"] = Interval(values.pop("start"), values.pop("end"))
    values["state"] = State(values["state"])
    values["violation"] = Violation(values["violation"])
    values["box"] = tuple(values["box"]) if values["box"] else None
    values["seen"] = stretches_of(values["seen"])
    return Issue(**values)


def stretches_of(stored: Sequence[tuple[str, str]] | None) -> tuple[Interval, ...] | None:
    """Stretches as the database keeps them, as intervals."""
    if not stored:
        return None
    return tuple(
        Interval(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in stored
    )


def stretches_row(stretches: Sequence[Interval]) -> list[list[str]] | None:
    """The reverse; None for one stretch."""
    if len(stretches) < 2:
        return None
    return [[moment.astimezone(UTC).isoformat() for moment in (s.start, s.end)] for s in stretches]


def attachment_of(row: RowMapping) -> Attachment:
    return Attachment(**dict(row) | {"kind": AttachmentKind(row["kind"])})


def verdict_of(row: RowMapping) -> Verdict:
    values = dict(row)
    values["interval"] = Interval(values.pop("start"), values.pop("end"))
    values["violation"] = Violation(values["violation"])
    values["outcome"] = Outcome(values["outcome"])
    return Verdict(**values)


def conditions(
    wanted: IssueFilter, now: datetime, order: IssueOrder = IssueOrder.NEWEST
) -> Iterator[ColumnElement[bool]]:
    issues = schema.issues.c
    chosen = (
        (issues.state, wanted.states),
        (issues.violation, wanted.violations),
        (issues.point_id, wanted.points),
        (issues.camera_id, wanted.cameras),
    )
    for column, values in chosen:
        if values:
            yield column.in_(values)
    if wanted.period is not None:
        yield issues.start < wanted.period.end
        yield issues.end > wanted.period.start
    if wanted.claimed_by is not None:
        yield issues.claimed_by == wanted.claimed_by
        yield issues.claimed_until > now
    yield from _of_the_loop(wanted, now)
    if wanted.after is not None:
        start, number = wanted.after
        if order is IssueOrder.OLDEST:
            yield issues.start >= start
            yield or_(issues.start > start, issues.id > number)
        else:
            yield issues.start <= start
            yield or_(issues.start < start, issues.id < number)


def _routed(wanted: IssueFilter) -> Iterator[ColumnElement[bool]]:
    issues, points = schema.issues.c, defaultdict[Violation, list[str]](list)
    for violation, point in wanted.routed:
        points[violation].append(point)
    for violation, there in points.items():
        yield and_(issues.department.is_(None), issues.violation == violation, issues.point_id.in_(there))


def _of_the_loop(wanted: IssueFilter, now: datetime) -> Iterator[ColumnElement[bool]]:
    issues = schema.issues.c
    if wanted.departments:
        own = [has_word(issues.assisting, name) for name in wanted.departments]
        yield or_(issues.department.in_(wanted.departments), *own, *_routed(wanted))
    if wanted.confidence is not None:
        yield issues.confidence.between(*wanted.confidence)
    due = now if wanted.overdue else wanted.due_before
    if due is not None:
        yield issues.state.in_(AWAITING_ANSWER)
        yield issues.due_at < due
    if wanted.order_id is not None:
        yield issues.order_id == wanted.order_id
    if not wanted.merged:
        yield issues.merged_into.is_(None)


def sorting(order: IssueOrder) -> tuple[ColumnElement[object], ...]:
    """Ends with the number, so that pages never show an issue twice."""
    issues = schema.issues.c
    if order is IssueOrder.OLDEST:
        return issues.start.asc(), issues.id.asc()
    if order is IssueOrder.LAST_FILED:
        return (issues.id.desc(),)
    return issues.start.desc(), issues.id.desc()

"""One object, two issues: who is suspected of being whom. Works inside the caller's transaction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, insert, or_, select

from detector.core.geometry import is_same_place
from detector.core.values import Violation
from detector.database import schema
from detector.issues.lifecycle import State
from detector.issues.rows import issue_of
from detector.issues.values import Issue, Link, LinkKind

SAME_TIMES_S = 120.0
"""Two cameras that see one object see it come and go at most so far apart: clocks differ, and corners hide."""

PARKING = frozenset({Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING})
"""A car half on the footway may be told as either."""

_SET_ASIDE = (State.REJECTED, State.MERGED, State.WITHDRAWN)


def link_suspects(connection: Connection, issue: Issue, who: str, at: datetime) -> None:
    """Links an issue with those at its point that may be about the same object."""
    known = {tuple(sorted((link.issue_id, link.other_id))) for link in links_of(connection, [issue.id])}
    rows = [
        {"issue_id": max(pair), "other_id": min(pair), "kind": LinkKind.DUPLICATE, "who": who, "at": at}
        for other in _near(connection, issue)
        if may_be_one(issue, other) and (pair := tuple(sorted((issue.id, other.id)))) not in known
    ]
    if rows:
        connection.execute(insert(schema.issue_links), rows)


def _near(connection: Connection, issue: Issue) -> Iterator[Issue]:
    issues = schema.issues.c
    query = select(schema.issues).where(
        issues.point_id == issue.point_id,
        issues.id != issue.id,
        issues.state.not_in(_SET_ASIDE),
        issues.violation.in_(PARKING if issue.violation in PARKING else [issue.violation]),
        issues.start < issue.interval.end + timedelta(seconds=SAME_TIMES_S),
        issues.end > issue.interval.start - timedelta(seconds=SAME_TIMES_S),
    )
    return map(issue_of, connection.execute(query.order_by(issues.id)).mappings())


def may_be_one(a: Issue, b: Issue) -> bool:
    """Whether two issues of one point may be about one object: by its place in one camera's picture, by the times
    at which it came and went in two cameras'. A fault is always a camera's own.
    """
    if a.violation is Violation.CAMERA_FAULT or not a.interval.overlaps(b.interval):
        return False
    if a.camera_id == b.camera_id:
        return a.box is not None and is_same_place(a.box, b.box)
    return _agree(
        a.interval.start, b.interval.start, a.start_uncertainty_s, b.start_uncertainty_s
    ) and _agree(a.interval.end, b.interval.end, a.end_uncertainty_s, b.end_uncertainty_s)


def _agree(a: datetime, b: datetime, a_uncertainty_s: float, b_uncertainty_s: float) -> bool:
    allowed = SAME_TIMES_S + a_uncertainty_s + b_uncertainty_s
    return math.isinf(allowed) or abs((a - b).total_seconds()) <= allowed


def links_of(connection: Connection, issue_ids: Iterable[int]) -> list[Link]:
    """Every link that one of the issues has, to whichever side."""
    table, wanted = schema.issue_links, list(issue_ids)
    query = select(table).where(or_(table.c.issue_id.in_(wanted), table.c.other_id.in_(wanted)))
    rows = connection.execute(query.order_by(table.c.at, table.c.issue_id, table.c.other_id)).mappings()
    return [Link(**dict(row) | {"kind": LinkKind(row["kind"])}) for row in rows]


def add_link(
    connection: Connection, issue_id: int, other_id: int, kind: LinkKind, who: str, at: datetime
) -> None:
    """Links two issues, the later one first; a link that is there stays as it is."""
    later, earlier = max(issue_id, other_id), min(issue_id, other_id)
    table = schema.issue_links
    same = and_(table.c.issue_id == later, table.c.other_id == earlier, table.c.kind == kind)
    if connection.execute(select(table).where(same)).first() is None:
        connection.execute(insert(table).values(issue_id=later, other_id=earlier, kind=kind, who=who, at=at))


def suspected(connection: Connection, issue_ids: Iterable[int]) -> list[tuple[int, int]]:
    """Pairs that are suspected of being one, and that nobody has told apart; the issue asked about comes first."""
    wanted = list(issue_ids)
    links = links_of(connection, wanted)
    told_apart = {(link.issue_id, link.other_id) for link in links if link.kind is LinkKind.DISTINCT}
    pairs = [
        (link.issue_id, link.other_id)
        for link in links
        if link.kind is LinkKind.DUPLICATE and (link.issue_id, link.other_id) not in told_apart
    ]
    return [pair if pair[0] in wanted else (pair[1], pair[0]) for pair in pairs]

"""One move of one issue, and what hangs on it. Each function works inside the caller's transaction, which holds the
queue's lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from detector.core.errors import BadInput
from detector.database import schema
from detector.issues import events, history
from detector.issues.errors import ClaimedByOther, StaleIssue, UnknownIssue
from detector.issues.lifecycle import State, target_of
from detector.issues.rows import issue_of
from detector.issues.values import Issue, NewAttachment

LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does to an issue, beside the name of the move."""

    who: str
    reason: str | None = None
    note: str | None = None
    sets: Mapping[str, Any] = field(default_factory=dict)
    """Columns of `history.SETTABLE` and their new values."""
    attachments: Sequence[NewAttachment] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """More for the row of history, as JSON."""


def load(connection: Connection, issue_id: int, *, lock: bool = False) -> Issue:
    """Raises UnknownIssue."""
    if not 0 < issue_id <= LARGEST_ID:
        raise UnknownIssue(issue_id)
    query = select(schema.issues).where(schema.issues.c.id == issue_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise UnknownIssue(issue_id)
    return issue_of(row)


def refuse_stale(issue: Issue, seen_version: int | None) -> None:
    if seen_version is not None and seen_version != issue.version:
        raise StaleIssue(issue.id, seen_version, issue.version)


def refuse_claimed(issue: Issue, who: str, at: datetime) -> None:
    if issue.claimed_by in (None, who) or issue.claimed_until is None or issue.claimed_until <= at:
        return
    raise ClaimedByOther(issue.id, issue.claimed_by or "", issue.claimed_until)


def make_move(connection: Connection, issue: Issue, move: str, step: Step, at: datetime) -> Issue:
    """Makes one move of the lifecycle, and ends the claim. Raises StaleIssue, IllegalMove, ReasonNeeded."""
    target = target_of(issue.state, move, step.reason, step.note)
    sets = {**_own_sets(issue, move, at), **step.sets}
    return leave_row(connection, issue, move, target, replace(step, sets=sets), at)


def _own_sets(issue: Issue, move: str, at: datetime) -> Mapping[str, Any]:
    """What a move says of an issue by itself."""
    told: Mapping[str, Mapping[str, Any]] = {
        "dispatch": {"dispatched_at": at},
        "rectify": {"rectified_at": at},
        "close": {"closed_at": at},
        "reopen": {"rectified_at": None, "closed_at": None},
        "recall": {"department": None, "assisting": (), "due_at": None},
        "reconsider": {} if issue.merged_into is None else {"merged_into": None},
    }
    return told.get(move, {})


def leave_row(
    connection: Connection, issue: Issue, move: str, target: State, step: Step, at: datetime
) -> Issue:
    """Changes an issue by compare-and-set, with its row of history, its attachments and its event.

    The target may be the state that it is in: that something was done is then all that is kept. Raises StaleIssue.
    """
    unclaimed = {"claimed_by": None, "claimed_until": None} if target != issue.state else {}
    _compare_and_set(connection, issue, {"state": target, "updated_at": at, **unclaimed, **step.sets})
    _attach(connection, issue, step, at)
    details = dict(step.details)
    if step.sets:
        details["sets"] = {name: history.settable_json(value) for name, value in step.sets.items()}
    if step.attachments:
        details["attachments"] = [[a.name, a.sha256, a.size_bytes] for a in step.attachments]
    history.append(
        connection,
        issue_id=issue.id,
        version=issue.version + 1,
        who=step.who,
        at=at,
        move=move,
        from_state=issue.state,
        to_state=target,
        reason=step.reason,
        note=step.note,
        details=details,
    )
    moved = load(connection, issue.id)
    events.announce(connection, moved, move, step.who, at, reason=step.reason, note=step.note)
    return moved


def _compare_and_set(connection: Connection, seen: Issue, values: Mapping[str, Any]) -> None:
    issues = schema.issues.c
    moved = (
        update(schema.issues)
        .where(issues.id == seen.id, issues.version == seen.version)
        .values(version=seen.version + 1, **values)
    )
    if connection.execute(moved).rowcount != 1:
        raise StaleIssue(seen.id, seen.version, load(connection, seen.id).version)


def _attach(connection: Connection, issue: Issue, step: Step, at: datetime) -> None:
    rows = [
        {
            **asdict(attachment),
            "public_id": secrets.token_urlsafe(16),
            "issue_id": issue.id,
            "version": issue.version + 1,
            "who": step.who,
            "at": at,
        }
        for attachment in step.attachments
    ]
    if rows:
        connection.execute(insert(schema.attachments), rows)


def text(name: str, value: str) -> str:
    """A text that both databases can keep. Raises BadInput."""
    if not value.strip():
        raise BadInput(f"{name} must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{name} is not valid text") from error
    if "\x00" in value:
        raise BadInput(f"{name} is not valid text")
    return value


def optional(name: str, value: str | None) -> str | None:
    return text(name, value) if value and value.strip() else None

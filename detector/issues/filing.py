"""What becomes of a proven incident: a new issue, one that is known, or more of one that was seen before.

Each function works inside the caller's transaction, which holds the queue's lock.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from detector.core.geometry import is_same_place
from detector.core.times import Interval, union
from detector.core.values import Evidence, Incident, Violation
from detector.database import schema
from detector.issues import duplicates, events, history, moving
from detector.issues.lifecycle import State
from detector.issues.rows import issue_of, stretches_row
from detector.issues.standing import needs_account, standing_en, standing_zh
from detector.issues.values import (
    NOTHING_EARLIER,
    Earlier,
    Filed,
    FiledAs,
    Issue,
    LinkKind,
    finite,
    interval_json,
)

GROWING = frozenset({State.FLAGGED, State.CONFIRMED, State.DISPATCHED, State.REOPENED, State.RECTIFIED})
"""An issue in one of these states takes in what its object does after a gap; one that is done with does not."""

PROGRAM = "kerbwatch"
"""Who files."""


@dataclass(frozen=True, slots=True)
class Filing:
    """A proven incident with all that is kept of it."""

    incident: Incident
    evidence: Evidence
    explanation: str
    explanation_zh: str
    model_id: str
    rules_version: str
    start_uncertainty_s: float
    end_uncertainty_s: float
    earlier: Earlier = NOTHING_EARLIER
    timezone: tzinfo = UTC
    """The county's, for times in explanations."""


def file(connection: Connection, filing: Filing, *, join_gap_s: float, at: datetime) -> Filed:
    """The issue of the incident: the one with its fingerprint, else the oldest of the same stay, else the one whose
    object it is by its appearance, else a new one.
    """
    known = _of_fingerprint(connection, filing.incident.fingerprint)
    known = known or _of_same_stay(connection, filing, join_gap_s)
    known = known or _continued(connection, filing.earlier)
    if known is None:
        issue_id = _add(connection, filing, at)
        _link_earlier(connection, issue_id, filing.earlier, at)
        return Filed(issue_id, FiledAs.NEW)
    seen = union([*known.stretches, filing.incident.interval], join_gap_s=join_gap_s)
    if seen == list(known.stretches):
        return Filed(known.id, FiledAs.KNOWN)
    _extend(connection, known, seen, filing, at)
    _link_earlier(connection, known.id, filing.earlier, at)
    return Filed(known.id, FiledAs.EXTENDED)


def _continued(connection: Connection, earlier: Earlier) -> Issue | None:
    """The issue whose object it is, where it still takes more in: what was decided meanwhile stays decided."""
    if earlier.continues is None:
        return None
    issue = moving.load(connection, earlier.continues)
    return issue if issue.state in GROWING else None


def _link_earlier(connection: Connection, issue_id: int, earlier: Earlier, at: datetime) -> None:
    """Links an issue with those whose object its own may be."""
    ended = () if earlier.continues is None else (earlier.continues,)
    kinds = (
        (LinkKind.DUPLICATE, earlier.suspects),
        (LinkKind.RECURRENCE, (*earlier.recurs, *ended)),
    )
    for kind, others in kinds:
        for other in others:
            if other != issue_id:
                duplicates.add_link(connection, issue_id, other, kind, PROGRAM, at)


def _of_fingerprint(connection: Connection, fingerprint: str) -> Issue | None:
    """An issue's own fingerprint, or that of an incident that was joined to it."""
    joined = select(schema.verdicts.c.issue_id).where(schema.verdicts.c.fingerprint == fingerprint)
    issues = schema.issues.c
    query = select(schema.issues).where(or_(issues.fingerprint == fingerprint, issues.id.in_(joined)))
    row = connection.execute(query.order_by(issues.id).limit(1)).mappings().first()
    return issue_of(row) if row else None


def _of_same_stay(connection: Connection, filing: Filing, join_gap_s: float) -> Issue | None:
    """Whatever was decided of it: a stay that goes on after its rejection is not a new question."""
    incident, issues, gap = filing.incident, schema.issues.c, timedelta(seconds=join_gap_s)
    query = select(schema.issues).where(
        issues.camera_id == incident.camera_id,
        issues.violation == incident.violation,
        issues.zone_id.is_not_distinct_from(incident.zone_id),
        issues.start <= incident.interval.end + gap,
        issues.end >= incident.interval.start - gap,
    )
    rows = connection.execute(query.order_by(issues.id)).mappings()
    near = (issue for issue in map(issue_of, rows) if issue.id not in filing.earlier.others)
    return next((issue for issue in near if _same_stay(issue, filing, gap)), None)


def _same_stay(issue: Issue, filing: Filing, gap: timedelta) -> bool:
    """Whether an incident in an issue's place, at its time or near it, is the same object standing on.

    Over a gap it is only where the recordings broke off: an object that was seen to leave, before another was seen
    to come, are two.
    """
    incident = filing.incident
    if not is_same_place(issue.box, incident.box):
        return False
    own, seen = incident.interval, issue.stretches
    near = [s for s in seen if s.start - gap <= own.end and s.end + gap >= own.start]
    if not near:
        return False
    if any(stretch.overlaps(own) for stretch in near):
        return True
    if near[0].end <= own.start:
        broke_off = near[0] != seen[-1] or math.isinf(issue.end_uncertainty_s)
        return broke_off or math.isinf(filing.start_uncertainty_s)
    broke_off = near[0] != seen[0] or math.isinf(issue.start_uncertainty_s)
    return broke_off or math.isinf(filing.end_uncertainty_s)


def _add(connection: Connection, filing: Filing, at: datetime) -> int:
    incident = filing.incident
    values = {
        "public_id": secrets.token_urlsafe(16),
        "fingerprint": incident.fingerprint,
        "state": State.FLAGGED,
        "version": 1,
        "violation": incident.violation,
        "point_id": incident.point_id,
        "camera_id": incident.camera_id,
        "zone_id": incident.zone_id,
        "start": incident.interval.start,
        "end": incident.interval.end,
        "start_uncertainty_s": filing.start_uncertainty_s,
        "end_uncertainty_s": filing.end_uncertainty_s,
        "limit_s": incident.limit_s,
        "box": incident.box,
        "share": incident.share,
        "confidence": incident.confidence,
        "evidence_folder": filing.evidence.folder,
        "filed_at": at,
        "updated_at": at,
        **_account(filing),
    }
    inserted = connection.execute(insert(schema.issues).values(values).returning(schema.issues.c.id))
    issue_id = int(inserted.scalar_one())
    _attach(connection, issue_id, filing.evidence)
    history.append(
        connection,
        issue_id=issue_id,
        version=1,
        who=PROGRAM,
        at=at,
        move="filed",
        from_state=None,
        to_state=State.FLAGGED,
        details=_details(filing, incident.interval),
    )
    filed = moving.load(connection, issue_id)
    events.announce(connection, filed, "filed", PROGRAM, at)
    duplicates.link_suspects(connection, filed, PROGRAM, at)
    return issue_id


def _extend(
    connection: Connection, known: Issue, seen: Sequence[Interval], filing: Filing, at: datetime
) -> None:
    """Makes an issue cover `seen`, the stretches in which its object was seen."""
    joined = Interval(seen[0].start, seen[-1].end)
    values: dict[str, Any] = {
        "start": joined.start,
        "end": joined.end,
        "seen": stretches_row(seen),
        "version": known.version + 1,
        "updated_at": at,
    }
    if joined.start < known.interval.start:
        values["start_uncertainty_s"] = filing.start_uncertainty_s
    if joined.end > known.interval.end:
        values["end_uncertainty_s"] = filing.end_uncertainty_s
    account = _account(filing)
    if needs_account(seen, known.violation):
        account |= _account_of(seen, known.violation, filing)
        values |= account
    elif joined == filing.incident.interval:  # the new proof tells the whole story
        values |= account
    connection.execute(update(schema.issues).where(schema.issues.c.id == known.id).values(values))
    _attach(connection, known.id, filing.evidence)
    history.append(
        connection,
        issue_id=known.id,
        version=known.version + 1,
        who=PROGRAM,
        at=at,
        move="extended",
        from_state=known.state,
        to_state=known.state,
        details=_details(filing, joined) | account,
    )
    extended = moving.load(connection, known.id)
    events.announce(connection, extended, "extended", PROGRAM, at)
    duplicates.link_suspects(connection, extended, PROGRAM, at)
    if _stands_on(extended):
        moving.make_move(
            connection,
            extended,
            "reopen",
            moving.Step(PROGRAM, reason="it stood on after it was reported as put right"),
            at,
        )


def _stands_on(issue: Issue) -> bool:
    """Whether a stay goes on past the moment at which a department said that it was over."""
    if issue.state not in (State.RECTIFIED, State.CLOSED) or issue.rectified_at is None:
        return False
    return issue.interval.end > issue.rectified_at + timedelta(seconds=issue.limit_s)


def _account(filing: Filing) -> dict[str, str]:
    return {
        "explanation": filing.explanation,
        "explanation_zh": filing.explanation_zh,
        "model_id": filing.model_id,
        "rules_version": filing.rules_version,
    }


def _account_of(seen: Sequence[Interval], violation: Violation, filing: Filing) -> dict[str, str]:
    """The explanation of an object that was seen over gaps, or for days."""
    zone = filing.timezone
    return {
        "explanation": standing_en(seen, violation, zone, filing.explanation),
        "explanation_zh": standing_zh(seen, violation, zone, filing.explanation_zh),
    }


def _attach(connection: Connection, issue_id: int, evidence: Evidence) -> None:
    """A folder that was proven anew replaces what it was."""
    table = schema.evidence_files
    connection.execute(delete(table).where(table.c.issue_id == issue_id, table.c.folder == evidence.folder))
    rows = [{"issue_id": issue_id, "folder": evidence.folder, **asdict(file)} for file in evidence.files]
    if rows:
        connection.execute(insert(table), rows)


def _details(filing: Filing, interval: Interval) -> dict[str, Any]:
    """What the history must be able to vouch for: the issue's interval from now on, and the files."""
    return {
        "interval": interval_json(interval),
        "incident": {"fingerprint": filing.incident.fingerprint, **interval_json(filing.incident.interval)},
        "uncertainty_s": [finite(filing.start_uncertainty_s), finite(filing.end_uncertainty_s)],
        "evidence": history.evidence_json(filing.evidence),
        **_account(filing),
    }

"""What the queue returns: frozen, with a form for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import Violation
from detector.issues.lifecycle import State

NOT_COUNTED = frozenset({State.REJECTED, State.MERGED, State.WITHDRAWN})
COUNTED = tuple(state for state in State if state not in NOT_COUNTED)
"""What counts as found: neither rejected nor withdrawn, and no double of another issue."""

AWAITING_ANSWER = (State.DISPATCHED, State.REOPENED)
"""What a department must put right."""


@dataclass(frozen=True, slots=True)
class Issue:
    """An incident in the queue. `box` is in [0, 1], None (like `zone_id`) for a fault of the camera.

    The object arrived at most `start_uncertainty_s` before the interval's start and left at most
    `end_uncertainty_s` after its end; inf where nothing was seen beyond. `claimed_by` may be a claim that has
    run out: see `claimed_until`.
    """

    id: int
    public_id: str
    fingerprint: str
    state: State
    version: int
    violation: Violation
    point_id: str
    camera_id: str
    zone_id: str | None
    interval: Interval
    start_uncertainty_s: float
    end_uncertainty_s: float
    limit_s: float
    box: Box | None
    share: float
    confidence: float
    explanation: str
    explanation_zh: str
    model_id: str
    rules_version: str
    evidence_folder: str
    claimed_by: str | None
    claimed_until: datetime | None
    filed_at: datetime
    updated_at: datetime
    department: str | None = None
    """Who must put it right; None until it is dispatched."""
    assisting: tuple[str, ...] = ()
    grid: str | None = None
    order_id: int | None = None
    """The last order that it was dispatched by."""
    due_at: datetime | None = None
    dispatched_at: datetime | None = None
    rectified_at: datetime | None = None
    closed_at: datetime | None = None
    merged_into: int | None = None
    recurrence: int | None = None
    """How many earlier issues there were at this place within the configured days, when last counted."""
    seen: tuple[Interval, ...] | None = None
    """The stretches in which the object was seen, in order; None where that is all of `interval`."""

    @property
    def stretches(self) -> tuple[Interval, ...]:
        """What was seen: between two of them nothing was recorded, or the recordings do not tell."""
        return self.seen or (self.interval,)

    @property
    def seen_s(self) -> float:
        """For how long the object was seen, in seconds."""
        return sum(stretch.duration_s for stretch in self.stretches)

    def is_overdue(self, at: datetime) -> bool:
        """Whether the department should have answered before `at`, and has not."""
        return self.state in AWAITING_ANSWER and self.due_at is not None and self.due_at < at

    def concerns(self, department: str) -> bool:
        """Whether it is a department's own: it leads or assists."""
        return department == self.department or department in self.assisting

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "public_id": self.public_id,
            "fingerprint": self.fingerprint,
            "state": self.state.value,
            "state_zh": self.state.zh,
            "version": self.version,
            "violation": self.violation.value,
            "point": self.point_id,
            "camera": self.camera_id,
            "zone": self.zone_id,
            **interval_json(self.interval),
            "duration_s": self.interval.duration_s,
            "seen": [interval_json(stretch) for stretch in self.stretches],
            "seen_s": self.seen_s,
            "start_uncertainty_s": finite(self.start_uncertainty_s),
            "end_uncertainty_s": finite(self.end_uncertainty_s),
            "limit_s": self.limit_s,
            "box": list(self.box) if self.box else None,
            "share": self.share,
            "confidence": self.confidence,
            "explanation": self.explanation,
            "explanation_zh": self.explanation_zh,
            "model_id": self.model_id,
            "rules_version": self.rules_version,
            "evidence_folder": self.evidence_folder,
            "claimed_by": self.claimed_by,
            "claimed_until": self.claimed_until.isoformat() if self.claimed_until else None,
            "filed_at": self.filed_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "department": self.department,
            "assisting": list(self.assisting),
            "grid": self.grid,
            "order": self.order_id,
            "due_at": moment_json(self.due_at),
            "dispatched_at": moment_json(self.dispatched_at),
            "rectified_at": moment_json(self.rectified_at),
            "closed_at": moment_json(self.closed_at),
            "merged_into": self.merged_into,
            "recurrence": self.recurrence,
        }


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One move of one issue. `hash` covers the row and `prev_hash`, the hash of the row before it in the queue."""

    seq: int
    issue_id: int
    version: int
    who: str
    at: datetime
    move: str
    from_state: State | None
    to_state: State
    reason: str | None
    note: str | None
    details: Mapping[str, Any]
    prev_hash: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "issue": self.issue_id,
            "version": self.version,
            "who": self.who,
            "at": self.at.isoformat(timespec="microseconds"),
            "move": self.move,
            "from_state": self.from_state.value if self.from_state else None,
            "to_state": self.to_state.value,
            "reason": self.reason,
            "note": self.note,
            "details": dict(self.details),
            "prev_hash": self.prev_hash,
            "hash": self.hash,
        }


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One file of an issue's evidence. An issue that was extended has more than one folder."""

    issue_id: int
    folder: str
    name: str
    sha256: str
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "issue": self.issue_id,
            "folder": self.folder,
            "name": self.name,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
        }


class AttachmentKind(StrEnum):
    """What an attached file shows."""

    ANSWER = "answer"
    """What a department sent with its answer."""
    BEFORE = "before"
    AFTER = "after"
    """The same place, looked at again for acceptance."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A file that is safe in the attachments' store, to be attached to a move."""

    kind: AttachmentKind
    name: str
    media_type: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to one move of one issue; `version` is the issue's after that move."""

    id: int
    public_id: str
    issue_id: int
    version: int
    kind: AttachmentKind
    name: str
    media_type: str
    sha256: str
    size_bytes: int
    who: str
    at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "public_id": self.public_id,
            "issue": self.issue_id,
            "version": self.version,
            "kind": self.kind.value,
            "name": self.name,
            "media_type": self.media_type,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "who": self.who,
            "at": self.at.isoformat(),
        }


class LinkKind(StrEnum):
    """Why two issues belong together; the later one points at the earlier."""

    DUPLICATE = "duplicate"
    """Both may be about one object: a suspicion, until somebody merges or dismisses it."""
    DISTINCT = "distinct"
    """Somebody looked: they are two."""
    MERGED = "merged"
    RECURRENCE = "recurrence"
    """The later one may be about the object of an earlier one that was closed or written off."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the pictures say of issues in an incident's place from before or after it; each by its number."""

    continues: int | None = None
    """The open issue whose object it is, by its appearance."""
    suspects: tuple[int, ...] = ()
    """Open issues about which the appearance does not decide."""
    recurs: tuple[int, ...] = ()
    """Issues that are closed or written off, whose object it is or may be."""
    others: tuple[int, ...] = ()
    """Issues whose object it is not."""


NOTHING_EARLIER = Earlier()


@dataclass(frozen=True, slots=True)
class Link:
    """One issue's relation to another."""

    issue_id: int
    other_id: int
    kind: LinkKind
    who: str
    at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "issue": self.issue_id,
            "other": self.other_id,
            "kind": self.kind.value,
            "who": self.who,
            "at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Order:
    """A dispatch order (交办单): one department, one number, one issue or more."""

    id: int
    number: str
    department: str
    issued_at: datetime
    issued_by: str
    due_at: datetime
    """The earliest of its issues' deadlines."""
    note: str | None
    issue_ids: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "number": self.number,
            "department": self.department,
            "issued_at": self.issued_at.isoformat(),
            "issued_by": self.issued_by,
            "due_at": self.due_at.isoformat(),
            "note": self.note,
            "issues": list(self.issue_ids),
        }


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an issue, for other systems; `id` grows in the order in which things happened."""

    id: int
    event_id: str
    issue_id: int
    version: int
    move: str
    at: datetime
    data: Mapping[str, Any]


class Outcome(StrEnum):
    """What became of a suspicion that was looked at closer."""

    PROVEN = "proven"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of one suspicion under one version of rules and model; `key` names all of these."""

    key: str
    fingerprint: str
    camera_id: str
    violation: Violation
    zone_id: str | None
    interval: Interval
    outcome: Outcome
    reason: str
    issue_id: int | None
    decided_at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "fingerprint": self.fingerprint,
            "camera": self.camera_id,
            "violation": self.violation.value,
            "zone": self.zone_id,
            **interval_json(self.interval),
            "outcome": self.outcome.value,
            "reason": self.reason,
            "issue": self.issue_id,
            "decided_at": self.decided_at.isoformat(),
        }


class FiledAs(StrEnum):
    """What filing an incident did."""

    NEW = "new"
    KNOWN = "known"
    EXTENDED = "extended"


@dataclass(frozen=True, slots=True)
class Filed:
    """The issue that an incident became or belongs to."""

    issue_id: int
    outcome: FiledAs

    def to_json(self) -> dict[str, Any]:
        return {"issue": self.issue_id, "outcome": self.outcome.value}


class IssueOrder(StrEnum):
    """How a list of issues is sorted: by when the violation began, or by when it was filed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LAST_FILED = "last_filed"


@dataclass(frozen=True, slots=True)
class IssueFilter:
    """Which issues; an empty tuple or None asks for nothing. `period` keeps issues that overlap it."""

    states: tuple[State, ...] = ()
    violations: tuple[Violation, ...] = ()
    points: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    period: Interval | None = None
    claimed_by: str | None = None
    """Whose claim is on them now; a claim that has run out is none."""
    departments: tuple[str, ...] = ()
    """Those that lead or assist."""
    routed: tuple[tuple[Violation, str], ...] = ()
    """With `departments`: violations and points whose issues would go to them, for those not dispatched yet."""
    confidence: tuple[float, float] | None = None
    """At least the first, at most the second, in [0, 1]."""
    due_before: datetime | None = None
    """Still to be answered, by then."""
    overdue: bool = False
    """Still to be answered, and late."""
    order_id: int | None = None
    merged: bool = True
    """False leaves out what was merged into another."""
    after: tuple[datetime, int] | None = None
    """Only what comes after the issue of this start and number, in the order NEWEST or OLDEST: the next page,
    however deep, at the price of the first."""


def interval_json(interval: Interval) -> dict[str, str]:
    return ends_json(interval.start, interval.end)


def ends_json(start: datetime, end: datetime) -> dict[str, str]:
    """In UTC, so that one moment has one form, whichever time zone it came in."""
    return {
        name: at.astimezone(UTC).isoformat(timespec="microseconds")
        for name, at in (("start", start), ("end", end))
    }


def moment_json(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else None


def finite(seconds: float) -> float | None:
    """JSON has no infinity; None says that nothing is known."""
    return seconds if math.isfinite(seconds) else None

"""The queue of issues. Every call is one transaction; every move leaves a row of history or does not happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select, update

from detector.core.errors import BadInput
from detector.core.times import Interval
from detector.core.values import Evidence, EvidenceFile, Incident
from detector.database import Database, schema
from detector.issues import filing, history
from detector.issues.errors import ClaimedByOther, StaleIssue, UnknownIssue
from detector.issues.lifecycle import target_of
from detector.issues.rows import conditions, issue_of, ordering, verdict_of
from detector.issues.values import (
    EvidenceRow,
    Filed,
    HistoryRow,
    Issue,
    IssueFilter,
    IssueOrder,
    Outcome,
    Verdict,
)

JOIN_GAP_S = 600.0
"""Two incidents in one place with less between them are one stay: an observation gap, not a departure."""

LEASE_S = 900.0

LARGEST_ID = 2**31 - 1

EVERY_ISSUE = IssueFilter()

LOCK = "issues"
"""Held by whatever adds to the history, for the chain has one end; and so filing sees all that was filed."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class IssueQueue:
    """The durable queue over a database. `now` gives aware datetimes. Safe to share between threads.

    Times of the queue's own doing come from `now`; `who` is whoever the caller has made sure of.
    """

    def __init__(
        self, database: Database, now: Callable[[], datetime] = utc_now, *, join_gap_s: float = JOIN_GAP_S
    ) -> None:
        self._database = database
        self._now = now
        self._join_gap_s = join_gap_s

    # What the scan does

    def file(
        self,
        incident: Incident,
        evidence: Evidence,
        *,
        explanation: str,
        explanation_zh: str,
        model_id: str,
        rules_version: str,
        verdict_key: str,
        start_uncertainty_s: float,
        end_uncertainty_s: float,
    ) -> Filed:
        """Files a proven incident, whose evidence is already safe on disk. Doing it twice changes nothing.

        An issue with the incident's fingerprint, or of the same camera, violation and zone, within the join gap and
        with its box in the same place, is the same stay: its interval grows to cover both and never shrinks.
        """
        proven = filing.Filing(
            incident=incident,
            evidence=evidence,
            explanation=explanation,
            explanation_zh=explanation_zh,
            model_id=model_id,
            rules_version=rules_version,
            start_uncertainty_s=start_uncertainty_s,
            end_uncertainty_s=end_uncertainty_s,
        )
        with self._database.begin(lock=LOCK) as connection:
            at = self._now()
            filed = filing.file(connection, proven, join_gap_s=self._join_gap_s, at=at)
            verdict = _verdict(incident, verdict_key, at, Outcome.PROVEN, issue_id=filed.issue_id)
            self._remember(connection, verdict)
        return filed

    def drop(self, incident: Incident, *, verdict_key: str, reason: str) -> None:
        """Remembers that a suspicion did not withstand a closer look. What was proven under this key stays proven."""
        with self._database.begin() as connection:
            verdict = _verdict(incident, verdict_key, self._now(), Outcome.DROPPED, reason=reason)
            self._remember(connection, verdict)

    def _remember(self, connection: Connection, verdict: Verdict) -> None:
        """The first verdict of a key stands, but for a drop that gives way to a proof."""
        values = {
            field.name: getattr(verdict, field.name) for field in fields(verdict) if field.name != "interval"
        }
        values |= {"start": verdict.interval.start, "end": verdict.interval.end}
        gives_way = schema.verdicts.c.outcome == Outcome.DROPPED
        insert = self._database.insert(schema.verdicts).values(values)
        if verdict.outcome is Outcome.PROVEN:
            insert = insert.on_conflict_do_update(index_elements=["key"], set_=values, where=gives_way)
        else:
            insert = insert.on_conflict_do_nothing(index_elements=["key"])
        connection.execute(insert)

    def verdicts(self, camera_id: str, period: Interval) -> dict[str, Verdict]:
        """By key, what was decided of a camera's suspicions whose intervals overlap the period."""
        verdicts = schema.verdicts.c
        query = select(schema.verdicts).where(
            verdicts.camera_id == camera_id, verdicts.start < period.end, verdicts.end > period.start
        )
        with self._database.read() as connection:
            return {row["key"]: verdict_of(row) for row in connection.execute(query).mappings()}

    # What people see

    def find(
        self,
        wanted: IssueFilter = EVERY_ISSUE,
        *,
        order: IssueOrder = IssueOrder.NEWEST,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Issue]:
        query = select(schema.issues).where(*conditions(wanted, self._now())).order_by(*ordering(order))
        with self._database.read() as connection:
            return [issue_of(row) for row in connection.execute(query.limit(limit).offset(offset)).mappings()]

    def counts(
        self,
        by: Literal["state", "violation", "point_id", "camera_id"],
        wanted: IssueFilter = EVERY_ISSUE,
    ) -> dict[str, int]:
        """How many issues there are of each kind; a kind without any is not named."""
        column = schema.issues.c[by]
        query = (
            select(column, func.count())
            .where(*conditions(wanted, self._now()))
            .group_by(column)
            .order_by(column)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def get(self, issue_id: int) -> Issue:
        """Raises UnknownIssue."""
        with self._database.read() as connection:
            return _issue(connection, issue_id)

    def history(self, issue_id: int) -> list[HistoryRow]:
        """Every move of an issue, oldest first. Raises UnknownIssue."""
        table = schema.history
        query = select(table).where(table.c.issue_id == issue_id).order_by(table.c.version)
        with self._database.read() as connection:
            _issue(connection, issue_id)
            return [history.row_of(row) for row in connection.execute(query).mappings()]

    def evidence(self, issue_id: int) -> list[EvidenceRow]:
        """Every file of an issue's evidence, folder by folder. Raises UnknownIssue."""
        table = schema.evidence_files
        query = select(table).where(table.c.issue_id == issue_id).order_by(table.c.folder, table.c.name)
        with self._database.read() as connection:
            _issue(connection, issue_id)
            return [EvidenceRow(**row) for row in connection.execute(query).mappings()]

    def verify(self) -> list[str]:
        """Every fault of the history and of what hangs on it, in words; an empty list where all is well."""
        with self._database.read() as connection:
            return list(history.verify(connection))

    # What people do

    def claim(self, issue_id: int, who: str, lease_s: float = LEASE_S) -> Issue:
        """Reserves an issue for one person for a while; claiming it again renews the lease.

        A claim is no move: it leaves no history and no version. Raises UnknownIssue, ClaimedByOther.
        """
        _text("who", who)
        with self._database.begin() as connection:
            issue, at = _issue(connection, issue_id, lock=True), self._now()
            _refuse_claimed(issue, who, at)
            return _set_claim(connection, issue, who, at + timedelta(seconds=lease_s))

    def release(self, issue_id: int, who: str) -> Issue:
        """Gives up one's claim; nothing happens where there is none. Raises UnknownIssue, ClaimedByOther."""
        with self._database.begin() as connection:
            issue = _issue(connection, issue_id, lock=True)
            _refuse_claimed(issue, who, self._now())
            return _set_claim(connection, issue, None, None)

    def confirm(
        self, issue_id: int, who: str, *, note: str | None = None, seen_version: int | None = None
    ) -> Issue:
        return self.move(issue_id, "confirm", who, note=note, seen_version=seen_version)

    def reject(
        self,
        issue_id: int,
        who: str,
        reason_code: str,
        *,
        note: str | None = None,
        seen_version: int | None = None,
    ) -> Issue:
        """`reason_code` is one of REJECT_REASONS."""
        return self.move(issue_id, "reject", who, reason=reason_code, note=note, seen_version=seen_version)

    def move(
        self,
        issue_id: int,
        move: str,
        who: str,
        *,
        reason: str | None = None,
        note: str | None = None,
        seen_version: int | None = None,
        attachments: Sequence[EvidenceFile] = (),
    ) -> Issue:
        """Makes one move of the lifecycle, and ends the claim on the issue.

        `seen_version` is what the person was looking at; without it, whatever is there now is decided.
        Raises UnknownIssue, StaleIssue, ClaimedByOther, IllegalMove, ReasonNeeded.
        """
        who, reason, note = _text("who", who), _optional("reason", reason), _optional("note", note)
        with self._database.begin(lock=LOCK) as connection:
            issue, at = _issue(connection, issue_id, lock=True), self._now()
            if seen_version is not None and seen_version != issue.version:
                raise StaleIssue(issue_id, seen_version, issue.version)
            _refuse_claimed(issue, who, at)
            target = target_of(issue.state, move, reason, note)
            _compare_and_set(
                connection, issue, state=target, claimed_by=None, claimed_until=None, updated_at=at
            )
            history.append(
                connection,
                issue_id=issue_id,
                version=issue.version + 1,
                who=who,
                at=at,
                move=move,
                from_state=issue.state,
                to_state=target,
                reason=reason,
                note=note,
                details={"attachments": [[f.name, f.sha256, f.size_bytes] for f in attachments]}
                if attachments
                else {},
            )
            return _issue(connection, issue_id)


def _verdict(
    incident: Incident,
    key: str,
    at: datetime,
    outcome: Outcome,
    *,
    reason: str = "",
    issue_id: int | None = None,
) -> Verdict:
    return Verdict(
        key=key,
        fingerprint=incident.fingerprint,
        camera_id=incident.camera_id,
        violation=incident.violation,
        zone_id=incident.zone_id,
        interval=incident.interval,
        outcome=outcome,
        reason=reason,
        issue_id=issue_id,
        decided_at=at,
    )


def _known(issue_id: int) -> int:
    """A number that the database can hold."""
    if not 0 < issue_id <= LARGEST_ID:
        raise UnknownIssue(issue_id)
    return issue_id


def _issue(connection: Connection, issue_id: int, *, lock: bool = False) -> Issue:
    query = select(schema.issues).where(schema.issues.c.id == _known(issue_id))
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise UnknownIssue(issue_id)
    return issue_of(row)


def _refuse_claimed(issue: Issue, who: str, at: datetime) -> None:
    if issue.claimed_by in (None, who) or issue.claimed_until is None or issue.claimed_until <= at:
        return
    raise ClaimedByOther(issue.id, issue.claimed_by or "", issue.claimed_until)


def _set_claim(connection: Connection, issue: Issue, who: str | None, until: datetime | None) -> Issue:
    connection.execute(
        update(schema.issues)
        .where(schema.issues.c.id == issue.id)
        .values(claimed_by=who, claimed_until=until)
    )
    return replace(issue, claimed_by=who, claimed_until=until)


def _compare_and_set(connection: Connection, seen: Issue, **values: object) -> None:
    issues = schema.issues.c
    moved = (
        update(schema.issues)
        .where(issues.id == seen.id, issues.version == seen.version)
        .values(version=seen.version + 1, **values)
    )
    if connection.execute(moved).rowcount != 1:
        raise StaleIssue(seen.id, seen.version, _issue(connection, seen.id).version)


def _text(name: str, value: str) -> str:
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


def _optional(name: str, value: str | None) -> str | None:
    return _text(name, value) if value and value.strip() else None

"""The queue of issues. Every call is one transaction; every move leaves a row of history or does not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Connection, func, select, update

from detector.core.errors import BadInput
from detector.core.times import Interval, utc_now
from detector.core.values import Evidence, Incident
from detector.database import Database, schema
from detector.issues import duplicates, events, filing, history, moving, ordering
from detector.issues.errors import UnknownIssue
from detector.issues.lifecycle import State
from detector.issues.moving import Step
from detector.issues.ordering import Answered, Assigned
from detector.issues.rows import attachment_of, conditions, issue_of, sorting, verdict_of
from detector.issues.values import (
    AWAITING_ANSWER,
    NOTHING_EARLIER,
    Attachment,
    Earlier,
    Event,
    EvidenceRow,
    Filed,
    HistoryRow,
    Issue,
    IssueFilter,
    IssueOrder,
    Link,
    LinkKind,
    NewAttachment,
    Order,
    Outcome,
    Verdict,
)

JOIN_GAP_S = 600.0
"""Two incidents in one place with less between them are one stay: an observation gap, not a departure."""

LEASE_S = 900.0

MOST_BOUND = 500
"""Values in one query; older SQLite allows 999."""

EVERY_ISSUE = IssueFilter()

NOTHING: Mapping[str, Any] = MappingProxyType({})

LOCK = "issues"
"""Held by whatever adds to the history, for the chain has one end; and so filing sees all that was filed."""


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
        earlier: Earlier = NOTHING_EARLIER,
        timezone: tzinfo = UTC,
    ) -> Filed:
        """Files a proven incident, whose evidence is already safe on disk. Doing it twice changes nothing.

        An issue with the incident's fingerprint, or of the same camera, violation and zone, within the join gap and
        with its box in the same place, is the same stay: its interval grows to cover both and never shrinks. Over a
        longer gap the pictures decide, which are the caller's: see `earlier`. `timezone` is that of the times in words.
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
            earlier=earlier,
            timezone=timezone,
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
        query = select(schema.issues).where(*conditions(wanted, self._now(), order)).order_by(*sorting(order))
        with self._database.read() as connection:
            return [issue_of(row) for row in connection.execute(query.limit(limit).offset(offset)).mappings()]

    def counts(
        self,
        by: Literal["state", "violation", "point_id", "camera_id", "department"],
        wanted: IssueFilter = EVERY_ISSUE,
    ) -> dict[str, int]:
        """How many issues there are of each kind; a kind without any is not named, no department is ''."""
        column = schema.issues.c[by]
        query = (
            select(column, func.count())
            .where(*conditions(wanted, self._now()))
            .group_by(column)
            .order_by(column)
        )
        with self._database.read() as connection:
            return {row[0] or "": row[1] for row in connection.execute(query)}

    def get(self, issue_id: int) -> Issue:
        """Raises UnknownIssue."""
        with self._database.read() as connection:
            return moving.load(connection, issue_id)

    def by_public_id(self, public_id: str) -> Issue:
        """The issue of an id that cannot be guessed. Raises UnknownIssue."""
        query = select(schema.issues).where(schema.issues.c.public_id == public_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise UnknownIssue(public_id)
        return issue_of(row)

    def attachments(self, issue_id: int) -> list[Attachment]:
        """Every file attached to an issue's moves, oldest first. Raises UnknownIssue."""
        table = schema.attachments
        query = select(table).where(table.c.issue_id == issue_id).order_by(table.c.version, table.c.id)
        with self._database.read() as connection:
            moving.load(connection, issue_id)
            return [attachment_of(row) for row in connection.execute(query).mappings()]

    def attachments_of(self, issue_ids: Sequence[int]) -> dict[int, list[Attachment]]:
        """Every file attached to the moves of many issues, oldest first, by issue; one without any is left out."""
        table = schema.attachments
        found: dict[int, list[Attachment]] = {}
        with self._database.read() as connection:
            for first in range(0, len(issue_ids), MOST_BOUND):
                asked = table.c.issue_id.in_(issue_ids[first : first + MOST_BOUND])
                query = select(table).where(asked).order_by(table.c.version, table.c.id)
                for row in connection.execute(query).mappings():
                    found.setdefault(row["issue_id"], []).append(attachment_of(row))
        return found

    def attachment(self, public_id: str) -> Attachment | None:
        """The attached file of an id that cannot be guessed."""
        query = select(schema.attachments).where(schema.attachments.c.public_id == public_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return attachment_of(row) if row else None

    def links(self, issue_ids: Iterable[int]) -> list[Link]:
        """How issues hang together with others; nothing for those that do not."""
        with self._database.read() as connection:
            return duplicates.links_of(connection, issue_ids)

    def suspected(self, issue_ids: Iterable[int]) -> list[tuple[int, int]]:
        """Pairs that may be about one object and that nobody has told apart; the issue asked about comes first."""
        with self._database.read() as connection:
            return duplicates.suspected(connection, issue_ids)

    def earlier_here(self, issue: Issue, days: int) -> list[Issue]:
        """Earlier issues of the same violation in the same zone, that began at most so many days before, newest first.

        What was rejected, withdrawn or merged does not count.
        """
        with self._database.read() as connection:
            return ordering.earlier_here(connection, issue, days)

    def reminded(self) -> set[tuple[int, datetime, str, str]]:
        """What was announced of the deadlines of issues that still await an answer: issue, deadline, kind, to whom."""
        sent, issues = schema.reminders, schema.issues
        query = (
            select(sent.c.issue_id, sent.c.due_at, sent.c.kind, sent.c.department)
            .join(issues, issues.c.id == sent.c.issue_id)
            .where(issues.c.state.in_(AWAITING_ANSWER))
        )
        with self._database.read() as connection:
            return {(row.issue_id, row.due_at, row.kind, row.department) for row in connection.execute(query)}

    def orders(self, *, department: str | None = None, limit: int | None = None) -> list[Order]:
        """Dispatch orders, newest first."""
        with self._database.read() as connection:
            return ordering.orders(connection, department=department, limit=limit)

    def order(self, number: str) -> Order | None:
        """The dispatch order of a number such as JB-20260108-003."""
        with self._database.read() as connection:
            return next(iter(ordering.orders(connection, number=number)), None)

    def events_after(self, seen: int, limit: int = 500) -> list[Event]:
        """What happened after the event of that number, oldest first."""
        with self._database.read() as connection:
            return events.events_after(connection, seen, limit)

    def last_event(self) -> int:
        """The number of the latest event; 0 where nothing has happened yet."""
        with self._database.read() as connection:
            return events.last_event(connection)

    def history(self, issue_id: int) -> list[HistoryRow]:
        """Every move of an issue, oldest first. Raises UnknownIssue."""
        table = schema.history
        query = select(table).where(table.c.issue_id == issue_id).order_by(table.c.version)
        with self._database.read() as connection:
            moving.load(connection, issue_id)
            return [history.row_of(row) for row in connection.execute(query).mappings()]

    def histories(self, issue_ids: Sequence[int]) -> dict[int, list[HistoryRow]]:
        """Every move of many issues, oldest first, by issue; an unknown number is left out."""
        table = schema.history
        found: dict[int, list[HistoryRow]] = {}
        with self._database.read() as connection:
            for first in range(0, len(issue_ids), MOST_BOUND):
                asked = issue_ids[first : first + MOST_BOUND]
                query = select(table).where(table.c.issue_id.in_(asked)).order_by(table.c.seq)
                for row in connection.execute(query).mappings():
                    found.setdefault(row["issue_id"], []).append(history.row_of(row))
        return found

    def evidence(self, issue_id: int) -> list[EvidenceRow]:
        """Every file of an issue's evidence, folder by folder. Raises UnknownIssue."""
        table = schema.evidence_files
        query = select(table).where(table.c.issue_id == issue_id).order_by(table.c.folder, table.c.name)
        with self._database.read() as connection:
            moving.load(connection, issue_id)
            return [EvidenceRow(**row) for row in connection.execute(query).mappings()]

    def states_of(self, folder: str) -> set[State]:
        """The states of the issues whose evidence lies in a folder."""
        issues, files = schema.issues, schema.evidence_files
        query = (
            select(issues.c.state).where(issues.c.id == files.c.issue_id, files.c.folder == folder).distinct()
        )
        with self._database.read() as connection:
            return {State(state) for state in connection.execute(query).scalars()}

    def verify(self) -> list[str]:
        """Every fault of the history and of what hangs on it, in words; an empty list where all is well."""
        with self._database.read() as connection:
            return list(history.verify(connection))

    def last_row(self) -> tuple[int, str]:
        """The number and the hash of the last row of the history; 0 and GENESIS for an empty history."""
        with self._database.read() as connection:
            return history.last_row(connection)

    def hash_of(self, seq: int) -> str | None:
        """The hash of a row of the history; None where there is no such row."""
        with self._database.read() as connection:
            return history.hash_of(connection, seq)

    # What people do

    def claim(self, issue_id: int, who: str, lease_s: float = LEASE_S) -> Issue:
        """Reserves an issue for one person for a while; claiming it again renews the lease.

        A claim is no move: it leaves no history and no version. Raises UnknownIssue, ClaimedByOther.
        """
        moving.text("who", who)
        with self._database.begin() as connection:
            issue, at = moving.load(connection, issue_id, lock=True), self._now()
            moving.refuse_claimed(issue, who, at)
            return _set_claim(connection, issue, who, at + timedelta(seconds=lease_s))

    def release(self, issue_id: int, who: str) -> Issue:
        """Gives up one's claim; nothing happens where there is none. Raises UnknownIssue, ClaimedByOther."""
        with self._database.begin() as connection:
            issue = moving.load(connection, issue_id, lock=True)
            moving.refuse_claimed(issue, who, self._now())
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
        attachments: Sequence[NewAttachment] = (),
        sets: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Issue:
        """Makes one move of the lifecycle, and ends the claim on the issue.

        `seen_version` is what the person was looking at; without it, whatever is there now is decided. `sets` are
        columns of `history.SETTABLE` and their new values; `details` goes into the row of history, as JSON.
        Raises UnknownIssue, StaleIssue, ClaimedByOther, IllegalMove, ReasonNeeded.
        """
        step = _step(who, reason, note, sets=sets or {}, attachments=attachments, details=details or {})
        with self._database.begin(lock=LOCK) as connection:
            issue, at = self._in_hand(connection, issue_id, step.who, seen_version)
            return moving.make_move(connection, issue, move, step, at)

    def merge(
        self, issue_id: int, into: int, who: str, reason: str, *, seen_version: int | None = None
    ) -> Issue:
        """Makes an issue part of another, which lives on; a link stays.

        Raises what `move` raises, and BadInput where the other cannot take it.
        """
        step = _step(who, reason, None, sets={"merged_into": into})
        with self._database.begin(lock=LOCK) as connection:
            issue, at = self._in_hand(connection, issue_id, step.who, seen_version)
            other = moving.load(connection, into, lock=True)
            if other.id == issue.id:
                raise BadInput(f"issue {issue.id} cannot be merged into itself")
            if other.state in (State.MERGED, State.REJECTED, State.WITHDRAWN):
                raise BadInput(f"issue {other.id} is {other.state}; it cannot take another in")
            if other.point_id != issue.point_id:
                raise BadInput(
                    f"issue {other.id} is of another point ({other.point_id}, not {issue.point_id})"
                )
            moved = moving.make_move(connection, issue, "merge", step, at)
            duplicates.add_link(connection, issue.id, other.id, LinkKind.MERGED, step.who, at)
            return moved

    def tell_apart(self, issue_id: int, other_id: int, who: str) -> None:
        """Two issues that were suspected of being one are two. Raises UnknownIssue."""
        who = moving.text("who", who)
        with self._database.begin(lock=LOCK) as connection:
            issue, other = moving.load(connection, issue_id), moving.load(connection, other_id)
            duplicates.add_link(connection, issue.id, other.id, LinkKind.DISTINCT, who, self._now())

    def dispatch(
        self,
        assigned: Sequence[Assigned],
        who: str,
        *,
        note: str | None = None,
        one_order_each: bool = False,
        duplicates_because: str | None = None,
    ) -> list[Order]:
        """Dispatches issues, all or none: an order for each department, or for each issue.

        An issue that may be about the same object as another one that is dispatched, or that is to be, is refused
        unless `duplicates_because` says why both must go out. Raises what `move` raises, and SuspectedDuplicate.
        """
        step = _step(who, duplicates_because, note)
        with self._database.begin(lock=LOCK) as connection:
            at = self._now()
            taken = [
                (one, self._in_hand(connection, one.issue_id, step.who, one.seen_version)[0])
                for one in assigned
            ]
            if step.reason is None:
                ordering.refuse_duplicates(connection, [issue for _, issue in taken])
            return ordering.dispatch(connection, taken, step, at, one_order_each=one_order_each)

    def rectify_all(self, answers: Sequence[Answered], who: str) -> list[Issue]:
        """Takes in answers of a table, all or none. Raises what `move` raises."""
        with self._database.begin(lock=LOCK) as connection:
            moved = []
            for answer in answers:
                details = {"answer": answer.key}
                step = _step(who, None, answer.text, attachments=answer.attachments, details=details)
                issue, at = self._in_hand(connection, answer.issue_id, step.who, answer.seen_version)
                moved.append(moving.make_move(connection, issue, "rectify", step, at))
            return moved

    def answers(self, issue_id: int) -> set[str]:
        """The keys of the answers of tables that an issue has had. Raises UnknownIssue."""
        return {str(row.details["answer"]) for row in self.history(issue_id) if "answer" in row.details}

    def remark(
        self,
        issue_id: int,
        what: str,
        who: str,
        *,
        note: str | None = None,
        seen_version: int | None = None,
        attachments: Sequence[NewAttachment] = (),
        sets: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Issue:
        """Leaves a row of history, such as 'inspected', without moving the issue. Raises UnknownIssue, StaleIssue."""
        step = _step(who, None, note, sets=sets or {}, attachments=attachments, details=details or {})
        with self._database.begin(lock=LOCK) as connection:
            issue = moving.load(connection, issue_id, lock=True)
            moving.refuse_stale(issue, seen_version)
            return moving.leave_row(connection, issue, what, issue.state, step, self._now())

    def remind(self, issue_id: int, due_at: datetime, kind: str, department: str, *, move: str) -> bool:
        """Notes that a department is reminded of a deadline, and announces it; False where that was done before."""
        with self._database.begin(lock=LOCK) as connection:
            issue, at = moving.load(connection, issue_id), self._now()
            values = {
                "issue_id": issue_id,
                "due_at": due_at,
                "kind": kind,
                "department": department,
                "at": at,
            }
            noted = self._database.insert(schema.reminders).values(values).on_conflict_do_nothing()
            if connection.execute(noted.returning(schema.reminders.c.issue_id)).first() is None:
                return False
            events.announce(connection, issue, move, "kerbwatch", at, kind=kind, to=department)
            return True

    def _in_hand(
        self, connection: Connection, issue_id: int, who: str, seen_version: int | None
    ) -> tuple[Issue, datetime]:
        """An issue that nobody else has moved or claimed meanwhile, and the time."""
        issue, at = moving.load(connection, issue_id, lock=True), self._now()
        moving.refuse_stale(issue, seen_version)
        moving.refuse_claimed(issue, who, at)
        return issue, at


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


def _step(
    who: str,
    reason: str | None,
    note: str | None,
    *,
    sets: Mapping[str, Any] = NOTHING,
    attachments: Sequence[NewAttachment] = (),
    details: Mapping[str, Any] = NOTHING,
) -> Step:
    """Raises BadInput for a text that a database cannot keep."""
    return Step(
        moving.text("who", who),
        moving.optional("reason", reason),
        moving.optional("note", note),
        sets,
        attachments,
        details,
    )


def _set_claim(connection: Connection, issue: Issue, who: str | None, until: datetime | None) -> Issue:
    connection.execute(
        update(schema.issues)
        .where(schema.issues.c.id == issue.id)
        .values(claimed_by=who, claimed_until=until)
    )
    return replace(issue, claimed_by=who, claimed_until=until)

"""The desk: every look at an issue and every move of it, by whoever may.

The command line and the browser both go through here, so that neither can forget to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from detector.config.reading import demand
from detector.config.settings import Settings
from detector.core.errors import BadInput, Fault
from detector.core.times import utc_now
from detector.core.values import Category
from detector.database import Database
from detector.dispatch.answers import read_answers
from detector.dispatch.attachments import AttachmentStore, Upload
from detector.dispatch.reminders import Reminder, owed
from detector.dispatch.routing import Assignment, assignment, loop_of
from detector.issues import IssueQueue
from detector.issues.errors import UnknownIssue
from detector.issues.lifecycle import target_of
from detector.issues.ordering import Answered, Assigned
from detector.issues.queue import EVERY_ISSUE, LEASE_S
from detector.issues.values import (
    AWAITING_ANSWER,
    Attachment,
    AttachmentKind,
    EvidenceRow,
    HistoryRow,
    Issue,
    IssueFilter,
    IssueOrder,
    Link,
    Order,
)
from detector.people import Action, Actor, AuditLog, Looked, NotAllowed, People, allow

ATTACHMENTS = "attachments"
"""The folder, below the state's, of files that people attach."""


class Desk:
    """Issues, for those who may. Safe to share between threads.

    A department sees the issues that it leads or assists, and an issue of others does not exist for it: every
    method raises UnknownIssue for such a one. Every method raises NotAllowed where the table of roles says no, and
    otherwise what the queue raises.
    """

    def __init__(self, database: Database, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self.queue = IssueQueue(database, now)
        self.people = People(database, now)
        self.log = AuditLog(database, now)
        self.files = AttachmentStore(settings.state_root / ATTACHMENTS)
        self.now = now

    # Seeing

    def find(
        self,
        actor: Actor,
        wanted: IssueFilter = EVERY_ISSUE,
        *,
        order: IssueOrder = IssueOrder.NEWEST,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Issue]:
        allow(actor, Action.SEE)
        own = self.scope(actor, wanted)
        return self.queue.find(own, order=order, limit=limit, offset=offset) if own else []

    def counts(
        self,
        actor: Actor,
        by: Literal["state", "violation", "point_id", "camera_id", "department"],
        wanted: IssueFilter = EVERY_ISSUE,
    ) -> dict[str, int]:
        allow(actor, Action.SEE)
        own = self.scope(actor, wanted)
        return self.queue.counts(by, own) if own else {}

    def scope(self, actor: Actor, wanted: IssueFilter) -> IssueFilter | None:
        """The part of a filter that concerns this actor; None where none of it does."""
        own = actor.bound_to
        if own is None:
            return wanted
        if wanted.departments and own not in wanted.departments:
            return None
        return replace(wanted, departments=(own,))

    def points_of(self, *categories: Category) -> tuple[str, ...]:
        """The points of categories, for a filter."""
        return tuple(point.id for point in self.settings.points if point.category in categories)

    def get(self, actor: Actor, issue_id: int) -> Issue:
        allow(actor, Action.SEE)
        return self._own(actor, self.queue.get(issue_id))

    def by_public_id(self, actor: Actor, public_id: str) -> Issue:
        allow(actor, Action.SEE)
        return self._own(actor, self.queue.by_public_id(public_id))

    def history(self, actor: Actor, issue_id: int) -> list[HistoryRow]:
        return self.queue.history(self.get(actor, issue_id).id)

    def evidence(self, actor: Actor, issue_id: int) -> list[EvidenceRow]:
        return self.queue.evidence(self.get(actor, issue_id).id)

    def attachments(self, actor: Actor, issue_id: int) -> list[Attachment]:
        return self.queue.attachments(self.get(actor, issue_id).id)

    def links(self, actor: Actor, issue_id: int) -> list[Link]:
        """How an issue hangs together with others that this actor may see."""
        issue = self.get(actor, issue_id)
        return [link for link in self.queue.links([issue.id]) if self._sees_both(actor, link)]

    def orders(self, actor: Actor, *, limit: int | None = None) -> list[Order]:
        """Dispatch orders, newest first; a department's own."""
        allow(actor, Action.SEE)
        return self.queue.orders(department=actor.bound_to, limit=limit)

    def order(self, actor: Actor, number: str) -> Order:
        """Raises BadInput where there is no such order."""
        allow(actor, Action.SEE)
        found = self.queue.order(number)
        if found is None or actor.bound_to not in (None, found.department):
            raise BadInput(f"there is no order {number!r}")
        return found

    def look(self, actor: Actor, issue_id: int, file: str, *, masked: bool) -> Issue:
        """Leave to look at a picture or a clip of an issue, which the log then tells."""
        allow(actor, Action.LOOK if masked else Action.LOOK_UNMASKED)
        issue = self.get(actor, issue_id)
        self.log.add(actor, Looked.FOOTAGE, issue_id=issue.id, file=file, details={"masked": masked})
        return issue

    def attached(self, actor: Actor, public_id: str) -> tuple[Attachment, Path]:
        """Leave to look at an attached file, which the log then tells. Raises BadInput where there is none."""
        allow(actor, Action.LOOK_UNMASKED)
        found = self.queue.attachment(public_id)
        if found is None:
            raise BadInput("there is no such file")
        self.get(actor, found.issue_id)
        self.log.add(actor, Looked.FOOTAGE, issue_id=found.issue_id, file=found.name)
        return found, self.files.path(found)

    def export(
        self,
        actor: Actor,
        what: str,
        wanted: IssueFilter = EVERY_ISSUE,
        *,
        only: Collection[int] | None = None,
        masked: bool = True,
    ) -> list[Issue]:
        """The issues that somebody takes out, as a letter or a table, oldest first; the log tells of it.

        `only` keeps no others than these numbers.
        """
        allow(actor, Action.EXPORT if masked else Action.EXPORT_UNMASKED)
        issues = self.find(actor, wanted, order=IssueOrder.OLDEST)
        issues = issues if only is None else [issue for issue in issues if issue.id in only]
        numbers = [issue.id for issue in issues]
        self.log.add(actor, Looked.EXPORT, file=what, details={"masked": masked, "issues": numbers})
        return issues

    # Review

    def claim(self, actor: Actor, issue_id: int, lease_s: float = LEASE_S) -> Issue:
        allow(actor, Action.REVIEW)
        return self.queue.claim(issue_id, actor.who, lease_s)

    def release(self, actor: Actor, issue_id: int) -> Issue:
        allow(actor, Action.REVIEW)
        return self.queue.release(issue_id, actor.who)

    def confirm(
        self, actor: Actor, issue_id: int, *, note: str | None = None, seen_version: int | None = None
    ) -> Issue:
        allow(actor, Action.REVIEW)
        return self.queue.confirm(issue_id, actor.who, note=note, seen_version=seen_version)

    def reject(
        self,
        actor: Actor,
        issue_id: int,
        reason_code: str,
        *,
        note: str | None = None,
        seen_version: int | None = None,
    ) -> Issue:
        """`reason_code` is one of REJECT_REASONS."""
        allow(actor, Action.REVIEW)
        return self.queue.reject(issue_id, actor.who, reason_code, note=note, seen_version=seen_version)

    def reconsider(
        self, actor: Actor, issue_id: int, reason: str, *, seen_version: int | None = None
    ) -> Issue:
        """Back to flagged: what was decided was a mistake."""
        allow(actor, Action.REVIEW)
        return self.queue.move(issue_id, "reconsider", actor.who, reason=reason, seen_version=seen_version)

    def withdraw(self, actor: Actor, issue_id: int, reason: str, *, seen_version: int | None = None) -> Issue:
        allow(actor, Action.REVIEW)
        return self.queue.move(issue_id, "withdraw", actor.who, reason=reason, seen_version=seen_version)

    def merge(
        self, actor: Actor, issue_id: int, into: int, reason: str, *, seen_version: int | None = None
    ) -> Issue:
        """Makes an issue part of another, which lives on."""
        allow(actor, Action.MERGE)
        return self.queue.merge(issue_id, into, actor.who, reason, seen_version=seen_version)

    def tell_apart(self, actor: Actor, issue_id: int, other_id: int) -> None:
        """Two issues that were suspected of being about one object are two."""
        allow(actor, Action.MERGE)
        self.queue.tell_apart(issue_id, other_id, actor.who)

    # The loop

    def dispatch(
        self,
        actor: Actor,
        issue_ids: Sequence[int],
        *,
        department: str | None = None,
        assisting: Sequence[str] | None = None,
        due_at: datetime | None = None,
        note: str | None = None,
        one_order_each: bool = False,
        duplicates_because: str | None = None,
        seen_versions: Mapping[int, int] | None = None,
    ) -> list[Order]:
        """Dispatches issues, all or none, to whom the routes say unless told otherwise.

        `duplicates_because` says why two issues that may be about one object must both go out.
        """
        allow(actor, Action.DISPATCH)
        at, seen = self.now(), seen_versions or {}
        assigned = [
            self._assigned(self.queue.get(number), at, department, assisting, due_at, seen.get(number))
            for number in dict.fromkeys(issue_ids)
        ]
        return self.queue.dispatch(
            assigned,
            actor.who,
            note=note,
            one_order_each=one_order_each,
            duplicates_because=duplicates_because,
        )

    def forecast(self, actor: Actor, issue_ids: Sequence[int]) -> list[Assignment]:
        """Where issues would go and until when, were they dispatched now; with what is doubtful about it."""
        allow(actor, Action.DISPATCH)
        at = self.now()
        return [assignment(self.settings, self.queue.get(number), at) for number in dict.fromkeys(issue_ids)]

    def _assigned(
        self,
        issue: Issue,
        at: datetime,
        department: str | None,
        assisting: Sequence[str] | None,
        due_at: datetime | None,
        seen_version: int | None,
    ) -> Assigned:
        by_table = assignment(self.settings, issue, at)
        others = department is not None and department != by_table.department
        if assisting is None:
            assisting = () if others else by_table.assisting
        lead = department or by_table.department
        for name in (lead, *assisting):
            if name not in self.settings.departments:
                raise BadInput(f"there is no department {name!r}: {', '.join(self.settings.departments)}")
        if due_at is not None and due_at <= at:
            raise BadInput("a deadline must lie after now")
        return Assigned(
            issue_id=issue.id,
            department=lead,
            due_at=due_at or by_table.due_at,
            day=f"{at.astimezone(self.settings.timezone):%Y%m%d}",
            assisting=tuple(name for name in dict.fromkeys(assisting) if name != lead),
            grid=by_table.grid or None,
            recurrence=len(self.queue.earlier_here(issue, loop_of(self.settings).recurrence_days)),
            seen_version=seen_version,
        )

    def earlier_here(self, actor: Actor, issue_id: int) -> list[Issue]:
        """What happened at an issue's place within the configured days before it, newest first."""
        issue = self.get(actor, issue_id)
        found = self.queue.earlier_here(issue, loop_of(self.settings).recurrence_days)
        return [one for one in found if actor.bound_to is None or one.concerns(actor.bound_to)]

    def remind(self, actor: Actor) -> list[Reminder]:
        """Announces what is owed by now and was not announced yet, escalations too; returns it, for whoever sends mail.

        Safe to call as often as one likes: `desk.remind(PROGRAM)`.
        """
        allow(actor, Action.DISPATCH)
        at = self.now()
        waiting = self.queue.find(IssueFilter(states=AWAITING_ANSWER), order=IssueOrder.OLDEST)
        sent = self.queue.reminded()
        return [
            reminder
            for issue in waiting
            for reminder in owed(self.settings, issue, at)
            if (issue.id, reminder.due_at, reminder.kind, reminder.to) not in sent
            and self.queue.remind(
                issue.id,
                reminder.due_at,
                reminder.kind,
                reminder.to,
                move="escalate" if reminder.escalates else "remind",
            )
        ]

    def recall(self, actor: Actor, issue_id: int, reason: str, *, seen_version: int | None = None) -> Issue:
        """It went to the wrong department; it can be dispatched anew."""
        allow(actor, Action.DISPATCH)
        return self.queue.move(issue_id, "recall", actor.who, reason=reason, seen_version=seen_version)

    def rectify(
        self,
        actor: Actor,
        issue_id: int,
        text: str,
        *,
        files: Sequence[Upload] = (),
        seen_version: int | None = None,
    ) -> Issue:
        """A department's answer: what was done, with pictures. An assisting department sees, the lead answers."""
        allow(actor, Action.ANSWER)
        issue = self._answerable(actor, issue_id)
        kept = [self.files.keep(upload, AttachmentKind.ANSWER) for upload in files]
        return self.queue.move(
            issue.id, "rectify", actor.who, note=text, attachments=kept, seen_version=seen_version
        )

    def answer_all(self, actor: Actor, table: Path) -> tuple[list[int], list[int]]:
        """A table of answers, taken in all or not at all: the issues rectified, and those whose answer was known.

        Raises BadConfig with every fault of the table, its photos, and the states of the issues it names.
        """
        allow(actor, Action.ANSWER)
        faults: list[Fault] = []
        answers = read_answers(table, faults)
        new, known = [], []
        for answer in answers:
            place = f"line {answer.line}"
            try:
                issue = self._answerable(actor, answer.issue_id)
                if answer.key in self.queue.answers(issue.id):
                    known.append(issue.id)
                    continue
                target_of(issue.state, "rectify", None, answer.text)
                kept = () if faults else [self.files.keep(p, AttachmentKind.ANSWER) for p in answer.photos]
            except BadInput as error:
                faults.append(Fault(str(table), place, str(error)))
            else:
                new.append((issue, answer, kept))
        demand(faults)
        self.queue.rectify_all(
            [
                Answered(issue.id, issue.version, answer.text, answer.key, tuple(kept))
                for issue, answer, kept in new
            ],
            actor.who,
        )
        return [issue.id for issue, _, _ in new], known

    def _answerable(self, actor: Actor, issue_id: int) -> Issue:
        """An assisting department sees an issue, the lead answers it."""
        issue = self.get(actor, issue_id)
        if actor.bound_to not in (None, issue.department):
            raise NotAllowed(f"issue {issue.id} is answered by its lead, {issue.department}")
        return issue

    def close(
        self, actor: Actor, issue_id: int, *, note: str | None = None, seen_version: int | None = None
    ) -> Issue:
        allow(actor, Action.ACCEPT)
        return self.queue.move(issue_id, "close", actor.who, note=note, seen_version=seen_version)

    def reopen(
        self,
        actor: Actor,
        issue_id: int,
        reason: str,
        *,
        files: Sequence[Upload] = (),
        kind: AttachmentKind = AttachmentKind.NOTE,
        seen_version: int | None = None,
    ) -> Issue:
        """Back to the department, which has its working hours anew."""
        allow(actor, Action.ACCEPT)
        kept = [self.files.keep(upload, kind) for upload in files]
        return self.queue.move(
            issue_id,
            "reopen",
            actor.who,
            reason=reason,
            attachments=kept,
            sets={"due_at": self.due_anew(issue_id)},
            seen_version=seen_version,
        )

    def inspected(
        self,
        actor: Actor,
        issue_id: int,
        note: str,
        *,
        files: Mapping[AttachmentKind, Sequence[Upload]],
        details: Mapping[str, Any],
        seen_version: int | None = None,
    ) -> Issue:
        """The place was looked at again after an answer: what was seen, kept with the issue, which stays as it is."""
        allow(actor, Action.ACCEPT)
        kept = [self.files.keep(upload, kind) for kind, uploads in files.items() for upload in uploads]
        return self.queue.remark(
            issue_id,
            "inspected",
            actor.who,
            note=note,
            attachments=kept,
            details=details,
            seen_version=seen_version,
        )

    def due_anew(self, issue_id: int) -> datetime:
        """Until when an issue is due that goes back to its department now."""
        return assignment(self.settings, self.queue.get(issue_id), self.now()).due_at

    def _own(self, actor: Actor, issue: Issue) -> Issue:
        """An issue of others does not exist for a department."""
        own = actor.bound_to
        if own is not None and not issue.concerns(own):
            raise UnknownIssue(issue.id)
        return issue

    def _sees_both(self, actor: Actor, link: Link) -> bool:
        own = actor.bound_to
        if own is None:
            return True
        return all(self.queue.get(number).concerns(own) for number in (link.issue_id, link.other_id))

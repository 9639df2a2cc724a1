"""`issues`, after review: dispatch, answers, acceptance, duplicates and reminders."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.actors import ME, Who, actor_of, desk_of, opened_desk
from detector.cli.common import AsJson, Folder, now, open_shop, settings_in
from detector.cli.output import complain, say, say_json, table
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.dispatch.attachments import Upload
from detector.dispatch.desk import Desk
from detector.issues.lifecycle import State
from detector.issues.values import Issue, IssueFilter, IssueOrder, Order
from detector.people import Action, allow
from detector.pipeline.accept import inspect_all

Number = Annotated[int, typer.Argument(help="The issue's number.")]
Numbers = Annotated[list[int] | None, typer.Argument(help="The issues' numbers.")]
Note = Annotated[str | None, typer.Option("--note", help="A remark for the history.")]
Because = Annotated[str, typer.Option("--reason", help="Why.")]
Files = Annotated[
    list[Path] | None, typer.Option("--photo", help="A picture (JPEG, PNG) or PDF; may be repeated.")
]


def add_to(app: typer.Typer) -> None:
    for command in (
        dispatch, orders, recall, rectify, answers, accept, close, reopen, merge, apart, withdraw, reconsider, remind
    ):  # fmt: skip
        app.command()(command)


def dispatch(
    numbers: Numbers = None,
    folder: Folder = Path(),
    everything: Annotated[
        bool, typer.Option("--all", help="Everything that is confirmed, and nobody else claims.")
    ] = False,
    department: Annotated[str | None, typer.Option("--department", help="Not whom the routes say.")] = None,
    assisting: Annotated[
        list[str] | None, typer.Option("--assisting", help="Who helps; may be repeated.")
    ] = None,
    due: Annotated[
        str | None, typer.Option("--due", help="Not the deadline of the tables: 2026-01-08T17:00.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="An order an issue, not one a department.")] = False,
    although: Annotated[
        str | None, typer.Option("--although", help="Why suspected duplicates must both go out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say where they would go.")] = False,
    note: Note = None,
    who: Who = ME,
    as_json: AsJson = False,
) -> None:
    """Send confirmed issues to their departments (交办), each with its deadline.

    Example: kerbwatch issues dispatch --all --as dispatcher.wang
    """
    with opened_desk(folder) as desk:
        actor, settings = actor_of(desk, who), desk.settings
        chosen = _confirmed(desk, who) if everything else list(numbers or ())
        if not chosen and not everything:
            raise BadInput("name the issues to dispatch, or say --all")
        forecast = desk.forecast(actor, chosen)
        for warning in sorted({one.warning for one in forecast if one.warning}):
            complain(f"warning: {warning}")
        if dry_run:
            if as_json:
                say_json([one.to_json() for one in forecast])
                return
            rows = [
                (f.issue_id, f.department, ", ".join(f.assisting), f.grid, local(f.due_at, settings))
                for f in forecast
            ]
            table("", ("issue", "department", "assisting", "grid", "due"), rows)
            return
        made = desk.dispatch(
            actor, chosen, department=department, assisting=assisting, due_at=_moment(due, settings),
            note=note, one_order_each=each, duplicates_because=although,
        )  # fmt: skip
    _tell_orders(made, settings, as_json=as_json)


def _confirmed(desk: Desk, who: str) -> list[int]:
    found = desk.queue.find(IssueFilter(states=(State.CONFIRMED,)), order=IssueOrder.OLDEST)
    at = desk.now()
    return [
        issue.id
        for issue in found
        if issue.claimed_by in (None, who) or issue.claimed_until is None or issue.claimed_until <= at
    ]


def orders(
    folder: Folder = Path(),
    who: Who = ME,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The dispatch orders, newest first.

    Example: kerbwatch issues orders
    """
    with opened_desk(folder) as desk:
        found, settings = desk.orders(actor_of(desk, who), limit=limit), desk.settings
    _tell_orders(found, settings, as_json=as_json)


def _tell_orders(orders: list[Order], settings: Settings, *, as_json: bool) -> None:
    if as_json:
        say_json([order.to_json() for order in orders])
        return
    rows = [
        (
            order.number, order.department, settings.departments[order.department].name,
            ", ".join(map(str, order.issue_ids)), local(order.due_at, settings), order.issued_by,
        )
        for order in orders
    ]  # fmt: skip
    table("", ("order", "department", "", "issues", "due", "by"), rows)
    say(f"{len(orders)} orders, {sum(len(order.issue_ids) for order in orders)} issues")


def recall(number: Number, because: Because, folder: Folder = Path(), who: Who = ME) -> None:
    """Take back what went to the wrong department; it is confirmed again and can be dispatched anew.

    Example: kerbwatch issues recall 12 --reason "belongs to the street office"
    """
    with opened_desk(folder) as desk:
        _tell(desk.recall(actor_of(desk, who), number, because))


def rectify(
    number: Number,
    note: Annotated[str, typer.Option("--note", help="What was done.")],
    folder: Folder = Path(),
    photo: Files = None,
    who: Who = ME,
) -> None:
    """A department's answer: it is put right (待验收), with pictures.

    Example: kerbwatch issues rectify 12 --note 已清理 --photo after.jpg --as housing.zhao
    """
    with opened_desk(folder) as desk:
        files = [Upload.of(path) for path in photo or ()]
        _tell(desk.rectify(actor_of(desk, who), number, note, files=files))


def answers(
    file: Annotated[Path, typer.Argument(help="A CSV table: 编号/issue, 整改情况/answer, 照片/photos.")],
    folder: Folder = Path(),
    who: Who = ME,
    as_json: AsJson = False,
) -> None:
    """A department's answers as a table, taken in all or not at all; doing it twice changes nothing.

    Example: kerbwatch issues answers housing.csv --as housing.zhao
    """
    with opened_desk(folder) as desk:
        new, known = desk.answer_all(actor_of(desk, who), file)
    if as_json:
        say_json({"rectified": new, "known": known})
        return
    say(f"{len(new)} issues rectified, {len(known)} answers were known")


def accept(numbers: Numbers = None, folder: Folder = Path(), who: Who = ME, as_json: AsJson = False) -> None:
    """Look again at what was put right: the next recordings are judged at that place.

    What stands there still is reopened with the proof; for the rest an after-picture is kept, and a person decides.

    Example: kerbwatch issues accept
    """
    settings = settings_in(folder)
    with open_shop(settings) as shop, desk_of(settings) as desk:
        allow(actor_of(desk, who), Action.ACCEPT)
        for number in numbers or ():
            if (state := desk.queue.get(number).state) is not State.RECTIFIED:
                raise BadInput(f"issue {number} is {state}; only what is rectified can be looked at again")
        looked = list(inspect_all(shop, desk, now(), numbers or ()))
    if as_json:
        say_json([one.to_json() for one in looked])
        return
    if looked:
        rows = [(i.issue_id, i.outcome, i.state, i.why) for i in looked]
        table("", ("issue", "outcome", "state", "why"), rows)
    say(f"{len(looked)} issues looked at")


def close(numbers: Numbers = None, folder: Folder = Path(), note: Note = None, who: Who = ME) -> None:
    """Accept what was put right (已销号).

    Example: kerbwatch issues close 12 13 --as dispatcher.wang
    """
    with opened_desk(folder) as desk:
        actor = actor_of(desk, who)
        for number in _some(numbers):
            _tell(desk.close(actor, number, note=note))


def reopen(
    number: Number, because: Because, folder: Folder = Path(), photo: Files = None, who: Who = ME
) -> None:
    """Send it back (退回重办): it was not put right.

    Example: kerbwatch issues reopen 12 --reason "half of it is still there"
    """
    with opened_desk(folder) as desk:
        files = [Upload.of(path) for path in photo or ()]
        _tell(desk.reopen(actor_of(desk, who), number, because, files=files))


def merge(
    number: Number,
    into: Annotated[int, typer.Option("--into", help="The issue that lives on.")],
    because: Annotated[str, typer.Option("--reason", help="Why.")] = "duplicate",
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Make an issue part of another (已合并): they are about one object.

    Example: kerbwatch issues merge 13 --into 12
    """
    with opened_desk(folder) as desk:
        _tell(desk.merge(actor_of(desk, who), number, into, because))


def apart(
    number: Number,
    other: Annotated[int, typer.Argument(help="The other issue's number.")],
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Say that two issues that were suspected of being about one object are two.

    Example: kerbwatch issues apart 13 12
    """
    with opened_desk(folder) as desk:
        desk.tell_apart(actor_of(desk, who), number, other)
    say(f"issues {number} and {other} are two")


def withdraw(number: Number, because: Because, folder: Folder = Path(), who: Who = ME) -> None:
    """Give an issue up (已撤销).

    Example: kerbwatch issues withdraw 12 --reason "road works, permit 2026-17"
    """
    with opened_desk(folder) as desk:
        _tell(desk.withdraw(actor_of(desk, who), number, because))


def reconsider(number: Number, because: Because, folder: Folder = Path(), who: Who = ME) -> None:
    """Undo a decision: the issue is flagged again (待审核).

    Example: kerbwatch issues reconsider 12 --reason "rejected by mistake"
    """
    with opened_desk(folder) as desk:
        _tell(desk.reconsider(actor_of(desk, who), number, because))


def remind(folder: Folder = Path(), who: Who = ME, as_json: AsJson = False) -> None:
    """Announce deadlines that come near or are over; each once, by webhook and in this list.

    Example: kerbwatch issues remind
    """
    with opened_desk(folder) as desk:
        sent, settings = desk.remind(actor_of(desk, who)), desk.settings
    if as_json:
        say_json([reminder.to_json() for reminder in sent])
        return
    rows = [(r.issue_id, r.kind, r.to, local(r.due_at, settings)) for r in sent]
    if rows:
        table("", ("issue", "what", "to", "due"), rows)
    say(f"{len(sent)} reminders")


def local(at: datetime | None, settings: Settings) -> str:
    return f"{at.astimezone(settings.timezone):%Y-%m-%d %H:%M}" if at else ""


def _moment(text: str | None, settings: Settings) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"--due: {text!r} is not a time such as 2026-01-08T17:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=settings.timezone)


def _some(numbers: list[int] | None) -> list[int]:
    if not numbers:
        raise BadInput("name an issue or more")
    return numbers


def _tell(issue: Issue) -> None:
    say(f"issue {issue.id} is {issue.state} ({issue.state.zh})")

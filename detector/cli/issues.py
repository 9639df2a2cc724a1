"""`issues`: the queue from the command line."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from detector.cli import loop
from detector.cli.actors import ME, Who, actor_of, desk_of, opened_desk
from detector.cli.common import AsJson, Folder, Points, now, settings_in
from detector.cli.loop import local
from detector.cli.output import say, say_json, table
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.times import Interval, local_day
from detector.core.values import Category, Violation
from detector.core.wording import clock_en, stood_en
from detector.database import Database
from detector.dispatch.desk import Desk
from detector.evidence import verify_stored
from detector.issues.lifecycle import REJECT_REASONS, State
from detector.issues.values import HistoryRow, Issue, IssueFilter
from detector.keeping.heads import Head, add_head, keys_for, read_heads, verify_heads
from detector.runs.removals import Removals
from detector.signing import PublicKey, timestamp_request
from detector.storage import open_store

app = typer.Typer(
    help="The queue of issues: review, dispatch, answers, acceptance, and what became of each.",
    no_args_is_help=True,
)
Number = Annotated[int, typer.Argument(help="The issue's number.")]
Numbers = Annotated[list[int], typer.Argument(help="The issues' numbers.")]
Note = Annotated[str | None, typer.Option("--note", help="A remark for the history.")]


loop.add_to(app)


@app.command("list")
def list_(
    folder: Folder = Path(),
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only in this state; may be repeated.")
    ] = None,
    violation: Annotated[
        list[Violation] | None, typer.Option("--violation", help="Only this violation.")
    ] = None,
    point: Points = None,
    category: Annotated[
        list[Category] | None, typer.Option("--category", help="Only at points of this category.")
    ] = None,
    department: Annotated[
        list[str] | None, typer.Option("--department", help="Only what it leads or assists.")
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should have been answered.")] = False,
    day: Annotated[
        str | None, typer.Option("--day", help="Only issues that touch this day, 2026-01-08.")
    ] = None,
    who: Who = ME,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """The issues, newest first.

    Example: kerbwatch issues list --state flagged --point p017
    """
    settings = settings_in(folder)
    for name in point or ():
        settings.point(name)
    with desk_of(settings) as desk:
        wanted = IssueFilter(
            states=tuple(state or ()),
            violations=tuple(violation or ()),
            points=_points(desk, point, category),
            period=_day(day, settings) if day else None,
            departments=tuple(department or ()),
            overdue=overdue,
        )
        actor = actor_of(desk, who)
        found = desk.find(actor, wanted, limit=limit)
        counts = desk.counts(actor, "state", wanted)
    if as_json:
        say_json([issue.to_json() for issue in found])
        return
    table(
        "",
        (
            "no.",
            "state",
            "violation",
            "point",
            "zone",
            f"from ({settings.timezone})",
            "stood",
            "department",
            "due",
            "claimed by",
        ),
        [_row(i, settings) for i in found],
        right=("no.",),
    )
    total = sum(counts.values())
    say(f"{len(found)} of {total} issues" + ("" if len(found) == total else "; --limit shows more"))


def _points(desk: Desk, named: list[str] | None, categories: list[Category] | None) -> tuple[str, ...]:
    """The points named, those of the categories, or, with both, the points that are in both; none is all."""
    if not categories:
        return tuple(named or ())
    of_them = desk.points_of(*categories)
    chosen = tuple(point for point in of_them if not named or point in named)
    if not chosen:
        raise BadInput("--category: no such point")
    return chosen


def _row(issue: Issue, settings: Settings) -> tuple[object, ...]:
    start = issue.interval.start.astimezone(settings.timezone)
    return (
        issue.id, issue.state, issue.violation, issue.point_id, issue.zone_id or "-", f"{start:%Y-%m-%d %H:%M:%S}",
        stood_en(issue.seen_s, issue.interval.duration_s), issue.department or "", local(issue.due_at, settings),
        issue.claimed_by or "",
    )  # fmt: skip


def _day(day: str, settings: Settings) -> Interval:
    try:
        return local_day(date.fromisoformat(day), settings.timezone)
    except ValueError as error:
        raise BadInput(f"--day: {day!r} is not a day such as 2026-01-08") from error


@app.command()
def show(number: Number, folder: Folder = Path(), who: Who = ME, as_json: AsJson = False) -> None:
    """One issue with its explanation, evidence and history.

    Example: kerbwatch issues show 12
    """
    settings = settings_in(folder)
    with desk_of(settings) as desk:
        actor = actor_of(desk, who)
        issue, history = desk.get(actor, number), desk.history(actor, number)
        evidence, attached = desk.evidence(actor, number), desk.attachments(actor, number)
        links = desk.links(actor, number)
        earlier = desk.earlier_here(actor, number) if settings.loop else []
        paths = {file.public_id: str(desk.files.path(file)) for file in attached}
    root = settings.evidence_root
    if as_json:
        say_json(
            {
                **issue.to_json(),
                "history": [row.to_json() for row in history],
                "evidence": [row.to_json() for row in evidence],
                "evidence_root": str(root),
                "attachments": [file.to_json() | {"path": paths[file.public_id]} for file in attached],
                "links": [link.to_json() for link in links],
                "earlier_here": [one.id for one in earlier],
            }
        )
        return
    start, end = (at.astimezone(settings.timezone) for at in (issue.interval.start, issue.interval.end))
    say(f"issue {issue.id}: {issue.violation} ({settings.codes[issue.violation].name}), {issue.state}")
    say(f"where: {issue.point_id} {settings.point(issue.point_id).name}, zone {issue.zone_id or '-'}")
    say(f"when: {start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} ({clock_en(settings.timezone, start)})")
    say(f"why: {issue.explanation}\n     {issue.explanation_zh}")
    if issue.department:
        others = f", with {', '.join(issue.assisting)}" if issue.assisting else ""
        say(f"who: {issue.department}{others}; grid {issue.grid or '-'}; due {local(issue.due_at, settings)}")
    if earlier:
        say(
            f"again: {len(earlier)} before it at this place: {', '.join(str(one.id) for one in earlier[:10])}"
        )
    for link in links:
        say(f"link: {link.issue_id} and {link.other_id}: {link.kind}")
    files = [(f"{root}/{e.folder}/{e.name}", e.size_bytes, e.sha256[:16]) for e in evidence]
    files += [(f"{a.kind}: {paths[a.public_id]} ({a.name})", a.size_bytes, a.sha256[:16]) for a in attached]
    table("", ("file", "bytes", "SHA-256"), files)
    table(
        "",
        ("version", "at", "who", "move", "state", "reason", "note"),
        [_history_row(h, settings) for h in history],
    )


def _history_row(row: HistoryRow, settings: Settings) -> tuple[object, ...]:
    at = row.at.astimezone(settings.timezone)
    return (
        row.version,
        f"{at:%Y-%m-%d %H:%M:%S}",
        row.who,
        row.move,
        row.to_state,
        row.reason or "",
        row.note or "",
    )


@app.command()
def claim(
    number: Number,
    folder: Folder = Path(),
    who: Who = ME,
    lease_s: Annotated[
        float, typer.Option("--lease", min=1, help="Seconds until the claim runs out.")
    ] = 900.0,
) -> None:
    """Take an issue for review, so that nobody else decides it meanwhile.

    Example: kerbwatch issues claim 12 --as officer.li
    """
    with opened_desk(folder) as desk:
        issue, zone = desk.claim(actor_of(desk, who), number, lease_s), desk.settings.timezone
    assert issue.claimed_until is not None
    until = issue.claimed_until.astimezone(zone)
    say(f"issue {issue.id} is claimed by {issue.claimed_by} until {until:%H:%M:%S} ({clock_en(zone, until)})")


@app.command()
def confirm(numbers: Numbers, folder: Folder = Path(), who: Who = ME, note: Note = None) -> None:
    """The violation is real (已立案). Of several, each is decided by itself, in order; a refusal ends it.

    Example: kerbwatch issues confirm 12 13 --as officer.li
    """
    with opened_desk(folder) as desk:
        actor = actor_of(desk, who)
        for number in numbers:
            issue = desk.confirm(actor, number, note=note)
            say(f"issue {issue.id} is {issue.state} ({issue.state.zh})")


@app.command()
def reject(
    numbers: Numbers,
    reason: Annotated[str, typer.Option("--reason", help=f"One of: {', '.join(REJECT_REASONS)}.")],
    folder: Folder = Path(),
    who: Who = ME,
    note: Note = None,
) -> None:
    """It is no violation (已驳回), with the reason. Of several, each is decided by itself, in order; a refusal ends it.

    Example: kerbwatch issues reject 12 --reason permitted_activity
    """
    with opened_desk(folder) as desk:
        actor = actor_of(desk, who)
        for number in numbers:
            issue = desk.reject(actor, number, reason, note=note)
            say(
                f"issue {issue.id} is {issue.state} ({issue.state.zh}): {reason} ({REJECT_REASONS[reason].zh})"
            )


@app.command()
def verify(
    folder: Folder = Path(),
    heads: Annotated[
        Path | None, typer.Option("--heads", help="A copy of the signed heads that was kept elsewhere.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key to trust; those of the folder if left out.")
    ] = None,
) -> None:
    """Check the database, the chains of history and log, the signed heads, and the hash of every evidence and attached file.

    Exit 1: something is wrong, 2: the database itself is damaged.

    Example: kerbwatch issues verify
    """
    settings = settings_in(folder)
    store = open_store(settings.evidence_root)
    with Database.open(settings.database_url) as database:
        database.check()
    with desk_of(settings) as desk:
        queue = desk.queue
        faults = [*queue.verify(), *desk.log.verify()]
        signed = read_heads(heads or settings.heads_file)
        keys = (PublicKey.read(key),) if key else keys_for(settings)
        faults += verify_heads(signed, queue, desk.log, keys)
        issues = queue.find()
        folders = {row.folder for issue in issues for row in queue.evidence(issue.id)}
        attached = [file for issue in issues for file in queue.attachments(issue.id)]
    with Database.open(settings.database_url) as database:
        folders -= Removals(database).removed("evidence")
        faults += [fault for file in attached if (fault := desk.files.fault(file))]
    faults += [f"{name}: {fault}" for name in sorted(folders) for fault in verify_stored(store, name)]
    for fault in faults:
        say(fault)
    say(_signed_words(signed))
    say(f"{len(issues)} issues, {len(folders)} folders of evidence, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)


def _signed_words(signed: Sequence[Head]) -> str:
    if not signed:
        return "no signed head: nothing shows whether all of it was written anew (`kerbwatch issues sign` adds one)"
    return f"{len(signed)} signed heads, the last: {signed[-1].words}"


@app.command()
def sign(
    folder: Folder = Path(),
    request: Annotated[
        Path | None,
        typer.Option(
            "--request", help="Write a time stamp request (RFC 3161) for the head to this new file."
        ),
    ] = None,
) -> None:
    """Sign the last rows of history and log, and add them to the file of heads. The nightly service does it every day.

    A time stamp authority's answer to the request proves when the head existed: send it with
    `curl -H 'Content-Type: application/timestamp-query' --data-binary @head.tsq URL`.

    Example: kerbwatch issues sign -C county --request head.tsq
    """
    settings = settings_in(folder)
    if request is not None and request.exists():
        raise BadInput(f"{request} is there already")
    with Database.open(settings.database_url) as database:
        head = add_head(settings, database, now())
    say(f"{settings.heads_file}: {head.words}")
    if request is not None:
        request.write_bytes(timestamp_request(head.line, secrets.randbits(63)))
        request.with_suffix(".json").write_bytes(head.line)
        say(f"{request}: a time stamp request for {request.with_suffix('.json')}, which holds the head")

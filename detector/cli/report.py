"""`report`: figures, ledger, letters, the daily brief, and evidence to be taken out."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.actors import ME, Who, actor_of
from detector.cli.archive import coverage_of
from detector.cli.common import (
    AsJson,
    Days,
    Folder,
    Until,
    chosen,
    now,
    period_of,
    settings_in,
    sight_of,
)
from detector.cli.output import complain, say, say_json, table
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.files import replace_atomically
from detector.core.times import Interval, days_of
from detector.core.wording import clock_en, clock_zh
from detector.database import Database
from detector.dispatch import Desk
from detector.footage.coverage import PointCoverage
from detector.issues import Issue, IssueFilter, State
from detector.issues.values import AWAITING_ANSWER
from detector.keeping.heads import last_head
from detector.people import Actor
from detector.reporting.brief import Brief, CameraSeen, brief_html, write_brief
from detector.reporting.documents import template_file, write_templates
from detector.reporting.ledger import Titles, ledger_csv, ledger_json, write_ledger
from detector.reporting.letter import Letter, letters, write_letter
from detector.reporting.pictures import EvidencePictures, Pictures, Sight, evidence_in, no_pictures
from detector.reporting.rows import LedgerRow, department_of, ledger_rows
from detector.reporting.statistics import Statistics, Tally, statistics
from detector.reporting.takeout import TakenOut, take_out
from detector.reporting.wording import COUNTS, RATES, Language, name, percent
from detector.storage import open_store

app = typer.Typer(
    help="The papers: figures, ledger (台账), dispatch letters (交办函), daily brief (日报).",
    no_args_is_help=True,
)
Lang = Annotated[Language, typer.Option("--lang", help="Language of headings and names.")]
Full = Annotated[
    bool, typer.Option("--full", help="Full pictures, without masking; for those who may have them.")
]
NoPictures = Annotated[bool, typer.Option("--no-pictures", help="Leave pictures out.")]
OneDepartment = Annotated[str | None, typer.Option("--department", help="Only this department, by its id.")]


class Breakdown(StrEnum):
    """How figures are broken down."""

    DEPARTMENT = "department"
    VIOLATION = "violation"
    POINT = "point"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Office:
    """What every paper needs."""

    settings: Settings
    desk: Desk
    actor: Actor
    at: datetime

    def rows(
        self, what: str, wanted: IssueFilter, *, full: bool = False, only: Sequence[int] | None = None
    ) -> list[LedgerRow]:
        """The issues of a paper, those of a period by when they began; taking them out is logged."""
        issues = self.desk.export(self.actor, what, wanted, only=only, masked=not full)
        rows = ledger_rows(self.desk.queue, self.settings, issues)
        return [row for row in rows if wanted.period is None or row.start in wanted.period]

    def pictures(self, *, full: bool, none: bool) -> Pictures:
        if none:
            return no_pictures
        return EvidencePictures(evidence_in(self.settings.evidence_root), None if full else self.sight())

    def sight(self) -> Sight:
        return sight_of(self.settings)


@contextmanager
def _office(folder: Path, who: str) -> Iterator[Office]:
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        desk = Desk(database, settings)
        yield Office(settings, desk, actor_of(desk, who), now().astimezone(settings.timezone))


@app.command()
def stats(
    folder: Folder = Path(),
    until: Until = None,
    days: Days = None,
    by: Annotated[
        list[Breakdown] | None, typer.Option("--by", help="Only this breakdown; may be repeated.")
    ] = None,
    language: Lang = Language.ZH,
    who: Who = ME,
    as_json: AsJson = False,
) -> None:
    """Found, confirmed, rejected, dispatched, on time, overdue and the rates, of the issues of a period.

    Example: kerbwatch report stats -C county --until 2026-01-30 --days 30 --by department
    """
    with _office(folder, who) as office:
        period = period_of(office.settings, until, days)
        figures = statistics(office.rows("statistics", IssueFilter(period=period)), period, office.at)
    if as_json:
        say_json(figures.to_json())
        return
    for breakdown in by or list(Breakdown):
        _figures_table(figures, breakdown, language)


@app.command()
def ledger(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write: .xlsx, .csv or .json.")],
    folder: Folder = Path(),
    until: Until = None,
    days: Days = None,
    department: OneDepartment = None,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only in this state; may be repeated.")
    ] = None,
    language: Lang = Language.ZH,
    full: Full = False,
    without: NoPictures = False,
    who: Who = ME,
) -> None:
    """The ledger (台账): a workbook with pictures, filters and a sheet a department; or CSV or JSON.

    Example: kerbwatch report ledger -C county --until 2026-01-30 --out ledger.xlsx
    """
    kind = _suffix(out, (".xlsx", ".csv", ".json"))
    with _office(folder, who) as office:
        period = period_of(office.settings, until, days)
        wanted = IssueFilter(
            period=period, states=tuple(state or ()), departments=_departments(department, office.settings)
        )
        rows = office.rows(f"ledger{kind}", wanted, full=full)
        if kind == ".csv":
            write_whole(out, ledger_csv(rows, office.at, language))
        elif kind == ".json":
            write_whole(out, ledger_json(rows, office.at).encode())
        else:
            figures = statistics(rows, period, office.at)
            pictures = office.pictures(full=full, none=without)
            with replace_atomically(out) as path, path.open("wb") as file:
                write_ledger(file, rows, figures, pictures, _titles(office, period, language), language)
    say(f"{len(rows)} issues in {out}")


@app.command()
def letter(
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder; a letter a department is put there.")],
    folder: Folder = Path(),
    order: Annotated[
        str | None, typer.Option("--order", help="The letter of this order, by its number.")
    ] = None,
    issue: Annotated[int | None, typer.Option("--issue", help="A letter about this issue alone.")] = None,
    department: OneDepartment = None,
    each: Annotated[bool, typer.Option("--each", help="A letter an issue, not one a department.")] = False,
    note: Annotated[str, typer.Option("--note", help="A remark for the letter.")] = "",
    full: Full = False,
    without: NoPictures = False,
    who: Who = ME,
) -> None:
    """Dispatch letters (交办函) as .docx: of an order, of an issue, or of all that departments must still answer.

    Example: kerbwatch report letter -C county --order JB-20260108-001 --out letters
    """
    with _office(folder, who) as office:
        if issue is not None:
            office.desk.get(office.actor, issue)
        wanted = IssueFilter(
            states=() if order or issue else AWAITING_ANSWER,
            departments=_departments(department, office.settings),
        )
        made = _letters_of(office, wanted, order, issue, full=full, note=note)
        made = [part for one in made for part in one.each()] if each else made
        if not made:
            raise BadInput("no department has anything to answer; there is no letter to write")
        template = template_file("letter.docx", office.settings.folder)
        pictures = office.pictures(full=full, none=without)
        out.mkdir(parents=True, exist_ok=True)
        for one in made:
            path = out / f"{_file_name(one, one.rows[0].number if each else issue)}.docx"
            write_whole(path, write_letter(one, template, pictures))
            say(f"{path}: {one.recipient.zh}, {len(one.rows)} issues")


def _letters_of(
    office: Office, wanted: IssueFilter, order: str | None, issue: int | None, *, full: bool, note: str
) -> list[Letter]:
    county, day = office.settings.name, office.at.date()
    if order is not None:
        ordered = office.desk.order(office.actor, order)
        rows = office.rows(f"letter {order}", wanted, full=full, only=ordered.issue_ids)
        recipient = department_of(ordered.department, office.settings)
        issued = ordered.issued_at.astimezone(office.settings.timezone).date()
        return (
            [Letter(county, order, recipient, issued, tuple(rows), note or ordered.note or "")]
            if rows
            else []
        )
    rows = office.rows("letter", wanted, full=full, only=None if issue is None else [issue])
    own = wanted.departments or ((office.actor.bound_to,) if office.actor.bound_to else ())
    # What a department only assists with is in its lead's letter, whole; half of that would be wrong.
    rows = [row for row in rows if row.department.id and (not own or row.department.id in own)]
    if issue is not None and not rows:
        raise BadInput(f"issue {issue} has no department yet; dispatch it first")
    number = rows[0].order if issue is not None else ""
    return letters(rows, county, day, number=number, note=note)


@app.command()
def brief(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write: .docx or .html.")],
    folder: Folder = Path(),
    day: Annotated[
        str | None, typer.Option("--day", help="The day, such as 2026-01-30; yesterday if left out.")
    ] = None,
    days: Days = None,
    full: Full = False,
    without: NoPictures = False,
    no_coverage: Annotated[
        bool, typer.Option("--no-coverage", help="Do not read the archive for what was recorded.")
    ] = False,
    who: Who = ME,
) -> None:
    """The daily brief (日报): the day's issues, what departments did, what is late, what was not seen.

    Example: kerbwatch report brief -C county --day 2026-01-30 --out brief.docx
    """
    kind = _suffix(out, (".docx", ".html"))
    with _office(folder, who) as office:
        made = brief_of(office, day, days, full=full, coverage=not no_coverage)
        pictures = office.pictures(full=full, none=without)
        if kind == ".html":
            write_whole(out, brief_html(made, pictures).encode())
        else:
            write_whole(out, brief_document(office, made, pictures))
    say(f"{out}: {made.day}, {len(made.of_the_day)} issues of the day, {len(made.overdue)} overdue")


def brief_of(
    office: Office, day: str | None, days: int | None, *, full: bool = False, coverage: bool = True
) -> Brief:
    """What a day's brief tells, yesterday's if none is named. Raises BadInput for what is not a day."""
    settings = office.settings
    last = period_of(settings, day, 1)
    the_day = last.start.astimezone(settings.timezone).date()
    rows = office.rows(f"brief {the_day}", IssueFilter(period=period_of(settings, day, days)), full=full)
    seen = None
    if coverage:
        seen = _seen(coverage_of(settings, chosen(settings, None), last, quiet=True), settings)
    head = last_head(settings.heads_file)
    return Brief(
        settings.name,
        the_day,
        office.at,
        days or settings.period_days,
        tuple(rows),
        seen,
        head.words if head else "",
    )


def brief_document(office: Office, brief: Brief, pictures: Pictures) -> bytes:
    """The brief as a Word document, by the working folder's template."""
    return write_brief(brief, template_file("brief.docx", office.settings.folder), pictures)


@app.command()
def evidence(
    numbers: Annotated[list[int], typer.Argument(help="The issues' numbers.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder; one for each issue is put there.")],
    folder: Folder = Path(),
    full: Full = False,
    who: Who = ME,
    as_json: AsJson = False,
) -> None:
    """The evidence itself: stills, clip, and what was attached, such as a department's photos; masked.

    Example: kerbwatch report evidence 12 13 -C county --out evidence
    """
    with _office(folder, who) as office:
        for number in numbers:
            office.desk.get(office.actor, number)
            if (out / f"issue-{number}").exists():
                raise BadInput(f"{out / f'issue-{number}'} is there already")
        issues = office.desk.export(office.actor, "evidence", only=numbers, masked=not full)
        sight, told = None if full else office.sight(), {}
        for issue in issues:
            with _replacing_folder(out / f"issue-{issue.id}") as unfinished:
                told[issue.id] = _take_out(office, issue, unfinished, sight)
    if as_json:
        say_json({str(number): one.to_json() for number, one in told.items()})
        return
    for number, one in told.items():
        for file, why in one.left_out:
            complain(f"issue {number}: {file} is left out: {why}")
        say(f"{out / f'issue-{number}'}: {len(one.files)} files{'' if full else ', masked'}")


def _take_out(office: Office, issue: Issue, to: Path, sight: Sight | None) -> TakenOut:
    store, desk = open_store(office.settings.evidence_root), office.desk
    folders = dict.fromkeys([issue.evidence_folder, *(r.folder for r in desk.queue.evidence(issue.id))])
    attached = [(one, desk.files.path(one)) for one in desk.queue.attachments(issue.id)]
    with ExitStack() as fetched:
        kept = [fetched.enter_context(store.as_folder(name)) for name in folders if name]
        return take_out(kept, attached, issue.box, to, sight)


@app.command()
def templates(folder: Folder = Path()) -> None:
    """Copy the default templates into the working folder, to be edited in Word; from then on they are used.

    Example: kerbwatch report templates -C county
    """
    settings = settings_in(folder)
    written = write_templates(settings.folder)
    for path in written:
        say(f"{path}")
    say(f"{len(written)} templates written" if written else "the templates are there already")


def _figures_table(figures: Statistics, by: Breakdown, language: Language) -> None:
    chinese = language is Language.ZH
    kinds = {
        Breakdown.DEPARTMENT: ("责任部门", figures.by_department),
        Breakdown.VIOLATION: ("违规类型", figures.by_violation),
        Breakdown.POINT: ("点位", figures.by_point),
        Breakdown.DAY: ("日期", figures.by_day),
    }
    heading, tallies = kinds[by]
    columns = [heading if chinese else by.value, *(zh if chinese else en for _, zh, en in COUNTS + RATES)]
    rows = [_figures_row(one, by, language) for one in (*tallies, figures.total)]
    table("", columns, rows, right=columns[1:])


def _figures_row(one: Tally, by: Breakdown, language: Language) -> list[object]:
    called = name(one.of, language)
    if by is Breakdown.POINT and one.of.id:
        called = f"{one.of.id} {called}"
    counts = [getattr(one, field) for field, _, _ in COUNTS]
    return [called, *counts, *(percent(getattr(one, field)) for field, _, _ in RATES)]


def _titles(office: Office, period: Interval, language: Language) -> Titles:
    settings = office.settings
    days = list(days_of(period, settings.timezone))
    made, zone = f"{office.at:%Y-%m-%d %H:%M}", settings.timezone
    if language is Language.EN:
        clock = clock_en(zone, office.at)
        return Titles(
            settings.name_en, f"{days[0]} to {days[-1]}", f"made {made}; all times by the clock of {clock}"
        )
    clock = clock_zh(zone, office.at)
    return Titles(settings.name, f"{days[0]} 至 {days[-1]}", f"生成时间：{made}；所有时间均为{clock}")


def _seen(covered: Sequence[PointCoverage], settings: Settings) -> tuple[CameraSeen, ...]:
    return tuple(
        CameraSeen(
            one.camera.id,
            settings.point(one.point_id).name,
            one.readable_share,
            one.observed_share,
            _why_zh(one),
            one.days[0].facts,
        )
        for one in covered
    )


def _why_zh(one: PointCoverage) -> str:
    """In Chinese, as the brief is, and without paths, which its readers do not know."""
    if one.fault:
        return "录像目录无法读取"
    return "" if one.camera.zones_judged else "示例区域未确认"


def _departments(department: str | None, settings: Settings) -> tuple[str, ...]:
    if department is None:
        return ()
    if department not in settings.departments:
        raise BadInput(f"no department {department!r}; there are {', '.join(settings.departments)}")
    return (department,)


def _file_name(one: Letter, issue: int | None) -> str:
    """Named by number, department and issue: what no file system takes is left out."""
    parts = [one.number, one.recipient.id, f"issue-{issue}" if issue is not None else ""]
    return re.sub(r"[^\w.-]+", "-", "-".join(part for part in parts if part))


def _suffix(path: Path, known: tuple[str, ...]) -> str:
    if path.suffix.lower() not in known:
        raise BadInput(f"--out: {path} should end in {' or '.join(known)}")
    return path.suffix.lower()


def write_whole(path: Path, content: bytes) -> None:
    """Under another name first: a reader sees all of a paper or the one before."""
    with replace_atomically(path) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """The same for a folder, which must be new."""
    unfinished = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)

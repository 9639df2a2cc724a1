"""What the service does by the clock: the nightly scan, and what daily work around it needs nobody for."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from detector.cli.common import chosen, open_shop, prepare
from detector.cli.engines import crew_of, on_engine
from detector.cli.report import Office, brief_document, brief_of, write_whole
from detector.config.engine import EngineName
from detector.config.settings import Settings
from detector.core.errors import BadInput, StorageFull
from detector.core.times import utc_now
from detector.core.wording import duration_en
from detector.database import Database
from detector.dispatch.desk import Desk
from detector.dispatch.webhooks import deliver
from detector.evidence import sweep
from detector.keeping.backup import LEASE as KEEPING
from detector.keeping.heads import add_head
from detector.keeping.retention import retain
from detector.people.roles import PROGRAM
from detector.pipeline.accept import inspect_all
from detector.runs.lease import Leases
from detector.runs.readiness import too_full
from detector.runs.removals import Removal
from detector.runs.runs import Run, Runs, RunState
from detector.scheduling.book import Book
from detector.scheduling.logs import Clock, Log
from detector.scheduling.morning import morning_of, send
from detector.scheduling.night import Orders, run_night
from detector.scheduling.service import Duty, Service, is_night, previous_time

ACCEPTANCE = "acceptance"


@dataclass(frozen=True, slots=True)
class Works:
    """What every duty works with. `stop` is set when the program is asked to end."""

    log: Log
    stop: threading.Event
    workers: int | None = None
    now: Clock = utc_now
    engine: EngineName | None = None
    ray_address: str | None = None


def service_of(settings: Settings, works: Works) -> Service:
    """The service of a working folder, not started yet."""
    return Service(settings.folder, duties(works), works.log)


def duties(works: Works) -> Sequence[Duty]:
    """All that is done by the clock; `nightly` in kerbwatch.yaml says when."""
    return (
        Duty("scan", lambda s: s.nightly.start, partial(scan, works), alone=True, owed=partial(_in_night, works)),
        Duty("summary", lambda s: s.nightly.summary, partial(summary, works), owed=partial(_without_summary, works)),
        Duty("brief", lambda s: s.nightly.brief, partial(brief, works), owed=partial(_without_brief, works)),
        Duty("keeping", lambda s: s.nightly.keeping, partial(keep, works), alone=True),
        Duty("remind", lambda s: s.nightly.remind if s.loop else None, partial(remind, works)),
        Duty("accept", lambda s: s.nightly.accept if s.loop else None, partial(accept, works), alone=True),
        Duty("deliver", _delivery_time, partial(deliver_events, works)),
    )  # fmt: skip


def run_once(settings: Settings, works: Works) -> Run:
    """One run of a night: what is owed, until it is done or the run must stop."""
    settings = on_engine(settings, works.engine, works.ray_address)
    return run_night(
        Orders(
            settings=settings,
            prepare=partial(prepare, settings, chosen(settings, None)),
            tidy=partial(_tidy, settings),
            open_crew=crew_of(settings, works.workers),
            now=works.now,
            engine=settings.engine.name,
            asked_to_stop=works.stop.is_set,
            log=works.log,
            tell=partial(_tell, works.log),
        )
    )


def _tidy(settings: Settings) -> None:
    sweep(settings.evidence_root)


def _tell(log: Log, book: Book) -> None:
    left_s = book.remaining_s()
    log.info(
        "progress",
        days=f"{len(book.done)} of {len(book.owed)}",
        looks=f"{book.looks_done} of {book.looks_owed}",
        remaining="not known yet" if left_s is None else duration_en(round(left_s)),
    )


def scan(works: Works, settings: Settings) -> None:
    """A run. Raises StorageFull where the disk stopped it, so that it is begun again once there is room."""
    full = too_full(settings)
    if full and _was_told(settings):
        raise StorageFull(full)
    run = run_once(settings, works)
    if run.state is RunState.PARTIAL and (full := too_full(settings)):
        raise StorageFull(full)


def _was_told(settings: Settings) -> bool:
    """Whether the last run says already that the disk is full: one row says it, not one every five minutes."""
    with Database.open(settings.database_url) as database:
        runs = Runs(database, Leases(database)).latest(1)
    return any(run.state is RunState.PARTIAL and "disk" in run.summary["ended_because"] for run in runs)


def _in_night(works: Works, settings: Settings) -> bool:
    return is_night(settings, works.now())


def summary(works: Works, settings: Settings) -> None:
    """The morning summary, to whoever is to know, and kept below `state/mornings`."""
    with Database.open(settings.database_url) as database:
        sign_head(works, settings, database)
        told = morning_of(settings, database, works.now())
    send(settings, told, works.log)
    content = json.dumps(told.to_json(), ensure_ascii=False, indent=1)
    write_whole(_summary_file(settings, told.at), content.encode())


def sign_head(works: Works, settings: Settings, database: Database) -> None:
    """Sign the last rows of history and log; what keeps that from being done is logged and costs nothing else."""
    try:
        head = add_head(settings, database, works.now())
    except BadInput as error:
        works.log.failure("the head of the history was not signed", why=str(error))
    else:
        works.log.info("signed", head=head.words)


def _summary_file(settings: Settings, at: datetime) -> Path:
    return settings.state_root / "mornings" / f"{at.astimezone(settings.timezone).date()}.json"


def _without_summary(works: Works, settings: Settings) -> bool:
    """Whether today's time for the summary is over, and there is none: the machine was off, or the database away.

    Not where there never was one: then the service has only just come.
    """
    at = works.now()
    known = _summary_file(settings, at).parent.is_dir() and not _summary_file(settings, at).exists()
    return known and _is_over(settings.nightly.summary, settings, at)


def brief(works: Works, settings: Settings) -> None:
    """The daily brief of yesterday, below `state/briefs`. Written again it is replaced as a whole."""
    at = works.now().astimezone(settings.timezone)
    path = _brief_file(settings, at)
    with Database.open(settings.database_url) as database:
        sign_head(works, settings, database)
        office = Office(settings, Desk(database, settings, works.now), PROGRAM, at)
        made = brief_of(office, path.stem, None)
        write_whole(path, brief_document(office, made, office.pictures(full=False, none=False)))
    works.log.info("brief", file=path, issues=len(made.of_the_day), overdue=len(made.overdue))


def _brief_file(settings: Settings, at: datetime) -> Path:
    yesterday = at.astimezone(settings.timezone).date() - timedelta(days=1)
    return settings.state_root / "briefs" / f"{yesterday}.docx"


def _without_brief(works: Works, settings: Settings) -> bool:
    """Whether today's time for the brief is over, and there is none."""
    at = works.now()
    return not _brief_file(settings, at).exists() and _is_over(settings.nightly.brief, settings, at)


def _is_over(expression: str | None, settings: Settings, at: datetime) -> bool:
    """Whether a time of today has come already."""
    last = None if expression is None else previous_time(expression, settings.timezone, at)
    local = at.astimezone(settings.timezone)
    return last is not None and last.astimezone(settings.timezone).date() == local.date()


def keep(works: Works, settings: Settings) -> None:
    """Retention, logged line by line."""
    with Database.open(settings.database_url) as database, Leases(database).held(KEEPING) as still_mine:

        def removed(one: Removal) -> None:
            works.log.info("removed", kind=one.kind, what=one.what, size_bytes=one.size_bytes, why=one.why)
            still_mine()

        retain(settings, database, works.now(), tell=removed)


def remind(works: Works, settings: Settings) -> None:
    """Reminders and escalation. They go out as webhook events, and stand in the log."""
    with Database.open(settings.database_url) as database:
        for sent in Desk(database, settings, works.now).remind(PROGRAM):
            works.log.info("reminded", **sent.to_json())


def accept(works: Works, settings: Settings) -> None:
    """Looks again at what was put right, one issue at a time."""
    with (
        open_shop(settings) as shop,
        Database.open(settings.database_url) as database,
        Leases(database).held(ACCEPTANCE) as still_mine,
    ):
        for inspection in inspect_all(shop, Desk(database, settings, works.now), works.now()):
            works.log.info("inspected", **inspection.to_json())
            still_mine()
            if works.stop.is_set():
                return


def _delivery_time(settings: Settings) -> str | None:
    return settings.nightly.deliver if settings.loop and settings.loop.endpoints else None


def deliver_events(works: Works, settings: Settings) -> None:
    """One round of the outbox. What an endpoint does not take stays there, and is sent in a later round."""
    with Database.open(settings.database_url) as database:
        for one in deliver(database, settings, works.now):
            if one.sent or one.failed:
                tell = works.log.warning if one.failed else works.log.info
                tell("delivered", **one.to_json())

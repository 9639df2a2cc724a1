"""`nightly`, `runs`: the scan that happens by itself, and what it did."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from detector.cli.common import AsJson, Folder, Workers, chosen, open_shop, prepare, settings_in
from detector.cli.output import complain, say, say_json, table
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.wording import duration_en
from detector.database import Database
from detector.engines.crew import OpenCrew, local_crew
from detector.footage.troubles import Troubles
from detector.keeping.backup import LEASE as KEEPING
from detector.keeping.retention import retain
from detector.runs.lease import Leases
from detector.runs.runs import Run, Runs, RunState
from detector.scheduling.book import Book
from detector.scheduling.endpoint import endpoint
from detector.scheduling.logs import Clock, Log
from detector.scheduling.morning import morning_of, send
from detector.scheduling.night import Orders, run_night
from detector.scheduling.service import Jobs, Service

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", help="Take this for the present, such as 2026-01-10T03:00 in the city's time; with --once."
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command()(nightly)
    app.command()(runs)
    app.command()(quarantine)
    app.command()(morning)


def nightly(
    folder: Folder = Path(),
    once: Annotated[bool, typer.Option("--once", help="Do what is owed now, and end.")] = False,
    as_of: AsOf = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Scan every night by itself: what is owed of the last days, newest first, until all is done or morning comes.

    Without --once it stays and keeps the hours of kerbwatch.yaml (nightly). Exit 0: done, 3: something is still owed.

    Example: kerbwatch nightly -C county --once
    """
    settings = settings_in(folder)
    log = Log(settings.state_root / "logs", to_stderr=not as_json)
    if as_of and not once:
        raise BadInput("--as-of goes with --once")
    now = clock(settings, as_of)
    with _asked_to_stop() as stop:
        if not once:
            _serve(settings, workers, stop, log)
            return
        run = _run(settings, workers, stop, log, now)
    if as_json:
        say_json(run.to_json())
    else:
        show(run)
    if run.state is not RunState.DONE:
        raise typer.Exit(3)


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set by SIGTERM and Ctrl-C; a second one ends the program at once."""
    event = threading.Event()

    def asked(number: int, _frame: object) -> None:
        if event.is_set():
            raise SystemExit(128 + number)
        event.set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(settings: Settings, workers: int | None, stop: threading.Event, log: Log, now: Clock) -> Run:
    return run_night(
        Orders(
            settings=settings,
            prepare=partial(prepare, settings, chosen(settings, None)),
            open_crew=crew_of(settings, workers),
            now=now,
            asked_to_stop=stop.is_set,
            log=log,
            tell=partial(_tell, log),
        )
    )


def crew_of(settings: Settings, workers: int | None) -> OpenCrew:
    nightly = settings.nightly
    return partial(
        local_crew,
        partial(open_shop, settings),
        workers=workers or nightly.workers,
        stall_s=nightly.stall_s,
        limit_s=nightly.recording_limit_s,
    )


def _tell(log: Log, book: Book) -> None:
    left_s = book.remaining_s()
    log.info(
        "progress",
        days=f"{len(book.done)} of {len(book.owed)}",
        looks=f"{book.looks_done} of {book.looks_owed}",
        remaining="not known yet" if left_s is None else duration_en(round(left_s)),
    )


def _serve(settings: Settings, workers: int | None, stop: threading.Event, log: Log) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    def scan(fresh: Settings) -> None:
        _run(fresh, workers, stop, log, now)

    def summary(fresh: Settings) -> None:
        with Database.open(fresh.database_url) as database:
            send(fresh, morning_of(fresh, database, now()), log)

    service = Service(settings.folder, Jobs(scan, summary, partial(_keep, log, now)), log)
    service.start()
    with endpoint(settings, service.alive, now) as url:
        if url:
            log.info("listening", url=url)
        stop.wait()
        log.info("ending")
        service.shut_down()


def _keep(log: Log, now: Clock, settings: Settings) -> None:
    """Retention, logged line by line."""
    with Database.open(settings.database_url) as database:
        leases = Leases(database)
        lease = leases.take(KEEPING)
        try:
            for removal in retain(settings, database, now()):
                log.info(
                    "removed",
                    kind=removal.kind,
                    what=removal.what,
                    size_bytes=removal.size_bytes,
                    why=removal.why,
                )
        finally:
            leases.give_back(lease)


def clock(settings: Settings, as_of: str | None) -> Callable[[], datetime]:
    """The real time, or one that goes on from a given moment. Raises BadInput."""
    began = datetime.now(UTC)
    shift = timedelta()
    if as_of:
        try:
            moment = datetime.fromisoformat(as_of)
        except ValueError as error:
            raise BadInput(f"--as-of: {as_of!r} is no time such as 2026-01-10T03:00") from error
        aware = moment if moment.tzinfo else moment.replace(tzinfo=settings.timezone)
        shift = aware.astimezone(UTC) - began
    return lambda: datetime.now(UTC) + shift


def show(run: Run) -> None:
    """A run's summary, for people."""
    told: dict[str, Any] = dict(run.summary)
    for line in told["trouble_lines"]:
        complain(line)
    for camera, fault in told["camera_faults"].items():
        complain(f"{camera}: {fault}")
    for line in told["quarantined"]:
        complain(f"given up: {line}")
    table(
        "",
        ("camera", "day not done", "why"),
        [(missing["camera"], missing["day"], missing["why"]) for missing in told["missing"]],
    )
    say(
        f"run {run.id}: {run.state}: {told['ended_because']}; {told['days_done']} of {told['days_owed']} owed camera-days "
        f"done; {told['samples']} moments looked at; filed: {told['filed'] or 'nothing'}; {duration_en(told['took_s'])}"
    )
    if told["configuration_changed"]:
        say("the configuration was changed meanwhile; the next run goes by the new one")


def runs(
    folder: Folder = Path(),
    limit: Annotated[int, typer.Option("--limit", min=1, help="The last so many runs.")] = 14,
    as_json: AsJson = False,
) -> None:
    """What the last nightly runs did.

    Example: kerbwatch runs -C county
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        found = Runs(database, Leases(database)).latest(limit)
    if as_json:
        say_json([run.to_json() for run in found])
        return
    rows = []
    for run in found:
        told = run.summary
        rows.append(
            (
                run.id,
                f"{run.started_at.astimezone(settings.timezone):%Y-%m-%d %H:%M}",
                run.state,
                f"{told.get('days_done')} of {told.get('days_owed')}",
                told.get("samples"),
                told.get("issues"),
                told.get("ended_because"),
            )
        )
    table("", ("run", "began", "state", "days", "samples", "issues", "ended because"), rows)


def quarantine(
    folder: Folder = Path(),
    release: Annotated[
        bool, typer.Option("--release", help="Let all of them out, to be tried anew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Recordings that broke workers or could not be read, and which of them are given up.

    Example: kerbwatch quarantine -C county
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        troubles = Troubles(database)
        if release:
            say(f"{troubles.release()} recordings let out of quarantine")
            return
        found = troubles.all()
    if as_json:
        say_json(
            [
                {
                    "camera": t.camera_id,
                    "path": t.path,
                    "kind": t.kind.value,
                    "times": t.times,
                    "given_up": t.given_up,
                    "reason": t.reason,
                    "at": t.at.isoformat(),
                }
                for t in found
            ]
        )
        return
    rows = [(t.camera_id, t.path, t.kind, t.times, "given up" if t.given_up else "", t.reason) for t in found]
    table("", ("camera", "recording", "what", "times", "", "last"), rows)


def morning(
    folder: Folder = Path(),
    deliver: Annotated[
        bool, typer.Option("--send", help="Send it to the webhook and the mail addresses, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What the last night did, what is missing, and what somebody must look after.

    Exit 1: with --send, it could not be sent everywhere.

    Example: kerbwatch morning -C county
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        told = morning_of(settings, database, datetime.now(UTC))
    if as_json:
        say_json(told.to_json())
    else:
        say(told.text())
    if deliver and send(settings, told, Log(settings.state_root / "logs", to_stderr=True)):
        raise typer.Exit(1)

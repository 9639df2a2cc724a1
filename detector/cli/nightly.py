"""`nightly`, `runs`: the scan that happens by itself, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from detector.cli.common import AsJson, Folder, Workers, settings_in
from detector.cli.duties import Works, run_once, service_of
from detector.cli.engines import Engine, RayAddress
from detector.cli.output import complain, say, say_json, table
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.wording import duration_en
from detector.database import Database
from detector.footage.troubles import Troubles
from detector.runs.lease import Leases
from detector.runs.runs import Run, Runs, RunState
from detector.scheduling.endpoint import endpoint
from detector.scheduling.logs import Log
from detector.scheduling.morning import morning_of, send
from detector.scheduling.stopping import asked_to_stop

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
    engine: Engine = None,
    ray_address: RayAddress = None,
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
    with asked_to_stop() as stop:
        works = Works(log, stop, workers, now, engine, ray_address)
        if not once:
            _serve(settings, works)
            return
        run = run_once(settings, works)
    if as_json:
        say_json(run.to_json())
    else:
        show(run)
    if run.state is not RunState.DONE:
        raise typer.Exit(3)


def _serve(settings: Settings, works: Works) -> None:
    service = service_of(settings, works)
    service.start()
    with endpoint(settings, service.alive, works.now) as url:
        if url:
            works.log.info("listening", url=url)
        works.stop.wait()
        works.log.info("ending")
        service.shut_down()


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
    if run.state is RunState.PARTIAL:
        complain(f"stopped before all was done: {told['ended_because']}")
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
    table(
        "",
        ("run", f"began ({settings.timezone})", "state", "days", "samples", "issues", "ended because"),
        rows,
    )


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

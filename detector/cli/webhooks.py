"""`webhooks`: other systems that are told of moves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.actors import ME, Who, actor_of
from detector.cli.common import AsJson, Folder, now, settings_in
from detector.cli.output import say, say_json, table
from detector.config.loop import Endpoint
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.dispatch.desk import Desk
from detector.dispatch.webhooks import deliver
from detector.issues.deliveries import Deliveries
from detector.people import Action, allow

app = typer.Typer(help="Other systems: deliver, status, retry, prune.", no_args_is_help=True)


@app.command("deliver")
def deliver_(folder: Folder = Path(), as_json: AsJson = False) -> None:
    """Send what is owed, oldest first. What fails waits, and is sent again under the same id.

    Example: kerbwatch webhooks deliver
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        done = deliver(database, settings, now)
    if as_json:
        say_json([one.to_json() for one in done])
    else:
        rows = [(one.endpoint, one.sent, one.failed, one.stopped or "") for one in done]
        table("", ("endpoint", "sent", "failed", "stopped because"), rows)
    if any(one.failed for one in done):
        raise typer.Exit(1)


@app.command()
def status(folder: Folder = Path(), as_json: AsJson = False) -> None:
    """How far each endpoint is behind.

    Example: kerbwatch webhooks status
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        deliveries = Deliveries(database, now)
        states = [deliveries.state(one.name, one.moves) for one in _endpoints(settings)]
    if as_json:
        say_json([one.to_json() for one in states])
        return
    rows = [
        (one.endpoint, one.delivered, one.waiting, one.poison, one.oldest_waiting or "", one.last_error or "")
        for one in states
    ]
    table("", ("endpoint", "delivered", "waiting", "poison", "oldest waiting", "last error"), rows)


@app.command()
def retry(
    endpoint: Annotated[str, typer.Argument(help="The endpoint's name.")],
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Try at once what waits or was put aside as poison.

    Example: kerbwatch webhooks retry platform
    """
    settings = settings_in(folder)
    if endpoint not in [one.name for one in _endpoints(settings)]:
        raise BadInput(f"there is no endpoint {endpoint!r} in webhooks.yaml")
    with Database.open(settings.database_url) as database:
        allow(actor_of(Desk(database, settings), who), Action.EDIT_SETTINGS)
        again = Deliveries(database, now).retry(endpoint)
    say(f"{again} events will be tried again")


@app.command()
def prune(
    days: Annotated[int, typer.Option("--days", min=1, help="Older events than that.")] = 30,
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Remove old events that no endpoint still has to be told.

    Example: kerbwatch webhooks prune --days 30
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database:
        allow(actor_of(Desk(database, settings), who), Action.EDIT_SETTINGS)
        names = [one.name for one in _endpoints(settings)]
        gone = Deliveries(database, now).prune(now() - timedelta(days=days), names)
    say(f"{gone} events removed")


def _endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    return settings.loop.endpoints if settings.loop else ()

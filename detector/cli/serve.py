"""`serve`: the browser app and its API."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.common import (
    Folder,
    detector_of,
    now,
    second_models_of,
    settings_in,
    sight_of,
)
from detector.cli.duties import Works, service_of
from detector.cli.output import say
from detector.config.settings import ModelSettings, Settings
from detector.database import Database
from detector.inference.detector import Detector
from detector.inference.second import SecondModels
from detector.scheduling.logs import Log
from detector.scheduling.stopping import EXIT_WITHIN_S, end_after
from detector.spotting import SpotChecks

if TYPE_CHECKING:
    from detector.review import House

Host = Annotated[str, typer.Option("--host", help="The address to listen on; 0.0.0.0 for the whole network.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on.")]
Https = Annotated[
    bool,
    typer.Option("--https", help="The browser speaks HTTPS to a proxy before us: cookies only go there."),
]

Nightly = Annotated[bool, typer.Option("--nightly", help="Run the nights, too, as `kerbwatch nightly` does.")]


def add_to(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    folder: Folder = Path(),
    host: Host = "127.0.0.1",
    port: Port = 8080,
    https: Https = False,
    nightly: Nightly = False,
) -> None:
    """Review in the browser, and the API under /api/v1; /metrics, /healthz and /readyz for those who watch over it.

    Example: kerbwatch serve -C county --host 0.0.0.0 --port 8080 --nightly
    """
    from detector.review import run  # noqa: PLC0415  # half a second to load, which no other command needs

    settings = settings_in(folder)
    with _nights(settings, on=nightly) as nights, opened_house(settings, secure_cookies=https) as house:
        if not house.desk.people.any():
            say(f"first run: nobody can sign in yet. The set-up code is {house.setup_code}")
        run(
            replace(house, alive=nights.alive),
            host,
            port,
            lambda url: say(f"serving {settings.name} at {url}; Ctrl-C stops it"),
            nights.stopping,
        )


@dataclass(frozen=True, slots=True)
class _Nights:
    """The nights' service beside the server, if it is wanted."""

    alive: Callable[[], bool] = lambda: True
    stopping: Callable[[], None] = lambda: None
    """To be called when the program is asked to end."""


@contextmanager
def _nights(settings: Settings, *, on: bool) -> Iterator[_Nights]:
    if not on:
        yield _Nights()
        return
    works = Works(Log(settings.state_root / "logs", to_stderr=True), threading.Event())
    timers: list[threading.Timer] = []

    def stopping() -> None:
        works.stop.set()
        timers.append(end_after(EXIT_WITHIN_S))

    service = service_of(settings, works)
    service.start()
    try:
        yield _Nights(service.alive, stopping)
    finally:
        works.stop.set()
        service.shut_down()
        for timer in timers:
            timer.cancel()


def eyes_of(model: ModelSettings) -> tuple[Detector, SecondModels]:
    """What a spot check looks with, opened in its own process."""
    return detector_of(model), second_models_of(model)


@contextmanager
def opened_house(settings: Settings, *, secure_cookies: bool = False) -> Iterator[House]:
    from detector.review import Masks, open_house  # noqa: PLC0415  # as above

    with (
        Database.open(settings.database_url) as database,
        SpotChecks(settings.state_root, partial(eyes_of, settings.model), now).opened() as spot_checks,
    ):
        yield open_house(
            settings,
            database,
            settings.evidence_root,
            now,
            spot_checks,
            Masks(partial(sight_of, settings)),
            setup_code=secrets.token_urlsafe(9),
            secure_cookies=secure_cookies,
        )

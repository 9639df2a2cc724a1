"""Who runs the command, and the desk that asks what he may.

Before the first account there is nobody to ask, and whoever runs the command is trusted. From then on `--as` names
an account, and the account's role holds. It is a rail and no wall: whoever may write the database's file can do what
he likes, and `issues verify` finds it.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from detector.config.settings import Settings, load_settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.dispatch.desk import Desk
from detector.people import Actor, NotAllowed, Role, UnknownUser

Who = Annotated[
    str,
    typer.Option(
        "--as", envvar="KERBWATCH_LOGIN", help="Who does it: an account's login; yours if left out."
    ),
]


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


ME = _me()


@contextmanager
def opened_desk(folder: Path) -> Iterator[Desk]:
    settings = load_settings(folder)
    with desk_of(settings) as desk:
        yield desk


@contextmanager
def desk_of(settings: Settings) -> Iterator[Desk]:
    with Database.open(settings.database_url) as database:
        yield Desk(database, settings)


def actor_of(desk: Desk, who: str) -> Actor:
    """Raises NotAllowed where there are accounts and this is none of them."""
    if not who.strip():
        raise BadInput("--as must not be empty")
    try:
        user = desk.people.user(who)
    except UnknownUser:
        if desk.people.any():
            raise NotAllowed(f"there is no account {who!r}: name yours with --as LOGIN") from None
        return Actor(who, Role.ADMIN, address="command line")
    if not user.active:
        raise NotAllowed(f"the account {user.login!r} is closed")
    return user.actor("command line")

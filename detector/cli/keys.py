"""`keys`: the county's key, which signs backups, evidence and the heads of the history."""

from __future__ import annotations

from pathlib import Path

import typer

from detector.cli.common import Folder, settings_in
from detector.cli.output import say
from detector.core.errors import BadInput
from detector.signing import make_key, signing_key

app = typer.Typer(help="The county's signing key: make, show.", no_args_is_help=True)


@app.command()
def make(folder: Folder = Path()) -> None:
    """Make the county's key if it is missing, and print its public half. An existing key is not replaced.

    Example: kerbwatch keys make -C county
    """
    path = settings_in(folder).key_file
    key = make_key(path).public
    say(f"{path} signs; keep a copy where the backups are not. Its public key, {key.fingerprint}:")
    say(key.pem.rstrip())


@app.command()
def show(folder: Folder = Path()) -> None:
    """Print the public key, to be given to those who check backups and evidence. Exit 2: there is none.

    Example: kerbwatch keys show -C county
    """
    path = settings_in(folder).key_file
    key = signing_key(path)
    if key is None:
        raise BadInput(f"{path}: there is no key yet; `kerbwatch keys make` makes one")
    say(key.public.pem.rstrip())

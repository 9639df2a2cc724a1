"""`evidence`: what a receiver of evidence checks, without the county's database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.cli.output import say
from detector.core.errors import BadInput
from detector.evidence import verify_signed
from detector.evidence.manifest import MANIFEST
from detector.signing import PublicKey

app = typer.Typer(help="Evidence that was handed over: verify.", no_args_is_help=True)


@app.callback()
def _evidence() -> None:
    pass


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A folder of evidence, or one that holds such folders.")],
    key: Annotated[
        list[Path],
        typer.Option(
            "--key", envvar="KERBWATCH_PUBLIC_KEY", help="The county's public key; may be repeated."
        ),
    ],
) -> None:
    """Check that the county signed evidence and that no file of it was changed, added or lost. No database is needed.

    Exit 1: something is wrong. Only evidence that was handed over in full has a signature; masked copies have none.

    Example: kerbwatch evidence verify evidence/issue-12 --key county.pub
    """
    keys = [PublicKey.read(path) for path in key]
    found = sorted(path.parent for path in folder.rglob(MANIFEST))
    if not found:
        raise BadInput(f"{folder}: holds no {MANIFEST}; masked copies of evidence have none")
    faults = [f"{place}: {fault}" for place in found for fault in verify_signed(place, keys)]
    for fault in faults:
        say(fault)
    say(
        f"{len(found)} folders of evidence, {len(faults)} faults; keys: {', '.join(k.fingerprint for k in keys)}"
    )
    if faults:
        raise typer.Exit(1)

"""`retention`, `backup`, `restore`: what is kept, and kept safe."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.actors import ME, Who, desk_of
from detector.cli.common import AsJson, Folder, now, settings_in
from detector.cli.output import complain, say, say_json, table
from detector.core.errors import BadInput
from detector.database import Database
from detector.keeping.backup import LEASE
from detector.keeping.backup import backup as write_backup
from detector.keeping.restoring import restore
from detector.keeping.retention import retain
from detector.people import Actor, Looked, Role
from detector.runs.lease import Leases
from detector.signing import PublicKey
from detector.storage import Root


def add_to(app: typer.Typer) -> None:
    app.command()(retention)
    app.command()(backup)
    app.command("restore")(restore_)


def retention(
    folder: Folder = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove evidence, observations and logs that are older than kerbwatch.yaml says, or more than it allows.

    Evidence of open issues is never removed, and recordings are never touched. Each removal is logged.

    Example: kerbwatch retention -C county --dry-run
    """
    settings = settings_in(folder)
    with Database.open(settings.database_url) as database, Leases(database).held(LEASE) as still_mine:
        removed = retain(settings, database, now(), dry_run=dry_run, tell=lambda _: still_mine())
    if as_json:
        say_json(
            [{"kind": r.kind, "what": r.what, "size_bytes": r.size_bytes, "why": r.why} for r in removed]
        )
        return
    table("", ("kind", "what", "bytes", "why"), [(r.kind, r.what, r.size_bytes, r.why) for r in removed])
    counts = Counter(r.kind for r in removed)
    told = ", ".join(f"{count} of {kind}" for kind, count in sorted(counts.items())) or "nothing"
    freed_mb = sum(r.size_bytes for r in removed) / 1e6
    say(f"{'would remove' if dry_run else 'removed'}: {told}; {freed_mb:.1f} MB")


def backup(
    file: Annotated[Path, typer.Argument(help="A new file, such as kerbwatch-2026-01-30.tar.")],
    folder: Folder = Path(),
    who: Who = ME,
) -> None:
    """Write database, observations, evidence and configuration to one file, while everything goes on.

    The file holds footage as it is, and the log tells who made it. No account is asked for, so that a machine can do
    it by night. Exit 1: the backup was made, but something that the database speaks of was not there.

    Example: kerbwatch backup /backups/county.tar -C county
    """
    settings = settings_in(folder)
    if file.exists():
        raise BadInput(f"{file} is there already")
    with desk_of(settings) as desk:
        desk.log.add(Actor(who, Role.ADMIN, address="command line"), Looked.EXPORT, file=f"backup {file.name}",
                     details={"masked": False})  # fmt: skip
    account = write_backup(settings, file)
    for fault in account.faults:
        complain(fault)
    say(
        f"{file}: {len(account.files)} files, {account.size_bytes / 1e6:.1f} MB, {sum(account.rows.values())} rows; "
        f"{len(account.faults)} faults"
    )
    if account.faults:
        raise typer.Exit(1)


def restore_(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")],
    target: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    database: Annotated[
        str | None,
        typer.Option("--database", help="An empty database to fill; SQLite in the folder if left out."),
    ] = None,
    observations: Annotated[
        str | None,
        typer.Option("--observations", help="An empty place for them, such as s3://county/observations."),
    ] = None,
    evidence: Annotated[
        str | None, typer.Option("--evidence", help="An empty place for it, such as s3://county/evidence.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", envvar="KERBWATCH_PUBLIC_KEY", help="The county's public key, which must have signed it."
        ),
    ] = None,
    unsigned: Annotated[
        bool,
        typer.Option(
            "--unsigned", help="Do not ask who made it; only for a file that nobody else could write."
        ),
    ] = False,
    tokens: Annotated[
        bool | None, typer.Option("--tokens/--no-tokens", help="Restore API tokens too; a terminal is asked.")
    ] = None,
) -> None:
    """Make a working folder out of a backup, and check every byte of it. Exit 1: something in it was wrong before.

    Observations and evidence come to lie in the folder, whether they were in one or in a bucket, if no other place is
    named. Nobody is signed in afterwards.

    Example: kerbwatch restore /backups/county.tar county-restored --key county.pub
    """
    if (key is None) is not unsigned:
        raise BadInput(
            "--key names the county's public key (`kerbwatch keys show` prints it), which must have signed the backup; "
            "--unsigned restores it without asking who made it: give one of the two"
        )
    account, environment = restore(
        file, target, database, observations=_place(observations), evidence=_place(evidence),
        key=PublicKey.read(key) if key else None, tokens=_with_tokens(tokens),
    )  # fmt: skip
    for fault in account.faults:
        complain(fault)
    say(f"{target}: {len(account.files)} files and {sum(account.rows.values())} rows restored and verified")
    if account.secrets:
        say("no backup holds secrets; set up again what the folder needs:")
        for name in account.secrets:
            say(f"  {name}")
    if environment:
        say("its kerbwatch.yaml names other places; to use it as it lies here, set:")
        for name, value in environment.items():
            say(f"  {name}={value}")
    if account.faults:
        raise typer.Exit(1)


def _with_tokens(chosen: bool | None) -> bool:
    """Whether API tokens are restored: who holds one gets in again, so nobody gets them without being asked."""
    if chosen is not None or not sys.stdin.isatty():
        return bool(chosen)
    return typer.confirm("restore the API tokens, too? Whoever holds one can use it again", default=False)


def _place(text: str | None) -> Root | None:
    return text if text is None or "://" in text else Path(text).resolve()

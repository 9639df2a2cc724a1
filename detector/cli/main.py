"""The command's outermost frame: subcommands, exit codes, and no traceback for what a person can mend."""

from __future__ import annotations

import os
import sys

import typer

from detector import __version__
from detector.cli import (
    archive,
    bench,
    calendar,
    clips,
    demo,
    evidence,
    explain,
    issues,
    keeping,
    keys,
    models,
    nightly,
    points,
    report,
    scoring,
    serve,
    users,
    webhooks,
)
from detector.cli.output import complain, say
from detector.core.errors import KerbwatchError, StorageFull
from detector.core.files import is_disk_full

app = typer.Typer(
    help="Finds parking violations in a city's surveillance recordings, proves them and keeps them in a queue.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
archive.add_to(app)
bench.add_to(app)
clips.add_to(app)
scoring.add_to(app)
serve.add_to(app)
nightly.add_to(app)
keeping.add_to(app)
calendar.add_to(app)
explain.add_to(app)
app.add_typer(points.app, name="points")
app.add_typer(issues.app, name="issues")
app.add_typer(report.app, name="report")
app.add_typer(users.app, name="users")
app.add_typer(evidence.app, name="evidence")
app.add_typer(keys.app, name="keys")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(models.app, name="models")
app.add_typer(demo.app, name="demo")


def _version(value: bool) -> None:
    if value:
        say(f"kerbwatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command. Exit codes: 0 clean, 1 found or failed, 2 bad input, 3 some recordings unreadable, 4 not judged."""
    try:
        app()
    except KerbwatchError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        complain("stopped; run the same command again to go on")
        sys.exit(130)
    except OSError as error:
        complain(_told(error))
        sys.exit(1 if is_disk_full(error) else 2)


def _told(error: OSError) -> str:
    """What the system refused, in one line: no permission, a read-only or a full disk."""
    what = StorageFull.__doc__ if is_disk_full(error) else error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else str(what)

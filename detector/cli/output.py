"""How the command speaks: tables for people, JSON for programs, progress on a terminal and plain lines elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

PLAIN_STEPS = 20
"""Without a terminal, progress is a line each time another such part of the work is done."""


PLAIN_WIDTH = 200
"""Without a terminal, a table takes what its cells need up to so many characters."""


def console() -> Console:
    terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=not terminal, width=None if terminal else PLAIN_WIDTH)


def say(text: str = "") -> None:
    console().print(text, markup=False)


def complain(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def say_json(value: object) -> None:
    sys.stdout.writelines(json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value))
    sys.stdout.write("\n")


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
) -> None:
    """A table; columns named in `right` are aligned to the right."""
    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(made, markup=False)


class Ticker(Protocol):
    """Told how much is done."""

    def __call__(self, done: float, what: str) -> None: ...


@contextmanager
def progress(title: str, total: float, *, quiet: bool = False) -> Iterator[Ticker]:
    """A progress bar on a terminal, a plain line every twentieth elsewhere, both on standard error."""
    if quiet:
        yield lambda *_: None
    elif sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[what]}"),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(title, total=total, what="")
            yield lambda done, what: bar.update(task, completed=done, what=what)
    else:
        told = 0

        def line(done: float, what: str) -> None:
            nonlocal told
            step = int(done * PLAIN_STEPS / total) if total else PLAIN_STEPS
            if step > told:
                told = step
                complain(f"{title}: {done:g} of {total:g} {what}".rstrip())

        yield line

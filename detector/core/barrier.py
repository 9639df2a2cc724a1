"""The error barrier: an unexpected error inside one recording, stored file, suspicion or camera costs that one.

This is the only place, beside the outermost frame of a process, that catches every exception. The traceback goes to
the log, and the user gets one sentence.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from detector.core.errors import KerbwatchError, StorageFull
from detector.core.files import is_disk_full

LOG = logging.getLogger("kerbwatch")
LOG.addHandler(logging.NullHandler())

LONGEST_MESSAGE = 200
"""Characters of an exception's message that its sentence repeats."""


@contextmanager
def barrier(what: str, made: Callable[[str], KerbwatchError]) -> Iterator[None]:
    """Replace an unexpected error inside by the error that `made` builds of one sentence.

    `what` names the recording, file or camera in the log. Errors of the tree pass unchanged, so that a full disk, a
    database that is away and a request to stop still end the run; a full disk that the system reports becomes
    StorageFull. KeyboardInterrupt and SystemExit pass, and so does a pipe that the other process has closed.
    """
    try:
        yield
    except (KerbwatchError, BrokenPipeError):
        raise
    except Exception as error:
        if is_disk_full(error):
            raise StorageFull from error
        LOG.exception("unexpected error: %s", what)
        raise made(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    message = f": {lines[0][:LONGEST_MESSAGE]}" if lines else ""
    return f"unexpected error {type(error).__name__}{message}{_place_of_log()}"


def _place_of_log() -> str:
    folders = [handler.folder for handler in LOG.handlers if isinstance(handler, TracebackLog)]
    return f" (traceback in {folders[-1]})" if folders else ""


class TracebackLog(logging.Handler):
    """Writes each record as a JSON line to `DATE.jsonl` in a folder, the form that `nightly` logs in."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def emit(self, record: logging.LogRecord) -> None:
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "traceback": "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else "",
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # One write to a file opened for appending: lines of several processes do not mix.
            with (self.folder / f"{at:%Y-%m-%d}.jsonl").open("ab", buffering=0) as file:
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except OSError:
            self.handleError(record)


@contextmanager
def tracebacks_in(folder: Path) -> Iterator[None]:
    """Write the tracebacks of unexpected errors to day files in a folder while the context lasts."""
    handler = TracebackLog(folder)
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)

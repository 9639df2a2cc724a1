"""What workers do in the tests of crews: told by the camera's name of each job; importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from detector.core.errors import BadInput
from detector.database import DatabaseBusy
from detector.pipeline.days import DayScan, Hands, Job, Surveyed

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@contextmanager
def open_nothing(_threads: int) -> Iterator[str]:
    yield f"{os.getpid()}"


@contextmanager
def open_badly(_threads: int) -> Iterator[str]:
    raise BadInput("the weights are gone")
    yield ""


@contextmanager
def open_badly_once(told: Path, _threads: int) -> Iterator[str]:
    """The first machine that opens has no weights, say; the others have."""
    try:
        told.touch(exist_ok=False)
    except FileExistsError:
        yield f"{os.getpid()}"
        return
    raise BadInput("the weights are gone")


@contextmanager
def die_at_once(_threads: int) -> Iterator[str]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield ""


def job(what: str, day: int = 8) -> DayScan:
    return DayScan(what, date(2026, 1, day), NOW)


def work(shop: str, job: Job, hands: Hands) -> Surveyed:
    """`ok`, or something that goes wrong: crash, killed, hang, spin, locked, wrong, missing, bug, samples.

    A path after it is a file by which it tells that it is at work.
    """
    what, _, more = job.camera_id.partition("-")
    hands.begin(Path("/recordings") / job.camera_id)
    if more.startswith("/"):
        Path(more).touch()
    if what == "samples":
        for _ in range(2000):
            time.sleep(0.01)
            hands.check()
    if what in WRONG:
        WRONG[what]()
    return Surveyed(job.camera_id, (), fault=shop)


def _raise(error: Exception) -> None:
    raise error


def _spin() -> None:
    while True:
        pass


WRONG: dict[str, Callable[[], object]] = {
    "crash": lambda: os._exit(139),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "spin": _spin,
    "locked": lambda: _raise(DatabaseBusy("db: locked")),
    "wrong": lambda: _raise(BadInput("no such camera")),
    "missing": lambda: Path("/no/such/folder/at all").stat(),
    "bug": lambda: _raise(ZeroDivisionError()),
}


def where(_shop: str, job: Job, _hands: Hands) -> Surveyed:
    """Says on which processors it may run."""
    time.sleep(1.0)
    return Surveyed(job.camera_id, (), fault=",".join(map(str, sorted(os.sched_getaffinity(0)))))

"""A crew of worker processes that may crash, stall or be stopped, without the work being lost.

Whoever gives out the work is told what became of each job, and of which recording a worker that ended was holding.
A worker shows that it lives by the processor time that it uses: one that uses none for `stall_s` waits for something
that does not come, such as a network share, and is ended. One that holds a recording longer than `limit_s` is too.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, TypeVar

from detector.core.barrier import barrier
from detector.core.errors import KerbwatchError, UnexpectedFault
from detector.core.memory import settle_memory
from detector.engines.local import OpenShop, WorkerEnded, cores, end_with_parent, keep_to, shares
from detector.pipeline.days import Job, Result, Stopped, work

RETRIES = 3

STARTS = 3
"""So many workers in a row that end before they are ready end the crew."""

T = TypeVar("T")


class How(StrEnum):
    """How a worker was lost."""

    CRASHED = "crashed"
    STALLED = "stalled"
    NODE_LOST = "node_lost"


@dataclass(frozen=True, slots=True)
class Done:
    """A job's result."""

    job: Job
    result: Result


@dataclass(frozen=True, slots=True)
class Failed:
    """A job ended by an error that its worker survived; a Stopped job is one of these."""

    job: Job
    error: KerbwatchError


@dataclass(frozen=True, slots=True)
class Lost:
    """A job whose worker was lost, and the recording that it held, if any."""

    job: Job
    how: How
    detail: str
    path: Path | None


Event = Done | Failed | Lost


class Crew(Protocol):
    """Workers, on this machine or on many."""

    def room(self) -> int:
        """How many jobs could be begun now."""
        ...

    def submit(self, job: Job) -> None: ...

    def busy(self) -> Sequence[Job]: ...

    def events(self, within_s: float) -> list[Event]:
        """What happened, waiting up to so long for the first. Raises WorkerEnded where no worker comes up."""
        ...

    def stop(self, within_s: float) -> list[Event]:
        """Ask every worker to finish its sample, and end those that do not within the time."""
        ...


Work = Callable[..., Result]
"""`detector.pipeline.days.work`, or what a test puts in its place."""


@dataclass(slots=True)
class _Hired:
    """One worker process, as its parent knows it."""

    process: BaseProcess
    pipe: Connection
    share: frozenset[int]
    """The processors that it keeps to."""
    ready: bool = False
    job: Job | None = None
    path: Path | None = None
    since: float = field(default_factory=time.monotonic)
    """Since when it holds its recording, or its job."""
    cpu_ticks: int = -1
    moved: float = field(default_factory=time.monotonic)
    """When its processor time was last seen to grow."""


class LocalCrew:
    """Worker processes of this machine; use `local_crew`."""

    def __init__(
        self,
        open_shop: OpenShop,
        *,
        workers: int | None = None,
        threads: int | None = None,
        stall_s: float = 600.0,
        limit_s: float = 7200.0,
        work: Work = work,
    ) -> None:
        self._open_shop = open_shop
        self._work = work
        self._count = max(1, workers or cores())
        self._threads = threads or max(1, cores() // self._count)
        self._shares = shares(self._count, self._threads)
        self._stall_s = stall_s
        self._limit_s = limit_s
        self._hired: list[_Hired] = []
        self._failed_starts = 0
        self._told: list[Event] = []

    def room(self) -> int:
        return self._count - len(self.busy())

    def busy(self) -> Sequence[Job]:
        return [hired.job for hired in self._hired if hired.job is not None]

    def submit(self, job: Job) -> None:
        free = next((hired for hired in self._hired if hired.job is None), None)
        if free is None:
            free = self._hire()
        free.job, free.path = job, None
        free.since = free.moved = time.monotonic()
        try:
            free.pipe.send(job)
        except OSError:
            self._told += self._lost(free, How.CRASHED, _exit_of(free.process))

    def events(self, within_s: float) -> list[Event]:
        told, self._told = self._told, []
        if told or not self._hired:
            return told
        wanted: list[Any] = [hired.pipe for hired in self._hired]
        wanted += [hired.process.sentinel for hired in self._hired]
        came = set(wait_for(wanted, timeout=within_s))
        for hired in list(self._hired):
            if hired.pipe in came:
                told += self._heard(hired)
            elif hired.process.sentinel in came:
                told += self._lost(hired, How.CRASHED, _exit_of(hired.process))
            elif reason := self._stalled(hired):
                told += self._lost(hired, How.STALLED, reason)
        return told

    def _heard(self, hired: _Hired) -> list[Event]:
        told: list[Event] = []
        try:
            while hired.pipe.poll():
                kind, value = hired.pipe.recv()
                hired.since = hired.moved = time.monotonic()
                if kind == "ready":
                    hired.ready, self._failed_starts = True, 0
                elif kind == "begin":
                    hired.path = value
                elif kind == "broken":
                    return told + self._broken(hired, value)
                elif hired.job is not None:
                    told.append(Done(hired.job, value) if kind == "done" else Failed(hired.job, value))
                    hired.job = hired.path = None
        except (EOFError, OSError):
            told += self._lost(hired, How.CRASHED, _exit_of(hired.process))
        return told

    def _broken(self, hired: _Hired, error: KerbwatchError) -> list[Event]:
        """A worker that could not open what it works with: with time it may; else nobody can work."""
        _end(hired)
        self._hired.remove(hired)
        if not error.transient:
            raise error
        return [Failed(hired.job, error)] if hired.job is not None else []

    def _stalled(self, hired: _Hired) -> str | None:
        if hired.job is None and hired.ready:
            return None
        now, ticks = time.monotonic(), _cpu_ticks(hired.process.pid or 0)
        if ticks < 0 or ticks != hired.cpu_ticks:
            hired.cpu_ticks, hired.moved = ticks, now
        if now - hired.moved > self._stall_s:
            return f"did nothing for {self._stall_s:g} s"
        if hired.ready and now - hired.since > self._limit_s:
            return f"took longer than {self._limit_s:g} s"
        return None

    def _lost(self, hired: _Hired, how: How, detail: str) -> list[Event]:
        _end(hired)
        self._hired.remove(hired)
        if not hired.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise WorkerEnded(f"{self._failed_starts} workers ended before they were ready: {detail}")
        return [Lost(hired.job, how, detail, hired.path)] if hired.job is not None else []

    def _hire(self) -> _Hired:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        taken = Counter(hired.share for hired in self._hired)
        share = min(self._shares, key=lambda share: taken[share])
        process = context.Process(
            target=_worker, args=(theirs, self._open_shop, self._threads, share, self._work), daemon=True
        )
        process.start()
        theirs.close()
        hired = _Hired(process, mine, share)
        self._hired.append(hired)
        return hired

    def stop(self, within_s: float) -> list[Event]:
        told: list[Event] = []
        deadline = time.monotonic() + within_s
        for hired in self._hired:
            if hired.job is not None:
                hired.process.terminate()
        while self.busy() and (left_s := deadline - time.monotonic()) > 0:
            told += self.events(min(left_s, 0.2))
        for hired in list(self._hired):
            if hired.job is not None:
                told.append(Failed(hired.job, Stopped()))
            _end(hired)
        self._hired.clear()
        return told


@contextmanager
def local_crew(
    open_shop: OpenShop,
    *,
    workers: int | None = None,
    stall_s: float = 600.0,
    limit_s: float = 7200.0,
    work: Work = work,
) -> Iterator[LocalCrew]:
    """A crew of this machine's cores, or of `workers`; none of its processes outlives it."""
    crew = LocalCrew(open_shop, workers=workers, stall_s=stall_s, limit_s=limit_s, work=work)
    try:
        yield crew
    finally:
        crew.stop(0.0)


def _end(hired: _Hired) -> None:
    """End a process for good. One that the system cannot end (a dead network share) is left behind, not waited for."""
    hired.process.kill()
    hired.process.join(5.0)
    hired.pipe.close()


def _exit_of(process: BaseProcess) -> str:
    process.join(1.0)
    code = process.exitcode
    if code is not None and code < 0:
        why = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-code).name}{why}"
    return f"its process ended with code {code}"


def _cpu_ticks(pid: int) -> int:
    """Processor time of a process; -1 where the system does not say."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return -1
    return int(words[11]) + int(words[12])


class _PipeHands:
    """What work in a worker process holds: it tells its parent through a pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.stopping = False

    def stop(self, *_: object) -> None:
        self.stopping = True

    def begin(self, path: Path) -> None:
        self.check()
        self._pipe.send(("begin", path))

    def check(self) -> None:
        if self.stopping:
            raise Stopped


def _worker(pipe: Connection, open_shop: OpenShop, threads: int, share: frozenset[int], work: Work) -> None:
    """The outermost frame of a worker process."""
    keep_to(share)
    threading.Thread(target=end_with_parent, daemon=True).start()
    hands = _PipeHands(pipe)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, hands.stop)
    try:
        with open_shop(threads) as shop:
            settle_memory()
            pipe.send(("ready", None))
            while True:
                pipe.send(outcome_of(work, shop, pipe.recv(), hands))
    except KerbwatchError as error:
        pipe.send(("broken", error))
    except (EOFError, BrokenPipeError):
        os._exit(0)


def outcome_of(work: Work, shop: object, job: Job, hands: object) -> tuple[str, object]:
    """A job's result, or the error that it survived.

    An unexpected error is one of these, so that no recording is blamed for it; what ends the process is not.
    """
    try:
        with barrier(f"job {job}", UnexpectedFault):
            return "done", work(shop, job, hands)
    except KerbwatchError as error:
        cause = error.__cause__
        if isinstance(error, UnexpectedFault) and isinstance(cause, OSError):
            told = f"{cause.filename or ''}: {cause.strerror or cause}".lstrip(": ")
            return "failed", SystemRefused(told)
        return "failed", error


class SystemRefused(KerbwatchError):
    """The system refused something, such as a file that should be there."""

    transient = True


class MachineUnfit(KerbwatchError):
    """A machine cannot work; its job is to be begun again elsewhere."""

    transient = True


def results(crew: Crew, jobs: Iterable[Job]) -> Iterator[Result]:
    """Do every job; results come as they are done. What a lost worker held is begun again, RETRIES times.

    An error that a worker survived (a full disk, a database that is gone) is raised here; jobs that are done stay done.
    An unexpected one costs its job, and is raised after all others are done.
    """
    waiting, again = deque(jobs), Counter[Job]()
    unexpected: KerbwatchError | None = None
    while waiting or crew.busy():
        while waiting and crew.room() > 0:
            crew.submit(waiting.popleft())
        for event in crew.events(0.5):
            if isinstance(event, Done):
                yield event.result
                continue
            if isinstance(event, Failed) and isinstance(event.error, UnexpectedFault):
                unexpected = event.error
                continue
            if isinstance(event, Failed) and not isinstance(event.error, MachineUnfit):
                raise event.error
            again[event.job] += isinstance(event, Lost)
            if again[event.job] > RETRIES:
                raise WorkerEnded(f"{event.job.camera_id}: {event}")
            waiting.append(event.job)
    if unexpected is not None:
        raise unexpected


Opened = AbstractContextManager[Crew]
OpenCrew = Callable[[], Opened]

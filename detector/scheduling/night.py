"""One run: survey every camera, do the days that are owed, newest first, and put up with what goes wrong.

What is owed is never kept in a list between runs: it is what the folders hold and the database does not say is done.
So a run may end at any moment, and the next goes on.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from detector import __version__
from detector.config.settings import Settings, files_version
from detector.core.errors import KerbwatchError, StorageFull
from detector.core.times import Interval, local_day
from detector.core.values import Recording, RecordingState
from detector.database import Database, DatabaseBusy
from detector.engines.crew import Crew, Done, Event, Failed, How, Lost, OpenCrew
from detector.footage.troubles import TroubleKind, Troubles
from detector.pipeline.days import DayDone, DayScan, Job, Stopped, Survey, Surveyed
from detector.runs.days import CameraDays
from detector.runs.lease import Lease, LeaseLost, Leases
from detector.runs.readiness import too_full
from detector.runs.runs import LEASE, Run, Runs, RunState
from detector.scheduling.book import Book
from detector.scheduling.logs import SILENT, Clock, Log

PASSES = 3
"""Cameras are surveyed again when all is done: recordings arrive and folders come back while a run goes on."""

TRIES = 5
"""So often is a job begun in one run; then it waits for the next."""

STOP_WITHIN_S = 7.0
"""Workers finish their sample within that, or are ended; the whole exits within ten seconds."""

WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
PATIENCE_S = 900.0
"""How long a database that does not answer is waited for."""

MOST_WAITS = 60
"""After so many failures in a row that time should have cured, with no success between, a job waits for the next run."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Orders:
    """How a run is to go."""

    settings: Settings
    open_crew: OpenCrew
    now: Clock
    engine: str = "local"
    asked_to_stop: Callable[[], bool] = lambda: False
    log: Log = SILENT
    tell: Callable[[Book], None] = lambda _: None
    prepare: Callable[[], None] = lambda: None
    """Makes ready what workers need; raises KerbwatchError where that cannot be."""
    tidy: Callable[[], None] = lambda: None
    """Removes what workers that were lost have left half done; called once all of them have ended."""
    beat_s: float = 10.0


def run_night(orders: Orders) -> Run:
    """Do what is owed. Raises LeaseTaken where another run lives, and LeaseLost where it was taken over.

    An error that ends the run (weights that are gone, a database that stays away) is in the run's summary, if the
    database still takes it, and is raised.
    """
    settings = orders.settings
    with Database.open(settings.database_url) as database:
        leases = Leases(database)
        lease = leases.take(LEASE)
        try:
            return _led(orders, database, leases, lease)
        finally:
            with suppress(DatabaseBusy):
                leases.give_back(lease)


def _led(orders: Orders, database: Database, leases: Leases, lease: Lease) -> Run:
    settings, at = orders.settings, orders.now()
    book = Book(orders.engine, settings.version, __version__, lease.holder)
    runs = Runs(database, leases)
    run = runs.begin(lease, horizon(settings, at), at, book.to_json())
    log = orders.log.to(run=run.id)
    log.info("run began", **{"from": run.period.start, "until": run.period.end, "lease": lease.token})
    night = Night(orders, database, leases, lease, run, book, log, deadline_after(settings, at))
    try:
        with ExitStack() as open_ones:
            with leases.kept(lease):  # an export or a cluster's start may take minutes
                orders.prepare()
                crew = open_ones.enter_context(orders.open_crew())
            night.work(crew)
        orders.tidy()
    except LeaseLost:
        log.failure("run was taken over by another")
        raise
    except KerbwatchError as error:
        book.ended_because = str(error)
        log.failure("run failed", why=str(error))
        with suppress(DatabaseBusy, StorageFull):
            runs.end(lease, run.id, RunState.FAILED, orders.now(), book.to_json())
        raise
    book.configuration_changed = files_version(settings.folder) != settings.version
    state = RunState.PARTIAL if night.stop or book.undone else RunState.DONE
    ended = night.kept(lambda: runs.end(lease, run.id, state, orders.now(), book.to_json()))
    log.info("run ended", state=state.value, **book.to_json())
    return ended


def horizon(settings: Settings, at: datetime) -> Interval:
    """The local days that a run at `at` answers for: today, as far as it is recorded, and those before it."""
    today = at.astimezone(settings.timezone).date()
    first = today - timedelta(days=settings.nightly.catch_up_days - 1)
    return Interval(local_day(first, settings.timezone).start, local_day(today, settings.timezone).end)


def deadline_after(settings: Settings, at: datetime) -> datetime | None:
    """The next time that the clock on the wall shows the deadline. A time that the clocks skip is the hour after it."""
    wall = settings.nightly.deadline
    if wall is None:
        return None
    today = at.astimezone(settings.timezone).date()
    moments = (datetime.combine(today + timedelta(days=k), wall, settings.timezone) for k in (0, 1, 2))
    return next(moment for moment in moments if moment.timestamp() > at.timestamp())


@dataclass(slots=True)
class Night:
    """A run while it goes on."""

    orders: Orders
    database: Database
    leases: Leases
    lease: Lease
    run: Run
    book: Book
    log: Log
    deadline: datetime | None
    queue: deque[Job] = field(default_factory=deque)
    tries: Counter[Job] = field(default_factory=Counter)
    stop: str = ""
    """Why nothing more is begun."""
    waits: int = 0
    not_before: float = 0.0
    beaten: float = field(default_factory=time.monotonic)

    def work(self, crew: Crew) -> None:
        for number in range(1, PASSES + 1):
            self.survey(crew)
            if not self.queue:
                break
            self.log.info("pass", number=number, days=len(self.queue), looks=self.book.looks_owed)
            self.drain(crew)
            if self.stop:
                break
        self.book.ended_because = self.stop or "all that could be read is done"

    def survey(self, crew: Crew) -> None:
        """Find out which days are owed; they wait in the queue afterwards, newest first."""
        cameras = [camera.id for point in self.orders.settings.points for camera in point.cameras]
        self.book.cameras = len(cameras)
        self.queue.extend(Survey(camera, self.run.period, self.orders.now()) for camera in cameras)
        self.drain(crew)
        order = {camera: index for index, camera in enumerate(cameras)}
        owed = [day for place, day in self.book.owed.items() if place not in self.book.done]
        jobs = [DayScan(day.camera_id, day.day, self.run.started_at) for day in owed]
        jobs = [job for job in jobs if self.tries[job] < 2]
        jobs.sort(key=lambda job: (-job.day.toordinal(), order[job.camera_id]))
        self.queue = deque(() if self.stop else jobs)

    def drain(self, crew: Crew) -> None:
        """Give out the queue's jobs until all are done, or the run must stop."""
        while self.queue or crew.busy():
            self.stop = self.stop or self.why_stop()
            if self.stop:
                self.log.warning("stopping", why=self.stop, still_queued=len(self.queue))
                for event in crew.stop(STOP_WITHIN_S):
                    self.heard(event)
                for job in self.queue:
                    self.miss(job, self.stop)
                self.queue.clear()
                return
            while self.queue and crew.room() > 0 and time.monotonic() >= self.not_before:
                job = self.queue.popleft()
                self.tries[job] += 1
                crew.submit(job)
            happened = crew.events(0.5)
            for event in happened:
                self.heard(event)
            if not happened and not crew.busy():
                time.sleep(0.05)
            self.beat()

    def why_stop(self) -> str:
        if self.orders.asked_to_stop():
            return "asked to stop"
        if self.deadline is not None and self.orders.now() >= self.deadline:
            return f"its deadline, {self.deadline:%H:%M}, came"
        return too_full(self.orders.settings)

    def beat(self) -> None:
        """Say in the database, now and then, that this run lives and how far it is. Raises LeaseLost."""
        if time.monotonic() - self.beaten >= self.orders.beat_s:
            runs = Runs(self.database, self.leases)
            self.kept(lambda: runs.keep(self.lease, self.run.id, self.book.to_json()))
            self.beaten = time.monotonic()
            self.orders.tell(self.book)

    # What workers tell

    def heard(self, event: Event) -> None:
        if isinstance(event, Lost):
            self.lost(event)
        elif isinstance(event, Failed):
            self.failed(event)
        else:
            self.done(event)

    def done(self, event: Done) -> None:
        self.waits, self.not_before = 0, 0.0
        if isinstance(event.result, Surveyed):
            self.surveyed(event.result)
        elif isinstance(event.result, DayDone):
            self.day_done(event.result)
            self.orders.tell(self.book)

    def surveyed(self, result: Surveyed) -> None:
        self.book.surveyed(result)
        if result.fault:
            self.log.warning("a camera's folder cannot be read", camera=result.camera_id, why=result.fault)
        finished = self.kept(lambda: CameraDays(self.database).done(result.camera_id))
        for day in result.days:
            if finished.get(day.day) != day.key:
                self.book.owe(day)
                self.book.done.pop((day.camera_id, day.day), None)

    def day_done(self, result: DayDone) -> None:
        why_not = self.book.day(result)
        at = self.orders.now()
        if not why_not:
            days = CameraDays(self.database)
            self.kept(
                lambda: days.mark(
                    self.leases, self.lease, result.camera_id, result.day, result.key, self.run.id, at
                )
            )
        for unseen in result.unseen:
            if unseen.is_there:
                path = self.orders.settings.archive_root / unseen.path
                self.trouble(result.camera_id, path, TroubleKind.UNREADABLE, unseen.reason)
        self.log.info(
            "day not finished" if why_not else "day",
            camera=result.camera_id,
            day=result.day,
            samples=result.samples,
            reused=result.reused,
            filed=len(result.filed),
            dropped=result.dropped,
            troubles=result.troubles,
            **({"why": why_not} if why_not else {}),
            **{f"{name}_s": round(took_s, 2) for name, took_s in result.stages_s.items()},
        )

    def failed(self, event: Failed) -> None:
        error = event.error
        if isinstance(error, Stopped):
            self.miss(event.job, "stopped before it was done")
        elif isinstance(error, StorageFull):
            self.stop = self.stop or f"the disk is full: {error}"
            self.miss(event.job, str(error))
        elif error.transient:
            self.again_later(event.job, str(error))
        else:
            self.miss(event.job, str(error))
            self.log.failure("a job failed", job=event.job, why=str(error))

    def again_later(self, job: Job, why: str) -> None:
        """Begin a job again after a while, longer each time that the cause is still there."""
        wait_s = WAITS_S[min(self.waits, len(WAITS_S) - 1)]
        self.waits += 1
        self.not_before = time.monotonic() + wait_s
        self.log.warning("a job failed and is begun again", job=job, why=why, in_s=wait_s)
        if self.waits < MOST_WAITS:
            self.tries[job] -= 1
            self.queue.append(job)
        else:
            self.miss(job, why)

    def lost(self, event: Lost) -> None:
        self.book.counts[event.how.value] += 1
        what = f"{event.how.value}: {event.detail}"
        self.log.failure("a worker was lost", job=event.job, why=what, recording=event.path)
        self.book.trouble(f"{event.job.camera_id}: {event.path or event.job}: {what}")
        blamed = event.path is not None and event.how is not How.NODE_LOST
        if event.path is not None and blamed:
            kind = TroubleKind.CRASHED if event.how is How.CRASHED else TroubleKind.STALLED
            self.trouble(event.job.camera_id, event.path, kind, event.detail)
        if blamed or self.tries[event.job] < TRIES:
            self.queue.append(event.job)
        else:
            self.miss(event.job, what)

    def trouble(self, camera_id: str, path: Path, kind: TroubleKind, reason: str) -> None:
        """Count what happened to a recording; with too much of it, it is given up."""
        root, nightly = self.orders.settings.archive_root, self.orders.settings.nightly
        recording_id = recording_id_of(camera_id, path, root)
        if recording_id is None:
            return
        limit = nightly.unreadable_nights if kind is TroubleKind.UNREADABLE else nightly.crashes
        told = self.kept(
            lambda: Troubles(self.database).add(
                recording_id,
                camera_id,
                os.path.relpath(path, root),
                kind,
                run_id=self.run.id,
                reason=reason,
                at=self.orders.now(),
                limit=limit,
            )
        )
        if told.given_up:
            line = f"{camera_id}: {told.path}: {told.kind} {told.times} times, last: {told.reason}"
            if line not in self.book.quarantined:
                self.book.quarantined.append(line)
                self.log.failure("a recording is given up", camera=camera_id, recording=told.path, why=line)

    def miss(self, job: Job, why: str) -> None:
        if isinstance(job, DayScan):
            self.book.missing[job.camera_id, job.day] = why
        elif self.stop:
            self.book.not_surveyed += 1
        else:
            self.book.faults[job.camera_id] = f"was not surveyed: {why}"

    def kept(self, write: Callable[[], T]) -> T:
        """A call to the database, again and again while it is locked or away. Raises DatabaseBusy in the end."""
        began, number = time.monotonic(), 0
        while True:
            try:
                return write()
            except DatabaseBusy as error:
                if time.monotonic() - began > PATIENCE_S or self.orders.asked_to_stop():
                    raise
                wait_s = WAITS_S[min(number, len(WAITS_S) - 1)]
                self.log.warning("the database does not answer", why=str(error), again_in_s=wait_s)
                time.sleep(wait_s)
                number += 1


def recording_id_of(camera_id: str, path: Path, root: Path) -> str | None:
    """The id of a file as it is now; None where it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    never = Interval(datetime.fromtimestamp(0).astimezone(), datetime.fromtimestamp(1).astimezone())
    relative = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    found = Recording(
        camera_id, relative, status.st_size, status.st_mtime_ns, never, RecordingState.UNREADABLE
    )
    return found.id

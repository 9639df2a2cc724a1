"""Days without video: what camera folders hold is a table, and the work on them is done in this process at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from kept_folder import county

from detector.config.settings import Settings
from detector.engines.crew import Crew, Done, Event, Failed
from detector.pipeline.days import DayDone, DayOwed, DayScan, Job, Stopped, Survey, Surveyed

CAMERA = "p001"


@dataclass
class Hands:
    """A crew of one. `days` maps each day with recordings to a key of what it holds; `before` may meddle with a job."""

    days: dict[date, str] = field(default_factory=dict)
    before: Callable[[Job], Event | None] = lambda _: None
    did: list[date] = field(default_factory=list)
    folder_is_there: bool = True
    _waiting: list[Job] = field(default_factory=list)

    @contextmanager
    def __call__(self) -> Iterator[Crew]:
        self._waiting = []
        yield self

    def room(self) -> int:
        return 1 - len(self._waiting)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def busy(self) -> Sequence[Job]:
        return list(self._waiting)

    def events(self, within_s: float) -> list[Event]:
        jobs, self._waiting = self._waiting, []
        return [self.before(job) or Done(job, self._result(job)) for job in jobs]

    def stop(self, within_s: float) -> list[Event]:
        jobs, self._waiting = self._waiting, []
        return [Failed(job, Stopped()) for job in jobs]

    def _result(self, job: Job) -> Surveyed | DayDone:
        fault = None if self.folder_is_there else "no such folder"
        if isinstance(job, Survey):
            within = [day for day in sorted(self.days) if fault is None and _in(day, job)]
            owed = tuple(DayOwed(job.camera_id, day, self.days[day], 3600.0, 60) for day in within)
            return Surveyed(job.camera_id, owed, fault=fault)
        self.did.append(job.day)
        return done(job, "nothing" if fault else self.days[job.day], fault=fault)


def done(job: DayScan, key: str, **more: object) -> DayDone:
    counts = {"footage_s": 3600.0, "samples": 60, "reused": 0, "dropped": 0, "known": 0}
    return DayDone(job.camera_id, job.day, key, **(counts | {"filed": (), "unseen": ()} | more))


def _in(day: date, job: Survey) -> bool:
    zone = job.period.start.tzinfo
    return job.period.start <= datetime(day.year, day.month, day.day, 12, tzinfo=zone) < job.period.end


def one_camera(folder: Path, database_url: str) -> Settings:
    """A county of one camera."""
    return county(folder, database_url)


def days_before(last: date, count: int) -> dict[date, str]:
    return {last - timedelta(days=k): f"key {k}" for k in range(count)}

"""The service: duties by cron expression in the city's time zone, until it is asked to end.

Cron only says when to look. What a run does comes from the catalogue, so a time that is skipped or comes twice when
clocks change, a machine that was off, and a second machine with the same service all do no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from detector.config.settings import Settings, load_settings
from detector.core.errors import BadInput, KerbwatchError
from detector.runs.lease import LeaseLost, LeaseTaken
from detector.scheduling.logs import Log
from detector.scheduling.night import deadline_after

AGAIN_S = 300.0
"""A duty that failed, or found another machine at it, is begun again so much later, as long as it is owed."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that is done by the clock. `act` gets settings of that moment, and raises KerbwatchError."""

    name: str
    when: Callable[[Settings], str | None]
    """A cron expression; None where it is never done."""
    act: Callable[[Settings], None]
    alone: bool = False
    """One at a time of those that say so; the others wait."""
    owed: Callable[[Settings], bool] = lambda _: False
    """Whether the service does it at once when it starts, and again soon where it failed."""


class WallTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """A cron expression on the wall's clock: each time that it shows comes once, whatever the clocks do.

    APScheduler's own trigger adds 24 hours to get to the next day, and so skips a start in the hour after midnight on
    the day after clocks go forward. Here it only counts on a wall that never changes; a time that the clocks skip
    is taken as the hour after it, and of one that comes twice the first counts.
    """

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        self._wall = CronTrigger.from_crontab(expression, timezone=UTC)
        self._zone = zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The next time after the previous one, not before now; None where the expression never comes."""
        after = now if previous is None else max(now, previous + timedelta(microseconds=1))
        wall = (after.astimezone(self._zone) - timedelta(hours=3)).replace(tzinfo=UTC)
        while (found := self._wall.get_next_fire_time(None, wall)) is not None:
            moment: datetime = found.replace(tzinfo=self._zone).astimezone(UTC)
            if moment >= after:
                return moment
            wall = found + timedelta(microseconds=1)
        return None


def trigger(expression: str, zone: ZoneInfo) -> WallTrigger:
    """Raises BadInput for what is no cron expression."""
    try:
        return WallTrigger(expression, zone)
    except ValueError as error:
        raise BadInput(f"kerbwatch.yaml: nightly: {expression!r}: {error}") from error


def next_time(expression: str, zone: ZoneInfo, after: datetime) -> datetime:
    """When the expression comes next, strictly after a moment; in UTC. Raises BadInput."""
    found = trigger(expression, zone).get_next_fire_time(
        None, after.astimezone(UTC) + timedelta(microseconds=1)
    )
    if found is None:
        raise BadInput(f"kerbwatch.yaml: nightly: {expression!r} never comes")
    return found


def previous_time(expression: str, zone: ZoneInfo, before: datetime) -> datetime | None:
    """When the expression came last within the day before a moment, or at it; in UTC. Raises BadInput."""
    found, last = next_time(expression, zone, before - timedelta(days=1)), None
    while found <= before:
        last, found = found, next_time(expression, zone, found)
    return last


def is_night(settings: Settings, at: datetime) -> bool:
    """Whether a run should be going on: the deadline comes before the next start. Without a deadline, never."""
    deadline = deadline_after(settings, at)
    start = next_time(settings.nightly.start, settings.timezone, at)
    return deadline is not None and deadline.timestamp() < start.timestamp()


class Service:
    """The duties of one working folder. Start it, and shut it down; it may live inside another program."""

    def __init__(self, folder: Path, duties: Sequence[Duty], log: Log) -> None:
        self._folder = folder
        self._duties = {duty.name: duty for duty in duties}
        self._log = log
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._arranged: dict[str, tuple[str | None, ZoneInfo]] = {}
        self._arranging = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._scheduler.add_listener(self._went_wrong, EVENT_JOB_ERROR)
        self.ending = threading.Event()

    def start(self) -> None:
        """Raises BadConfig and BadInput: nothing is started then."""
        settings = load_settings(self._folder)
        self._arrange(settings)
        for duty in self._duties.values():
            if duty.owed(settings):
                self._once(duty.name, 0.0)
        self._scheduler.start()
        for job in self._scheduler.get_jobs():
            self._log.info("job", job=job.id, next=job.next_run_time)

    def alive(self) -> bool:
        return bool(self._scheduler.running)

    def shut_down(self) -> None:
        """Ends what runs, waiting for it."""
        self.ending.set()
        self._scheduler.shutdown(wait=True)

    def _arrange(self, settings: Settings) -> None:
        """Bring the clock in line with the settings. What did not change is not touched: its time may be now."""
        with self._arranging:
            for duty in self._duties.values():
                wanted = (duty.when(settings), settings.timezone)
                if self._arranged.get(duty.name) != wanted:
                    self._put(duty.name, *wanted)
                    self._arranged[duty.name] = wanted

    def _put(self, name: str, expression: str | None, zone: ZoneInfo) -> None:
        if expression is not None:
            self._scheduler.add_job(
                self._do, trigger(expression, zone), args=[name], id=name, replace_existing=True,
                coalesce=True, misfire_grace_time=None, max_instances=1,
            )  # fmt: skip
        elif self._scheduler.get_job(name) is not None:
            self._scheduler.remove_job(name)

    def _once(self, name: str, in_s: float) -> None:
        at = datetime.now(UTC) + timedelta(seconds=in_s)
        self._scheduler.add_job(
            self._do, "date", run_date=at, args=[name], id=f"{name} again", replace_existing=True,
            misfire_grace_time=None,
        )  # fmt: skip

    def _do(self, name: str) -> None:
        """One duty by the settings of this moment: the outermost frame of its thread."""
        duty = self._duties[name]
        with self._one_at_a_time if duty.alone else nullcontext():
            if self.ending.is_set():
                return
            try:
                settings = load_settings(self._folder)
                self._arrange(settings)
                duty.act(settings)
            except (LeaseTaken, LeaseLost) as error:
                self._log.info("another machine does it", job=name, why=str(error))
                self._try_again(duty)
            except (KerbwatchError, OSError) as error:
                self._log.failure("job failed", job=name, why=str(error))
                self._try_again(duty)

    def _went_wrong(self, event: JobExecutionEvent) -> None:
        """A mistake of the program ended a duty: it stands in the log, and is no reason to do nothing until tomorrow."""
        name = event.job_id.removesuffix(" again")
        self._log.failure("job failed", job=name, why=repr(event.exception), where=event.traceback)
        self._try_again(self._duties[name])

    def _try_again(self, duty: Duty) -> None:
        try:
            owed = duty.owed(load_settings(self._folder))
        except KerbwatchError:
            owed = True
        if owed and not self.ending.is_set():
            self._once(duty.name, AGAIN_S)

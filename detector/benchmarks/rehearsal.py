"""A month of 39 cameras at full size: its catalogue for real, a slice of it scanned, and what the whole would cost."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from detector.benchmarks.bench import SEED, Say
from detector.benchmarks.county import County, Event, Score, interval_of, link, score, write_folder
from detector.benchmarks.footage import MadeRecording, Plot, Street, pool
from detector.benchmarks.measure import Cost, measured
from detector.config.settings import Settings
from detector.core.values import Camera
from detector.demo.archive import recording_name

CAMERAS: Final = 39
DAYS: Final = 30
FIRST_DAY: Final = date(2026, 1, 5)
DAYLIGHT_H: Final = range(7, 21)
CHANCES: Final[Mapping[Street, Mapping[Plot, float]]] = {
    Street.BUSY: {Plot.EVENT: 1 / 8, Plot.TRAP: 1 / 8, Plot.FREE: 6 / 8},
    Street.QUIET: {Plot.EVENT: 1 / 16, Plot.FREE: 15 / 16},
}
"""How often an hour is of each plot."""

AIM_CORES: Final = 8
COMMAND: Final = (sys.executable, "-c", "from detector.cli.main import main; main()")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is, and how many cameras and days of it are really scanned."""

    cameras: int = CAMERAS
    days: int = DAYS
    hours: Sequence[int] = range(24)
    """Of each day, of which there are recordings."""
    scanned_cameras: int = 2
    scanned_days: int = 1


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was measured, and what follows for the whole."""

    recordings: int
    camera_hours: float
    survey: Cost
    survey_again: Cost
    scan: Cost
    scanned_hours: float
    looks: int
    score: Score

    @property
    def whole_core_hours(self) -> float:
        """Of the whole month: one survey, and every camera-hour at the slice's rate."""
        return self.survey.cpu_s / 3600 + self.camera_hours * self.scan.cpu_s / self.scanned_hours / 3600

    @property
    def whole_hours(self) -> float:
        """By the clock on AIM_CORES cores, as busy as the slice kept its own."""
        busy = self.scan.cpu_s / self.scan.wall_s / (os.cpu_count() or 1)
        return self.whole_core_hours / AIM_CORES / min(1.0, busy)

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "camera_hours_per_core_hour": round(self.scanned_hours / (self.scan.cpu_s / 3600), 1),
            "whole_core_hours": round(self.whole_core_hours, 2),
            f"whole_hours_on_{AIM_CORES}_cores": round(self.whole_hours, 2),
            "assumptions": [
                "every camera and day costs what the scanned ones do: a made street of one size, busy from 7 to 21 h",
                f"{AIM_CORES} cores are each as fast as these, and kept as busy",
                "the recorder's disk gives bytes as fast as they were read here from the page cache",
            ],
        }


def rehearse(cache: Path, *, size: Size, workers: int, say: Say) -> Rehearsal:
    """Make the month, survey it twice, scan a slice. The folder is thrown away; the pool of hours is kept in `cache`."""
    with tempfile.TemporaryDirectory(dir=cache, prefix=".month-") as scratch:
        folder = Path(scratch)
        settings = write_folder(folder, size.cameras, gate=True)
        say("footage")
        hours = {
            street: pool(cache, settings.points[0].cameras[0], street, seed=SEED, minutes=60, workers=workers)
            for street in CHANCES
        }
        say("hard links")
        cameras = [camera for point in settings.points for camera in point.cameras]
        events = {camera.id: _month_of(settings, camera, hours, size) for camera in cameras}
        last_day = FIRST_DAY + timedelta(days=size.days - 1)
        period = ("-C", folder, "--until", last_day, "--days", size.days)
        say("surveying everything")
        survey = _measured("coverage", *period, "--json")
        say("surveying everything again")
        survey_again = _measured("coverage", *period, "--json")
        say("scanning a slice")
        points = [point.id for point in settings.points][: size.scanned_cameras]
        chosen = [word for point in points for word in ("--point", point)]
        slice_ = ("-C", folder, "--until", last_day, "--days", size.scanned_days, *chosen)
        said, scan = measured(_words("scan", *slice_, "--workers", workers, "--json"))
        scanned_h = float(len(size.hours) * size.scanned_cameras * size.scanned_days)
        first = last_day - timedelta(days=size.scanned_days - 1)
        mine = tuple(e for point in points for e in events[point] if _day_of(e, settings) >= first)
        place = County(folder, mine, scanned_h, last_day.isoformat(), size.scanned_days)
        return Rehearsal(
            recordings=size.cameras * size.days * len(size.hours),
            camera_hours=float(size.cameras * size.days * len(size.hours)),
            survey=survey,
            survey_again=survey_again,
            scan=scan,
            scanned_hours=scanned_h,
            looks=sum(one["samples"] for one in json.loads(said)["cameras"]),
            score=score(place),
        )


def _day_of(event: Event, settings: Settings) -> date:
    return event.interval.start.astimezone(settings.timezone).date()


def _month_of(
    settings: Settings, camera: Camera, hours: Mapping[Street, Mapping[Plot, MadeRecording]], size: Size
) -> list[Event]:
    """Link a camera's hours; the violations in them."""
    random = np.random.default_rng([SEED, int(camera.id.strip("p"))])
    events: list[Event] = []
    for start in _starts(camera, size):
        street = Street.BUSY if start.hour in DAYLIGHT_H else Street.QUIET
        plots = list(CHANCES[street])
        made = hours[street][plots[int(random.choice(len(plots), p=list(CHANCES[street].values())))]]
        until = start + timedelta(seconds=made.duration_s)
        path = settings.archive_root / camera.folder / recording_name(camera, start, until)
        path.parent.mkdir(parents=True, exist_ok=True)
        link(made.path, path)
        events += [Event(camera.id, interval_of(start, e.from_s, e.until_s), e.box) for e in made.events]
    return events


def _starts(camera: Camera, size: Size) -> Iterator[datetime]:
    for day in range(size.days):
        for hour in size.hours:
            yield datetime.combine(FIRST_DAY + timedelta(days=day), time(hour), camera.timezone)


def _measured(*words: object) -> Cost:
    return measured(_words(*words), good=(0, 3))[1]


def _words(*words: object) -> Sequence[str]:
    return [*COMMAND, *map(str, words)]

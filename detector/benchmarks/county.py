"""A working folder with many hours of recordings, hard-linked from a pool of made ones, and what is true of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from detector.benchmarks.footage import STARTS, MadeRecording, Plot, Street
from detector.config.settings import Settings, load_settings
from detector.config.template import template_files
from detector.core.geometry import Box, iou
from detector.core.times import Interval
from detector.core.values import Violation
from detector.database import Database
from detector.demo.archive import recording_name
from detector.issues.queue import IssueQueue
from detector.issues.values import IssueFilter
from detector.observing.store import ObservationStore

ORDER: Final[Mapping[Street, Sequence[Plot]]] = {
    Street.BUSY: (Plot.EVENT, Plot.FREE, Plot.TRAP, *[Plot.FREE] * 5),
    Street.QUIET: (Plot.EVENT, *[Plot.FREE] * 15),
    Street.FAR: (Plot.EVENT, Plot.FREE, Plot.TRAP, *[Plot.FREE] * 5),
}
"""Half-hours of a camera, over and over: a violation and a trap in four busy hours, a violation in eight quiet ones."""

SAME_PLACE_IOU: Final = 0.3
"""A finding that overlaps an event in time, and its box by so much, is that event."""

SAMPLE_POINT: Final = "p001"
SETTLED: Final = 1_767_900_000
"""An old date for the files, so that none is taken for one still being written."""


@dataclass(frozen=True, slots=True)
class Event:
    """A violation that a county's recordings hold."""

    camera_id: str
    interval: Interval
    box: Box


@dataclass(frozen=True, slots=True)
class County:
    """A working folder and its truth."""

    folder: Path
    events: tuple[Event, ...]
    camera_hours: float
    last_day: str
    days: int

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder)


@dataclass(frozen=True, slots=True)
class Score:
    """What was found of what is true. `recall` is None where nothing was to be found."""

    events: int
    found: int
    false_alarms: int

    @property
    def recall(self) -> float | None:
        return self.found / self.events if self.events else None


def write_folder(folder: Path, cameras: int, *, gate: bool) -> Settings:
    """A working folder as `kerbwatch init` writes it, with so many points like the first."""
    files = template_files(judge_example_zones=True)
    sample = files[f"points/{SAMPLE_POINT}.yaml"]
    for name, text in files.items():
        if not name.startswith("points/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(
                text.replace("gate: true", f"gate: {str(gate).lower()}"), encoding="utf-8"
            )
    (folder / "points").mkdir(exist_ok=True)
    for number in range(1, cameras + 1):
        text = sample.replace(SAMPLE_POINT, f"p{number:03d}")
        (folder / "points" / f"p{number:03d}.yaml").write_text(text, encoding="utf-8")
    (folder / "recordings").mkdir(exist_ok=True)
    return load_settings(folder)


def county(
    folder: Path, pool: Mapping[Plot, MadeRecording], *, cameras: int, recordings: int, gate: bool
) -> County:
    """`cameras` with so many recordings each, one after another from the street's own hour on."""
    settings = write_folder(folder, cameras, gate=gate)
    events: list[Event] = []
    hours = 0.0
    start = end = STARTS[next(iter(pool.values())).street]
    for point in settings.points:
        (camera,) = point.cameras
        at = start.astimezone(camera.timezone)
        street = next(iter(pool.values())).street
        for plot in islice(cycle(ORDER[street]), recordings):
            made = pool[plot]
            until = at + timedelta(seconds=made.duration_s)
            path = settings.archive_root / camera.folder / recording_name(camera, at, until)
            path.parent.mkdir(parents=True, exist_ok=True)
            link(made.path, path)
            events += [Event(camera.id, interval_of(at, e.from_s, e.until_s), e.box) for e in made.events]
            hours += made.duration_s / 3600
            at = until
        end = max(end, at)
    first, last = (
        moment.astimezone(settings.timezone).date() for moment in (start, end - timedelta(seconds=1))
    )
    return County(folder, tuple(events), hours, last.isoformat(), (last - first).days + 1)


def link(source: Path, path: Path) -> None:
    """Another name for a made recording, dated so that it is not taken for one still being written."""
    os.utime(source, (SETTLED, SETTLED))
    os.link(source, path)


def interval_of(start: datetime, from_s: float, until_s: float) -> Interval:
    """The stretch between two moments of a recording that begins at `start`."""
    return Interval(start + timedelta(seconds=from_s), start + timedelta(seconds=until_s))


def score(county: County) -> Score:
    """What a scan filed beside what is true; faults of the camera are counted as false alarms too."""
    with Database.open(county.settings.database_url) as database:
        issues = IssueQueue(database).find(IssueFilter())
    left = list(issues)
    found = 0
    for event in county.events:
        mine = [
            issue
            for issue in left
            if issue.violation is Violation.ILLEGAL_PARKING
            and issue.camera_id == event.camera_id
            and issue.interval.overlaps(event.interval)
            and issue.box is not None
            and iou(issue.box, event.box) >= SAME_PLACE_IOU
        ]
        found += bool(mine)
        left = [issue for issue in left if issue not in mine]
    return Score(len(county.events), found, len(left))


def reused_share(county: County) -> float:
    """For which part of the looks the gate spared the model."""
    root = Path(county.settings.observations_root)
    store = ObservationStore(root)
    names = [str(file.relative_to(root)) for file in root.rglob("*.parquet")]
    seen = [o.reused for name in names for o in store.read(name, "", "")]
    return sum(seen) / len(seen) if seen else 0.0

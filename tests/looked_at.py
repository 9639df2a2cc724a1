"""A county as `init` writes it, whose cameras were looked at without there being a recording: rows and made looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from made_looks import CADENCE_S, of_recording

from detector.config.settings import Settings, load_settings
from detector.config.template import template_files
from detector.core.times import Interval
from detector.core.values import Camera, Observation, Recording, RecordingState
from detector.footage.catalogue import Catalogue
from detector.observing.store import ObservationStore

PLAN = f"{CADENCE_S:g}s-made"
MODEL = "made"
HOUR = timedelta(hours=1)


def looks_in(hours: int) -> int:
    return int(hours * 3600 / CADENCE_S)


def template_county(folder: Path) -> Settings:
    for name, text in template_files(judge_example_zones=True).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return load_settings(folder)


def recorded_hours(camera: Camera, starts: Iterable[datetime]) -> list[Recording]:
    """A recording an hour, by name only."""
    return [
        Recording(
            camera.id, f"{camera.folder}/{start:%Y%m%d%H}.mp4", 1000, 1,
            Interval(start, start + HOUR), RecordingState.READABLE,
        )
        for start in starts
    ]  # fmt: skip


def look_at(
    catalogue: Catalogue,
    store: ObservationStore,
    camera: Camera,
    recordings: Sequence[Recording],
    looks: Sequence[Observation],
) -> None:
    """Store the looks of these recordings, as a scan would, and say that they were observed."""
    for recording in recordings:
        start = recording.interval.start.astimezone(camera.timezone)
        own = [look for look in looks if look.at in recording.interval]
        file = store.write(camera.id, recording.id, PLAN, start, of_recording(own, recording.id, start))
        say_observed(catalogue, recording, file, len(own))


def say_observed(catalogue: Catalogue, recording: Recording, file: str, samples: int) -> None:
    catalogue.mark_observed(
        recording, PLAN, model_id=MODEL, file=file, samples=samples, failed=0, observed=recording.interval
    )

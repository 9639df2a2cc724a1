"""Stored observations of a filed issue, made without a video and a model."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from detector.config.settings import Settings
from detector.core.times import Interval
from detector.core.values import (
    SIGNATURE_WH,
    Detections,
    Observation,
    Recording,
    RecordingState,
    ViewState,
)
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.issues import Issue
from detector.observing.store import ObservationStore

EVERY_S = 18
VIEW = np.linspace(0, 255, SIGNATURE_WH[0] * SIGNATURE_WH[1]).astype(np.uint8).reshape(SIGNATURE_WH[::-1])


def recorded(settings: Settings, database: Database, issue: Issue) -> Recording:
    """A recording from ten minutes before an issue to ten minutes after it, known and not observed."""
    margin = timedelta(minutes=10)
    interval = Interval(issue.interval.start - margin, issue.interval.end + margin)
    recording = Recording(
        issue.camera_id, f"{issue.camera_id}/made.mp4", 1, 1, interval, RecordingState.READABLE
    )
    Catalogue(database).remember(issue.camera_id, [recording], interval.end)
    return recording


def observed(settings: Settings, database: Database, issue: Issue) -> str:
    """The file with its observations: a car at the issue's box as long as the issue lasts, and nothing else."""
    recording = recorded(settings, database, issue)
    camera = next(c for p in settings.points for c in p.cameras if c.id == issue.camera_id)
    looks = [
        _look(issue, recording, offset_s)
        for offset_s in range(0, int(recording.interval.duration_s), EVERY_S)
    ]
    local = recording.interval.start.astimezone(camera.timezone)
    store = ObservationStore(settings.observations_root)
    file = store.write(camera.id, recording.id, f"{EVERY_S}s-m", local, looks)
    Catalogue(database).mark_observed(
        recording,
        f"{EVERY_S}s-m",
        model_id="m",
        file=file,
        samples=len(looks),
        failed=0,
        observed=recording.interval,
    )
    return file


def _look(issue: Issue, recording: Recording, offset_s: int) -> Observation:
    at = recording.interval.start + timedelta(seconds=offset_s)
    there = issue.box is not None and at in issue.interval
    detections = Detections(
        ("car",) if there else (),
        np.array([0.8] if there else [], np.float32),
        np.array([issue.box] if there else [], np.float32).reshape(-1, 4),
    )
    view = ViewState(float(VIEW.mean()), 20.0, VIEW)
    return Observation(issue.camera_id, at, recording.id, float(offset_s), detections, view)

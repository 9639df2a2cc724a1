"""A month of stored observations judged again: what it costs, and that its memory is bounded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from processes import run

from detector.config.settings import Settings, load_settings
from detector.config.template import template_files
from detector.core.times import Interval
from detector.core.values import (
    EDGES_WH,
    SIGNATURE_WH,
    SKETCH_SIZE,
    Camera,
    Detections,
    Observation,
    Recording,
    RecordingState,
    ViewState,
)
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.observing.store import ObservationStore

SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
CAMERAS, DAYS = (39, 30) if SOAK else (1, 1)
HOURS_A_DAY = 24 if SOAK else 2
CADENCE_S = 54.0
PICTURE_EVERY = 5
LAST_DAY = date(2026, 1, 30)
PARKED = (0.10, 0.46, 0.31, 0.72)
BOUND_MB = 1500.0


def looks_of_an_hour(camera: Camera, recording: Recording, pictures: list[bytes]) -> Iterator[Observation]:
    """A busy street: vehicles and people who pass, one vehicle that stands for five minutes, pictures for litter."""
    random = np.random.default_rng(int(recording.interval.start.timestamp()))
    view = np.random.default_rng(7)
    signature = view.integers(40, 200, SIGNATURE_WH[::-1], dtype=np.uint8)
    edges = view.random(EDGES_WH[::-1]) < 0.25
    for number in range(int(3600 / CADENCE_S)):
        corners = random.uniform(0.05, 0.8, (8, 2))
        sizes = random.uniform(0.05, 0.15, (8, 2))
        boxes = np.hstack([corners, corners + sizes]).astype(np.float32)
        labels = ["car"] * 5 + ["person"] * 3
        if 20 <= number < 26:
            boxes, labels = np.vstack([boxes, np.array([PARKED], np.float32)]), [*labels, "car"]
        noisy = np.clip(signature.astype(int) + random.integers(-3, 4, signature.shape), 0, 255)
        state = ViewState(
            110.0 + random.normal(), 9.0 + random.normal() / 9, noisy.astype(np.uint8), edges,
            random.normal(0, 5, SKETCH_SIZE).astype(np.float32),
        )  # fmt: skip
        offset_s = number * CADENCE_S
        yield Observation(
            camera.id, recording.interval.start + timedelta(seconds=offset_s), recording.id, offset_s,
            Detections(tuple(labels), np.full(len(labels), 0.6, np.float32), boxes), state,
            pictures[number % len(pictures)] if number % PICTURE_EVERY == 0 else None,
        )  # fmt: skip


def street_pictures() -> list[bytes]:
    random = np.random.default_rng(3)
    ground = cv2.resize(random.integers(60, 180, (36, 64, 3), dtype=np.uint8), (640, 360)).astype(np.int16)
    noisy = [np.clip(ground + random.normal(0, 2, ground.shape), 0, 255).astype(np.uint8) for _ in range(4)]
    return [cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes() for one in noisy]


def stored(folder: Path) -> Settings:
    """A working folder as `init` writes it, with the observations of its first cameras."""
    for name, text in template_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    settings = load_settings(folder)
    store, pictures = ObservationStore(settings.observations_root), street_pictures()
    with Database.open(settings.database_url) as database:
        catalogue = Catalogue(database)
        for point in settings.points[:CAMERAS]:
            for camera in point.cameras:
                observe_all(catalogue, store, camera, pictures)
    return settings


def observe_all(catalogue: Catalogue, store: ObservationStore, camera: Camera, pictures: list[bytes]) -> None:
    midnight = datetime.combine(LAST_DAY, time(), camera.timezone)
    starts = [
        midnight - timedelta(days=d) + timedelta(hours=h) for d in range(DAYS) for h in range(HOURS_A_DAY)
    ]
    hours = [
        Recording(
            camera.id, f"{camera.folder}/{start:%Y%m%d%H}.mp4", 1000, 1,
            Interval(start, start + timedelta(hours=1)), RecordingState.READABLE,
        )
        for start in starts
    ]  # fmt: skip
    catalogue.remember(camera.id, hours, midnight)
    for hour in hours:
        seen = list(looks_of_an_hour(camera, hour, pictures))
        start = hour.interval.start.astimezone(camera.timezone)
        file = store.write(camera.id, hour.id, "54s-made", start, seen)
        catalogue.mark_observed(
            hour, "54s-made", model_id="made", file=file, samples=len(seen), failed=0, observed=hour.interval
        )


@pytest.mark.slow
def test_stored_observations_are_judged_again_with_every_stay_found_and_bounded_memory(
    tmp_path: Path,
) -> None:
    settings = stored(tmp_path)
    points = [word for point in settings.points[:CAMERAS] for word in ("--point", point.id)]
    words = ("judge", "-C", tmp_path, "--until", LAST_DAY.isoformat(), "--days", DAYS, *points, "--json")
    ended = run(words)
    assert ended.code == 0, ended.errors
    changes = json.loads(ended.out)
    looks = sum(one["observations"] for one in changes)
    assert looks == sum(len(p.cameras) for p in settings.points[:CAMERAS]) * DAYS * HOURS_A_DAY * int(
        3600 / CADENCE_S
    )
    first = [found for found in changes[0]["appeared"] if found["violation"] == "illegal_parking"]
    assert len(first) >= DAYS * HOURS_A_DAY
    print(f"{looks} observations, {ended.cpu_s:.0f} s of processor time, {ended.peak_mb:.0f} MB")
    assert ended.peak_mb < BOUND_MB

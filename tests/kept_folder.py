"""A working folder with a few issues, evidence and observations of known content; no video, no model."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from made_archive import write_folder

from detector.config.nightly import RetentionSettings
from detector.config.settings import Settings
from detector.core.times import Interval
from detector.core.values import Evidence, Incident, Recording, RecordingState, Violation
from detector.database import Database
from detector.evidence.manifest import MANIFEST, canonical, file_of
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
STATES = ("flagged", "confirmed", "rejected", "withdrawn", "rejected")
"""Of the issues 1 to 5; the fifth shares its evidence with the first."""


def county(folder: Path, database_url: str | None = None) -> Settings:
    settings = write_folder(folder, points=("p001",))
    return replace(settings, database_url=database_url or settings.database_url)


def with_retention(settings: Settings, **kept: int | None) -> Settings:
    limits = replace(RetentionSettings(None, None, None, None, None), **kept)
    return replace(settings, nightly=replace(settings.nightly, retention=limits))


def evidence_in(root: Path, number: int, size: int = 1000) -> Evidence:
    place = f"2026-01-{number:02d}/p001/{number:032x}"
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "still_1_scene.jpg").write_bytes(bytes([number]) * size)
    still = file_of(folder / "still_1_scene.jpg")
    content = {"files": {still.name: {"sha256": still.sha256, "size_bytes": still.size_bytes}}}
    (folder / MANIFEST).write_bytes(canonical(content))
    return Evidence(place, (file_of(folder / MANIFEST), still))


def fill(settings: Settings, database: Database) -> None:
    """Five issues filed and decided in five months, and observations of five days."""
    camera = settings.points[0].cameras[0]
    catalogue = Catalogue(database)
    assert isinstance(settings.evidence_root, Path)
    for number, state in enumerate(STATES, 1):
        at = NOW - timedelta(days=30 * (6 - number))
        start = at - timedelta(days=1)
        queue = IssueQueue(database, lambda at=at: at)
        incident = Incident(
            Violation.ILLEGAL_PARKING, "p001", camera.id, "kerb", Interval(start, start + timedelta(minutes=5)),
            60.0, (0.1, 0.1, 0.1 + number / 10, 0.2), 0.9, 0.8,
        )  # fmt: skip
        evidence = evidence_in(settings.evidence_root, 1 if number == 5 else number)
        filed = queue.file(
            incident, evidence, explanation="stood", explanation_zh="停", model_id="m", rules_version="r",
            verdict_key=f"v{number}", start_uncertainty_s=1.0, end_uncertainty_s=2.0,
        )  # fmt: skip
        if state == "confirmed":
            queue.confirm(filed.issue_id, "li")
        elif state == "withdrawn":
            queue.move(filed.issue_id, "withdraw", "li", reason="twice")
        elif state == "rejected":
            queue.reject(filed.issue_id, "li", "other", note="看不清")
        observe(settings, catalogue, number, start)


def observe(settings: Settings, catalogue: Catalogue, number: int, start: datetime) -> None:
    camera = settings.points[0].cameras[0]
    interval = Interval(start, start + timedelta(hours=1))
    recording = Recording(
        camera.id, f"{camera.id}/{number}.mp4", 10 + number, 1, interval, RecordingState.READABLE
    )
    catalogue.remember(camera.id, [recording], start)
    name = f"camera={camera.id}/date={start:%Y-%m-%d}/{start:%H%M%S}-{recording.id}-18s-m.parquet"
    path = settings.observations_root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"observations {number}".encode() * 100)
    catalogue.mark_observed(
        recording, "18s-m", model_id="m", file=name, samples=3, failed=0, observed=interval
    )


def log_of(settings: Settings, days_old: int) -> Path:
    at = NOW - timedelta(days=days_old)
    path = settings.state_root / "logs" / f"{at:%Y-%m-%d}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"event": "x"}))
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def tree(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file below a folder, by its hash."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(without or ("\0",))
    }

"""What several subcommands need: the working folder, the model, the parts of a scan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from detector.config.manifest import cache_folder, load_manifest, models_folder
from detector.config.settings import ModelSettings, Settings, load_settings
from detector.core.errors import BadInput, BadWeights
from detector.core.times import Interval, local_day
from detector.core.values import Camera, Point
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.inference.detector import Detector, open_detector
from detector.inference.weights import Weights, verified
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.scan import Shop

Folder = Annotated[
    Path, typer.Option("--dir", "-C", envvar="KERBWATCH_DIR", help="The working folder that `init` wrote.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Points = Annotated[list[str] | None, typer.Option("--point", "-p", help="Only this point; may be repeated.")]
Until = Annotated[str | None, typer.Option("--until", help="The last day, such as 2026-01-30; yesterday if left out.")]
Days = Annotated[int | None, typer.Option("--days", min=1, help="How many days, ending with the last; as configured.")]
Rules = Annotated[Path | None, typer.Option("--rules", help="Another rules.yaml than the working folder's.")]


def weights_of(settings: ModelSettings) -> Path:
    """The weights file that the settings name, checked against the manifest. Raises BadWeights."""
    if settings.weights.endswith(".pt"):
        path = Path(settings.weights).expanduser()
        if not path.is_file():
            raise BadWeights(f"{path} is missing (kerbwatch.yaml: model.weights)")
        return path
    return verified(manifest_weights(settings.weights), models_folder())


def manifest_weights(name: str) -> Weights:
    manifest = load_manifest(models_folder())
    if name not in manifest.weights:
        raise BadWeights(f"no weights named '{name}' in {manifest.folder}/manifest.yaml: {', '.join(manifest.weights)}")
    part = manifest.weights[name]
    return Weights(name, part.file, part.sha256, part.size_bytes, part.classes, part.licence, tuple(part.sources))


def detector_of(settings: ModelSettings) -> Detector:
    return open_detector(
        weights_of(settings),
        cache_folder(),
        device=settings.device,
        input_hw=settings.imgsz_hw,
        confidence=settings.confidence,
        precision=settings.precision,
    )


DEFAULT_MODEL = ModelSettings("yolov8n", "auto", (384, 640), 0.25, 4, "bf16")
"""For commands without a working folder."""


@contextmanager
def opened_queue(settings: Settings) -> Iterator[IssueQueue]:
    with Database.open(settings.database_url) as database:
        yield IssueQueue(database)


@contextmanager
def opened_shop(settings: Settings, detector: Detector) -> Iterator[Shop]:
    with Database.open(settings.database_url) as database:
        yield Shop(
            settings=settings,
            detector=detector,
            catalogue=Catalogue(database),
            store=ObservationStore(settings.observations_root),
            queue=IssueQueue(database),
            evidence_root=evidence_folder(settings),
        )


def evidence_folder(settings: Settings) -> Path:
    if isinstance(settings.evidence_root, str) and "://" in settings.evidence_root:
        raise BadInput("kerbwatch.yaml: storage.evidence: only a folder can hold evidence in this version")
    return Path(settings.evidence_root)


def settings_in(folder: Path) -> Settings:
    return load_settings(folder)


def chosen(settings: Settings, points: list[str] | None) -> list[tuple[Point, Camera]]:
    """The cameras of the points named, or of all."""
    wanted = [settings.point(name) for name in points] if points else settings.points
    return [(point, camera) for point in wanted for camera in point.cameras]


def period_of(settings: Settings, until: str | None, days: int | None) -> Interval:
    """Whole local days, the last one given, else yesterday. Raises BadInput for what is not a day."""
    try:
        last = date.fromisoformat(until) if until else datetime.now(settings.timezone).date() - timedelta(days=1)
    except ValueError as error:
        raise BadInput(f"--until: {until!r} is not a day such as 2026-01-30") from error
    first = last - timedelta(days=(days or settings.period_days) - 1)
    return Interval(local_day(first, settings.timezone).start, local_day(last, settings.timezone).end)


def now() -> datetime:
    return datetime.now(UTC)

"""What several subcommands need: the working folder, the model, the parts of a scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from detector.config.manifest import cache_folder, load_manifest, models_folder
from detector.config.settings import ModelSettings, Settings, load_settings, model_settings
from detector.core.barrier import tracebacks_in
from detector.core.errors import BadInput, BadWeights
from detector.core.times import Interval, local_day, utc_now
from detector.core.values import Camera, Point, Violation
from detector.database import Database
from detector.footage.catalogue import Catalogue
from detector.footage.templates import parse_template
from detector.footage.troubles import Troubles
from detector.inference.bins import BinClassifier, BinHead, LazyBins
from detector.inference.detector import Detector, WithVerifier, make_ready, open_detector
from detector.inference.second import BinJudge, SecondModels
from detector.inference.two_sizes import AtTwoSizes
from detector.inference.weights import Weights, verified
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.scan import Shop
from detector.reporting.pictures import Sight
from detector.signing import BadKey, make_key, signing_key
from detector.storage import open_store

Folder = Annotated[
    Path, typer.Option("--dir", "-C", envvar="KERBWATCH_DIR", help="The working folder that `init` wrote.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Points = Annotated[list[str] | None, typer.Option("--point", "-p", help="Only this point; may be repeated.")]
Until = Annotated[
    str | None, typer.Option("--until", help="The last day, such as 2026-01-30; yesterday if left out.")
]
Days = Annotated[
    int | None, typer.Option("--days", min=1, help="How many days, ending with the last; as configured.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="How many processes; one a core if left out.")
]
Rules = Annotated[Path | None, typer.Option("--rules", help="Another rules.yaml than the working folder's.")]


MASKING_CONFIDENCE = 0.15
"""Below what judging asks for: here a person that is missed costs more than a blurred bin."""


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
        raise BadWeights(
            f"no weights named '{name}' in {manifest.folder}/manifest.yaml: {', '.join(manifest.weights)}"
        )
    part = manifest.weights[name]
    return Weights(
        name, part.file, part.sha256, part.size_bytes, part.classes, part.licence, tuple(part.sources)
    )


def detector_of(settings: ModelSettings, threads: int = 0) -> Detector:
    """Open the detector of a scan: weak detections of vehicles are kept, and `verify_weights` name what stands."""
    detector = _open(settings, threads, faint=True)
    if not settings.verify_weights:
        return detector
    verifier = _open(replace(settings, weights=settings.verify_weights), threads, faint=True)
    return WithVerifier(detector, verifier)


def _open(settings: ModelSettings, threads: int = 0, *, faint: bool = False) -> Detector:
    return open_detector(
        weights_of(settings),
        cache_folder(),
        threads=threads,
        device=settings.device,
        input_hw=settings.imgsz_hw,
        confidence=settings.confidence,
        precision=settings.precision,
        faint=faint,
    )


def input_size(text: str) -> tuple[int, int]:
    """A height and a width that YOLO takes. Raises BadInput."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(
        side.isdecimal() and int(side) > 0 and not int(side) % 32 for side in sides
    ):
        raise BadInput(f"--imgsz: '{text}' is not a height and a width in multiples of 32, such as 288x480")
    return int(sides[0]), int(sides[1])


def sight_of(settings: Settings) -> Sight:
    """What masks pictures. Raises BadInput."""
    detector = _open(replace(settings.model, confidence=MASKING_CONFIDENCE))
    return Sight(detector, settings.state_root / "masking")


def litter_detector_of(settings: ModelSettings, threads: int = 0) -> Detector | None:
    """The second detector, for rubbish, where the settings name one: at `litter_imgsz` and at `imgsz`."""
    if not settings.litter_weights:
        return None
    own = replace(settings, weights=settings.litter_weights)
    return AtTwoSizes(_open(replace(own, imgsz_hw=settings.litter_imgsz_hw), threads), _open(own, threads))


def bin_judge_of(settings: ModelSettings, threads: int = 0) -> BinJudge | None:
    """The classifier of street containers, opened when it is first asked; None where the settings name none."""
    if not settings.bin_weights:
        return None
    name, folder = settings.bin_weights, models_folder()
    known = load_manifest(folder).weights if (folder / "manifest.yaml").is_file() else {}
    # A folder of weights of one's own need not have a classifier: it is missed where a container is to be judged.
    model_id = known[name].sha256[:16] if name in known else name
    return LazyBins(model_id, partial(_open_bins, name, threads))


def _open_bins(name: str, threads: int) -> BinClassifier:
    folder = models_folder()
    file = verified(manifest_weights(name), folder)
    network = verified(manifest_weights(BinHead.read(file).network), folder)
    return BinClassifier(file, network, cache_folder(), threads=threads)


def second_models_of(settings: ModelSettings, threads: int = 0) -> SecondModels:
    """The models that are asked at few samples, as far as the settings name them."""
    return SecondModels(litter_detector_of(settings, threads), bin_judge_of(settings, threads))


def prepare_detector(settings: ModelSettings, *, litter: bool = True) -> None:
    """Check the weights and make their export, so that workers find it ready."""
    wanted = [(settings.weights, settings.imgsz_hw)]
    if settings.verify_weights:
        wanted.append((settings.verify_weights, settings.imgsz_hw))
    if litter and settings.litter_weights:
        wanted += [(settings.litter_weights, size) for size in (settings.litter_imgsz_hw, settings.imgsz_hw)]
    for weights, input_hw in wanted:
        file = weights_of(replace(settings, weights=weights))
        make_ready(file, cache_folder(), device=settings.device, input_hw=input_hw)


def looks_for(settings: Settings, violation: Violation) -> bool:
    """Whether any camera has a zone in which a violation is looked for: else its model need not be opened."""
    rule = settings.rules.rules.get(violation)
    return rule is not None and any(
        rule.at(point.category).enabled and any(zone.kind in rule.zones for zone in camera.zones)
        for point in settings.points
        for camera in point.cameras
    )


def default_model() -> ModelSettings:
    """For commands without a working folder; the detector of bags is on trial and not among it."""
    return model_settings()


@contextmanager
def opened_queue(settings: Settings) -> Iterator[IssueQueue]:
    with Database.open(settings.database_url) as database:
        yield IssueQueue(database)


@contextmanager
def open_shop(settings: Settings, threads: int = 0) -> Iterator[Shop]:
    """What a scan works with. Tracebacks of unexpected errors go to the log below the state folder."""
    with tracebacks_in(settings.state_root / "logs"), Database.open(settings.database_url) as database:
        yield _shop(settings, database, threads)


def _shop(settings: Settings, database: Database, threads: int) -> Shop:
    return Shop(
        settings=settings,
        detector=detector_of(settings.model, threads),
        catalogue=Catalogue(database),
        store=ObservationStore(settings.observations_root),
        queue=IssueQueue(database),
        evidence_root=settings.evidence_root,
        key=signing_key(settings.key_file),
        second=_second_models(settings, threads),
        given_up=Troubles(database).given_up,
        gated=settings.model.gate,
    )


def _second_models(settings: Settings, threads: int) -> SecondModels:
    """Those that the rules and zones need."""
    litter, bins = (
        looks_for(settings, violation) for violation in (Violation.LITTER, Violation.OVERFLOWING_BIN)
    )
    return SecondModels(
        litter_detector_of(settings.model, threads) if litter else None,
        bin_judge_of(settings.model, threads) if bins else None,
    )


def prepare(settings: Settings, cameras: Sequence[tuple[Point, Camera]]) -> None:
    """Make ready what workers scan with. Raises BadInput, BadWeights, DatabaseUnusable: nothing is started then."""
    for _, camera in cameras:
        try:
            parse_template(camera.template)
        except ValueError as error:
            raise BadInput(f"camera {camera.id}: recordings.template: {error}") from error
    for root in (settings.evidence_root, settings.observations_root):
        open_store(root).make_ready()
    Database.open(settings.database_url).close()
    _prepare_key(settings)
    prepare_detector(settings.model, litter=looks_for(settings, Violation.LITTER))
    bins = bin_judge_of(settings.model)
    if isinstance(bins, LazyBins) and looks_for(settings, Violation.OVERFLOWING_BIN):
        bins.open()


def _prepare_key(settings: Settings) -> None:
    """Make the county's key before workers sign with it; evidence stays unsigned where none can be written.

    Raises BadKey for a key that is there and cannot be used.
    """
    if signing_key(settings.key_file) is None:
        with suppress(BadKey):
            make_key(settings.key_file)


def settings_in(folder: Path) -> Settings:
    return load_settings(folder)


def chosen(settings: Settings, points: list[str] | None) -> list[tuple[Point, Camera]]:
    """The cameras of the points named, or of all."""
    wanted = [settings.point(name) for name in points] if points else settings.points
    return [(point, camera) for point in wanted for camera in point.cameras]


def period_of(settings: Settings, until: str | None, days: int | None) -> Interval:
    """Whole local days, the last one given, else yesterday. Raises BadInput for what is not a day."""
    try:
        last = (
            date.fromisoformat(until) if until else datetime.now(settings.timezone).date() - timedelta(days=1)
        )
    except ValueError as error:
        raise BadInput(f"--until: {until!r} is not a day such as 2026-01-30") from error
    first = last - timedelta(days=(days or settings.period_days) - 1)
    return Interval(local_day(first, settings.timezone).start, local_day(last, settings.timezone).end)


def now() -> datetime:
    return utc_now()

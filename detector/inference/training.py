"""Train a litter detector by a recipe, score it on what it has not seen, and leave one small file.

The recipe is a YAML file (`detector.config.training`); `train` is what `kerbwatch models train CONFIG` calls.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.config.training import Fit, SizeBand, TrainingSettings, load_training
from detector.core.errors import BadWeights
from detector.core.geometry import iou_matrix
from detector.core.values import Detections, Image
from detector.inference.detector import Detector, OpenVinoDetector
from detector.inference.litter_data import (
    CloseUp,
    Composer,
    Cutout,
    Scene,
    cut_out_bags,
    cut_out_people,
    cut_out_surroundings,
    kept_out,
    read_close_ups,
    read_picture,
    read_scenes,
    scaled,
    seen_through_jpeg,
    write_training_set,
)
from detector.inference.quiet import import_ultralytics
from detector.inference.weights import sha256_of

LABEL = "rubbish"
LEAST_CONFIDENCE = 0.05
"""Detections below it are not looked at when scoring at surveillance size."""

See = Callable[[Image, tuple[int, int]], Detections]
"""A detector: a picture and the height and width of the network's input, to what it sees there."""


@dataclass(frozen=True, slots=True)
class BandScore:
    """Bags of one band of widths, [from_px, until_px) at the network's input, found at the threshold."""

    from_px: int
    until_px: int
    bags: int
    found: int

    @property
    def recall(self) -> float:
        return self.found / self.bags if self.bags else 0.0


@dataclass(frozen=True, slots=True)
class StreetScore:
    """One test on composed street views; a hit overlaps a bag by an IoU of 0.5 or more."""

    name: str
    resolution_wh: tuple[int, int]
    pictures: int
    bags: int
    precision: float
    """At the threshold of the recipe, as is `recall`."""
    recall: float
    recall_at_precision: float
    """The most that is found at the precision of the recipe or above it, at whichever threshold."""
    threshold_for_precision: float
    bands: tuple[BandScore, ...]


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """A detection on a picture without rubbish; the box in pixels, xyxy."""

    picture: str
    input_hw: tuple[int, int]
    confidence: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Scores:
    """How a detector does on what it was not trained on."""

    threshold: float
    close_up_map50: dict[int, float]
    """mAP50 on the held-out close-ups, by input size."""
    streets: tuple[StreetScore, ...]
    false_alarms: tuple[FalseAlarm, ...]
    """On the street views as they are, at half the threshold or above."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came of a recipe."""

    weights: str
    sha256: str
    size_bytes: int
    data_sha256: str
    """Over all bytes of the training set; the same for the same recipe, seed and source pictures."""
    close_ups: int
    composed: int
    scores: Scores
    training_s: float


@dataclass(frozen=True, slots=True)
class Material:
    """The pictures of a recipe, read and divided; no photo and no street stands on two sides."""

    training: tuple[CloseUp, ...]
    tuning: tuple[CloseUp, ...]
    unseen: tuple[CloseUp, ...]
    composers: dict[str, Composer]
    """`train`; `tuning`: kept-out bags on the views trained on; `test`: unseen bags on unseen views."""


def train(
    config_path: Path, out: Path, *, weights: Path | None = None, work: Path | None = None
) -> TrainingReport:
    """Train by the recipe in `config_path` and write the weights to `out`, the report beside it as JSON.

    `weights` goes before the recipe's own COCO weights; `work` keeps the training set (else it is thrown away).
    Raises BadConfig, BadInput or BadWeights before any training where something is missing.
    """
    settings = load_training(config_path)
    start = weights or settings.weights
    if not start.is_file():
        raise BadWeights(f"{start}: no such file; the recipe starts from the COCO weights yolov8n.pt")
    with tempfile.TemporaryDirectory(prefix="kerbwatch-train-") as temporary:
        folder = (work or Path(temporary)).resolve()
        library = import_ultralytics(folder / "ultralytics")
        material = read_material(settings, Path(str(library.__file__)).parent / "assets")
        data_sha256 = write_training_set(
            settings, material.composers["train"], material.training, folder / "train"
        )
        began = time.monotonic()
        trained = _fit(library.YOLO(str(start)), _write_data(folder, material.unseen), settings, folder)
        training_s = time.monotonic() - began
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(trained, out)
        report = TrainingReport(
            weights=out.name,
            sha256=sha256_of(out),
            size_bytes=out.stat().st_size,
            data_sha256=data_sha256,
            close_ups=len(material.training),
            composed=settings.mix.composed,
            scores=score(library.YOLO(str(out)), seeing(out, folder / "cache"), settings, material, folder),
            training_s=training_s,
        )
    out.with_suffix(".json").write_text(json.dumps(asdict(report), indent=2) + "\n")
    return report


def read_material(settings: TrainingSettings, assets: Path) -> Material:
    samples = [(read_picture(assets / sample.file), sample) for sample in settings.samples]
    people = tuple(cut_out_people(samples, settings.seed))
    training, tuning = kept_out(
        read_close_ups(settings.trashbags / "train"), settings.tuning_photos, settings.seed
    )
    unseen = read_close_ups(settings.trashbags / "val")
    seen, other = (tuple(read_scenes(settings.stills, settings.streets, use)) for use in ("train", "test"))
    photos = tuple(image for image, _ in samples)
    composers = {
        "train": Composer(
            settings.mix,
            tuple(cut_out_bags(training)),
            people,
            seen,
            samples=photos,
            surroundings=tuple(cut_out_surroundings(training, settings.seed)),
        ),
        "test": _tester(settings, unseen, people, other),
    }
    if tuning:
        composers["tuning"] = _tester(settings, tuning, people, seen)
    return Material(tuple(training), tuple(tuning), tuple(unseen), composers)


def _tester(
    settings: TrainingSettings,
    close_ups: Sequence[CloseUp],
    people: tuple[Cutout, ...],
    scenes: tuple[Scene, ...],
) -> Composer:
    beside = tuple(cut_out_surroundings(close_ups, settings.seed))
    return Composer(settings.mix, tuple(cut_out_bags(close_ups)), people, scenes, surroundings=beside)


def _write_data(folder: Path, unseen: Sequence[CloseUp]) -> Path:
    """The close-ups to validate on, with one class, and the data file that ultralytics wants."""
    for name in ("images", "labels"):
        (folder / "val" / name).mkdir(parents=True, exist_ok=True)
    for close_up in unseen:
        shutil.copyfile(close_up.path, folder / "val" / "images" / close_up.path.name)
        middles = [((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1) for x1, y1, x2, y2 in close_up.boxes()]
        lines = [f"0 {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for x, y, w, h in middles]
        (folder / "val" / "labels" / f"{close_up.path.stem}.txt").write_text("".join(lines))
    data = folder / "data.yaml"
    document = {"path": str(folder), "train": "train/images", "val": "val/images", "names": {0: LABEL}}
    data.write_text(json.dumps(document))  # JSON is YAML
    return data


def _fit(model: Any, data: Path, settings: TrainingSettings, folder: Path) -> Path:  # noqa: ANN401  # untyped library
    """Train; the file of the last epoch, in half precision and without the optimiser's state.

    The last and not the best epoch: choosing the best would be choosing by the pictures that we test on.
    """
    fit: Fit = settings.fit
    model.add_callback("on_train_start", lambda trainer: _hasten(trainer.model, fit))
    named = fit.model_dump(exclude={"threads", "bfloat16"})
    model.train(
        data=str(data), **named, nbs=fit.batch, seed=settings.seed % 2**31, deterministic=True,
        warmup_bias_lr=0.0, hsv_s=0.5, device="cpu", workers=0, cache="ram", amp=False, val=False, plots=False,
        verbose=False, project=str(folder), name="run", exist_ok=True,
    )  # fmt: skip
    return folder / "run" / "weights" / "last.pt"


def _hasten(model: Any, fit: Fit) -> None:  # noqa: ANN401  # untyped library
    """Use the threads that were granted, and run the layers (never the loss) in bfloat16: half the time on a CPU.

    The averaged copy that is saved was made before, and stays as it is.
    """
    import torch  # noqa: PLC0415 - seconds to load, and only needed here

    torch.set_num_threads(fit.threads)
    if not fit.bfloat16:
        return
    for layer in model.model:
        layer.forward = torch.autocast("cpu", torch.bfloat16, cache_enabled=False)(layer.forward)
    model.model[-1].register_forward_hook(lambda _layer, _inputs, output: _in_float(output))


def _in_float(output: Any) -> Any:  # noqa: ANN401  # untyped library
    """The same nest of tensors in float32: boxes decoded in bfloat16 would be a quarter of a cell off."""
    if isinstance(output, dict):
        return {key: _in_float(value) for key, value in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(_in_float(value) for value in output)
    return output.float() if hasattr(output, "float") else output


def score(
    model: Any,  # noqa: ANN401  # untyped library
    see: See,
    settings: TrainingSettings,
    material: Material,
    folder: Path,
) -> Scores:
    """Score on what was not trained on: close-ups with ultralytics' own mAP, street views with the nightly detector."""
    trial = settings.trial
    maps = {
        imgsz: float(
            model.val(
                data=str(folder / "data.yaml"), imgsz=imgsz, batch=8, device="cpu", workers=0, plots=False,
                verbose=False, project=str(folder), name="val-run", exist_ok=True,
            ).box.map50
        )
        for imgsz in trial.close_up_imgsz
    }  # fmt: skip
    stills = ((street.file, read_picture(settings.stills / street.file)) for street in settings.streets)
    return Scores(
        threshold=trial.threshold,
        close_up_map50=maps,
        streets=tuple(street_tests(see, settings, material.composers)),
        false_alarms=tuple(false_alarms(see, stills, trial.threshold / 2)),
    )


def seeing(weights: Path, cache: Path) -> See:
    """The detector in a weights file as it runs every night on a CPU, for whichever input it is asked for."""
    opened: dict[tuple[int, int], Detector] = {}

    def see(image: Image, input_hw: tuple[int, int]) -> Detections:
        if input_hw not in opened:
            opened[input_hw] = OpenVinoDetector(
                weights, cache, input_hw=input_hw, confidence=LEAST_CONFIDENCE
            )
        return opened[input_hw].detect([image])[0]

    return see


def street_tests(
    see: See, settings: TrainingSettings, composers: dict[str, Composer]
) -> Iterable[StreetScore]:
    """The tests at surveillance size: whole views at 640 px and at 1280 px, each given to the network unscaled."""
    for stream, (name, resolution_wh) in enumerate(
        [("tuning", (640, 360)), ("test", (640, 360)), ("test", (1280, 720))], start=2
    ):
        if name in composers:
            yield street_test(
                see, settings, composers[name], name=name, resolution_wh=resolution_wh, stream=stream
            )


def street_test(
    see: See,
    settings: TrainingSettings,
    composer: Composer,
    *,
    name: str,
    resolution_wh: tuple[int, int],
    stream: int,
) -> StreetScore:
    """Score on composed views; another `stream` is another draw of pictures from the same seed."""
    trial = settings.trial
    marks: list[tuple[float, bool]] = []
    widths: list[float] = []
    found: list[float] = []
    for number in range(trial.pictures):
        rng = np.random.default_rng([settings.seed, stream, number])
        made = composer.for_testing(rng, resolution_wh, trial.bands)
        seen = see(seen_through_jpeg(made), input_for(resolution_wh))
        hits = match(seen.boxes * (*resolution_wh, *resolution_wh), seen.confidences, made.boxes)
        sizes: list[float] = (made.boxes[:, 2] - made.boxes[:, 0]).tolist()
        widths += sizes
        for confidence, hit in zip(seen.confidences.tolist(), hits, strict=True):
            marks.append((confidence, hit is not None))
            if hit is not None and confidence >= trial.threshold:
                found.append(sizes[hit])
    precision, recall = precision_recall(marks, len(widths), trial.threshold)
    lowest = threshold_for(marks, trial.precision)
    return StreetScore(
        name=name,
        resolution_wh=resolution_wh,
        pictures=trial.pictures,
        bags=len(widths),
        precision=precision,
        recall=recall,
        recall_at_precision=precision_recall(marks, len(widths), lowest)[1],
        threshold_for_precision=lowest,
        bands=tuple(_band(band, widths, found) for band in trial.bands),
    )


def _band(band: SizeBand, widths: Sequence[float], found: Sequence[float]) -> BandScore:
    inside = [sum(band.from_px <= width < band.until_px for width in some) for some in (widths, found)]
    return BandScore(band.from_px, band.until_px, *inside)


def input_for(resolution_wh: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the network's input that takes a picture unscaled: the next multiples of 32."""
    width, height = resolution_wh
    return (height + 31) // 32 * 32, (width + 31) // 32 * 32


def match(
    boxes: npt.NDArray[np.floating], confidences: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]
) -> list[int | None]:
    """For each detection, which true box it hits (IoU 0.5 or more, the surest detection first), or None."""
    hits: list[int | None] = [None] * len(boxes)
    if len(boxes) and len(truth):
        overlap = iou_matrix(boxes.astype(float), truth.astype(float))
        for i in np.argsort(-confidences, kind="stable"):
            best = int(overlap[i].argmax())
            if overlap[i, best] >= 0.5:
                hits[int(i)] = best
                overlap[:, best] = 0
    return hits


def precision_recall(marks: Sequence[tuple[float, bool]], bags: int, threshold: float) -> tuple[float, float]:
    """Precision (1 where nothing is detected) and recall of the detections at a threshold or above."""
    kept = [hit for confidence, hit in marks if confidence >= threshold]
    return (sum(kept) / len(kept) if kept else 1.0), (sum(kept) / bags if bags else 0.0)


def threshold_for(marks: Sequence[tuple[float, bool]], precision: float) -> float:
    """The lowest confidence of a detection from which on the precision holds; 1 where none does."""
    ranked = sorted(marks, reverse=True)
    best, hits = 1.0, 0
    for count, (confidence, hit) in enumerate(ranked, start=1):
        hits += hit
        tied = count < len(ranked) and ranked[count][0] == confidence
        if not tied and hits / count >= precision:
            best = confidence
    return best


def false_alarms(see: See, pictures: Iterable[tuple[str, Image]], threshold: float) -> Iterable[FalseAlarm]:
    """What is seen on pictures that hold no rubbish, at their own size and at 640 px."""
    for name, image in pictures:
        height, width = image.shape[:2]
        for scale in sorted({1.0, min(1.0, 640 / width)}):
            small = scaled(image, scale) if scale < 1 else image
            input_hw = input_for((small.shape[1], small.shape[0]))
            seen = see(small, input_hw)
            for confidence, box in zip(seen.confidences, seen.boxes, strict=True):
                if confidence >= threshold:
                    x1, y1, x2, y2 = (int(v) for v in box * (width, height, width, height))
                    yield FalseAlarm(name, input_hw, float(confidence), (x1, y1, x2, y2))

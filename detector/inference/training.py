"""Train a litter detector by a recipe, score it on what it has not seen, and leave one small file.

The recipe is a YAML file (`detector.config.training`); `train` is what `kerbwatch models train CONFIG` calls.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from detector.config.training import Fit, Source, TrainingSettings, View
from detector.core.errors import BadInput
from detector.core.values import Image
from detector.inference.litter_data import (
    CloseUp,
    Composer,
    Cutout,
    Scene,
    Whole,
    cut_out_bags,
    cut_out_people,
    cut_out_surroundings,
    kept_out,
    label_line,
    read_close_ups,
    read_picture,
    read_scenes,
    read_source,
    write_training_set,
)
from detector.inference.litter_trial import (
    Scores,
    See,
    SourceScore,
    false_alarms,
    seeing,
    source_score,
    street_scores,
)
from detector.inference.quiet import import_ultralytics
from detector.inference.weights import sha256_of

LABEL = "rubbish"

ReadView = Callable[[Path, View], Image]
"""Reads a view of a folder: a picture, or one picture of a clip. Raises BadInput."""
Tell = Callable[[float, str], None]
"""Hears how many epochs are done, and what is being done."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came of a recipe."""

    name: str
    weights: str
    sha256: str
    size_bytes: int
    recipe_sha256: str
    data_sha256: str
    """Over all bytes of the training set; the same for the same recipe, seed and source pictures."""
    licences: dict[str, str]
    """Of everything that was learned from, by what it is."""
    close_ups: int
    composed: int
    whole_pictures: int
    """Pictures of the recipe's sources that were learned from, each counted once."""
    epochs: int
    scores: Scores
    training_s: float
    """From the first epoch to the last, on whatever machine and beside whatever else; without interruptions."""


@dataclass(frozen=True, slots=True)
class Material:
    """The pictures of a recipe, read and divided; no photo and no street stands on two sides."""

    training: tuple[CloseUp, ...]
    tuning: tuple[CloseUp, ...]
    unseen: tuple[CloseUp, ...]
    composers: dict[str, Composer]
    """`train`; `tuning`: kept-out bags on the views trained on; `test`: unseen bags on unseen views."""
    clean: tuple[tuple[str, Image], ...]
    """Pictures without rubbish, by name."""
    wholes: tuple[tuple[Source, Whole], ...] = ()
    """Whole pictures to train on, each with the source that it comes from."""


def train(
    settings: TrainingSettings,
    out: Path,
    work: Path,
    *,
    read_view: ReadView,
    tell: Tell = lambda _done, _what: None,
) -> TrainingReport:
    """Train by a recipe and write the weights to `out`, the report beside it as JSON.

    What was begun in `work` by the same recipe goes on after its last whole epoch. Raises BadInput, before any
    training, with everything that is missing.
    """
    library = import_ultralytics(work / "ultralytics")
    assets = Path(str(library.__file__)).parent / "assets"
    demand_files(settings, assets)
    recipe_sha256 = _begin(settings, work)
    tell(0, "reading and composing pictures")
    material = read_material(settings, assets, read_view)
    data_sha256 = _training_set(settings, material, work)
    trained, training_s = _fit(library, settings, _write_data(work, material.unseen), work, tell)
    tell(settings.fit.epochs, "scoring")
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(trained, out)
    report = TrainingReport(
        name=settings.name,
        weights=out.name,
        sha256=sha256_of(out),
        size_bytes=out.stat().st_size,
        recipe_sha256=recipe_sha256,
        data_sha256=data_sha256,
        licences=licences_of(settings),
        close_ups=len(material.training),
        composed=settings.mix.composed,
        whole_pictures=len(material.wholes),
        epochs=settings.fit.epochs,
        scores=score(library.YOLO(str(out)), seeing(out, work / "cache"), settings, material, work),
        training_s=round(training_s, 1),
    )
    out.with_suffix(".json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    return report


def demand_files(settings: TrainingSettings, assets: Path) -> None:
    """Raises BadInput naming every file and folder of the recipe that is not there."""
    views = [*settings.streets, *settings.trial.clean]
    halves = [settings.trashbags / half / kind for half in ("train", "val") for kind in ("images", "labels")]
    wanted = [
        settings.weights,
        *halves,
        *(settings.stills / view.file for view in views),
        *(assets / sample.file for sample in settings.samples),
        *(settings.datasets / source.folder for source in (*settings.sources, *settings.trial.sources)),
    ]
    missing = dict.fromkeys(str(path) for path in wanted if not path.exists())
    if missing:
        raise BadInput("the recipe needs what is not there:\n" + "\n".join(missing))


def licences_of(settings: TrainingSettings) -> dict[str, str]:
    return {
        settings.weights.name: settings.weights_licence,
        settings.trashbags.name: settings.trashbags_licence,
        **{street.file: street.licence for street in settings.streets if street.use == "train"},
        **{sample.file: settings.samples_licence for sample in settings.samples},
        **{source.name: source.licence for source in settings.sources},
    }


def _begin(settings: TrainingSettings, work: Path) -> str:
    """SHA-256 of all that the recipe trains by. What another recipe left in the folder is thrown away."""
    places = {"name", "weights", "trashbags", "stills", "datasets", "trial"}
    what = settings.model_dump_json(
        exclude={**dict.fromkeys(places, True), "sources": {"__all__": {"labels_file"}}}
    )
    labels = [source.labels_file for source in settings.sources if source.labels_file]
    files = "".join(sha256_of(path) for path in (settings.weights, *labels))
    digest = hashlib.sha256((what + files).encode()).hexdigest()
    mark = work / "recipe.sha256"
    if not mark.is_file() or mark.read_text() != digest:
        for name in ("train", "val", "run"):
            shutil.rmtree(work / name, ignore_errors=True)
        mark.write_text(digest)
    return digest


def _training_set(settings: TrainingSettings, material: Material, work: Path) -> str:
    """Written once; its SHA-256."""
    mark = work / "train" / "data.sha256"
    if not mark.is_file():
        composer = material.composers["train"]
        digest = write_training_set(settings, composer, material.training, work / "train", material.wholes)
        mark.write_text(digest)
    return mark.read_text()


def read_material(settings: TrainingSettings, assets: Path, read_view: ReadView) -> Material:
    samples = [(read_picture(assets / sample.file), sample) for sample in settings.samples]
    people = tuple(cut_out_people(samples, settings.seed))
    training, tuning = kept_out(
        read_close_ups(settings.trashbags / "train"), settings.tuning_photos, settings.seed
    )
    unseen = read_close_ups(settings.trashbags / "val")
    views = [(street, read_view(settings.stills / street.file, street)) for street in settings.streets]
    seen, other = (tuple(read_scenes(views, use)) for use in ("train", "test"))
    composers = {
        "train": Composer(
            settings.mix,
            tuple(cut_out_bags(training)),
            people,
            seen,
            samples=tuple(image for image, _ in samples),
            surroundings=tuple(cut_out_surroundings(training, settings.seed)),
        ),
        "test": _tester(settings, unseen, people, other),
    }
    if tuning:
        composers["tuning"] = _tester(settings, tuning, people, seen)
    clean = [
        *((_called(street), image) for street, image in views),
        *((sample.file, image) for image, sample in samples),
        *((_called(view), read_view(settings.stills / view.file, view)) for view in settings.trial.clean),
    ]
    wholes = [
        (source, whole)
        for source in settings.sources
        for whole in read_source(source, settings.datasets, "train")
    ]
    return Material(tuple(training), tuple(tuning), tuple(unseen), composers, tuple(clean), tuple(wholes))


def _called(view: View) -> str:
    name = Path(view.file).name
    return name if view.at_s is None else f"{name} at {view.at_s:g} s"


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
        lines = "".join(label_line(box) for box in close_up.boxes())
        (folder / "val" / "labels" / f"{close_up.path.stem}.txt").write_text(lines)
    data = folder / "data.yaml"
    document = {"path": str(folder), "train": "train/images", "val": "val/images", "names": {0: LABEL}}
    data.write_text(json.dumps(document))  # JSON is YAML
    return data


def _fit(
    library: Any,  # noqa: ANN401  # untyped
    settings: TrainingSettings,
    data: Path,
    work: Path,
    tell: Tell,
) -> tuple[Path, float]:
    """Train, or go on training; the last epoch's file without the optimiser's state, and how many seconds it took.

    The last and not the best epoch: choosing the best would be choosing by the pictures that we test on.
    """
    fit: Fit = settings.fit
    run = work / "run"
    last = run / "weights" / "last.pt"
    times = _epoch_times(run)
    if len(times) < fit.epochs:
        goes_on = bool(times) and last.is_file()
        if not goes_on:
            shutil.rmtree(run, ignore_errors=True)
        model = library.YOLO(str(last if goes_on else settings.weights))
        model.add_callback("on_train_start", lambda trainer: _hasten(trainer.model, fit))
        model.add_callback("on_train_batch_end", lambda trainer: _tell(trainer, tell))
        named = fit.model_dump(exclude={"threads", "bfloat16"})
        model.train(
            data=str(data), **named, nbs=fit.batch, seed=settings.seed % 2**31, deterministic=True,
            warmup_bias_lr=0.0, hsv_s=0.5, device="cpu", workers=0, cache="ram", amp=False, val=False, plots=False,
            verbose=False, project=str(work), name="run", exist_ok=True, resume=goes_on,
        )  # fmt: skip
        times = _epoch_times(run)
    library.utils.torch_utils.strip_optimizer(str(last))
    return last, sum(times)


def _epoch_times(run: Path) -> list[float]:
    """Seconds that each whole epoch took; the library counts them up anew after an interruption."""
    results = run / "results.csv"
    rows = results.read_text().splitlines()[1:] if results.is_file() else []
    marks = [0.0, *(float(row.split(",")[1]) for row in rows)]
    return [later - (earlier if later > earlier else 0) for earlier, later in pairwise(marks)]


def _tell(trainer: Any, tell: Tell) -> None:  # noqa: ANN401  # untyped library
    """Called after each batch, whose number the library does not give."""
    epoch, batches = getattr(trainer, "told", (trainer.epoch, 0))
    trainer.told = (trainer.epoch, batches + 1 if epoch == trainer.epoch else 1)
    losses = ", ".join(f"{name} {float(loss):.2f}" for name, loss in trainer.tloss.items())
    tell(trainer.epoch + trainer.told[1] / len(trainer.train_loader), f"epochs; losses: {losses}")


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
    return Scores(
        threshold=trial.threshold,
        close_up_map50={
            imgsz: map50(model, folder / "data.yaml", folder, imgsz) for imgsz in trial.close_up_imgsz
        },
        streets=tuple(street_scores(see, settings, material.composers)),
        clean_pictures=len(material.clean),
        false_alarms=tuple(false_alarms(see, material.clean, trial.threshold / 2, trial.enlarge)),
        sources=tuple(_source_scores(model, see, settings, folder)),
    )


def map50(model: Any, data: Path, folder: Path, imgsz: int) -> float:  # noqa: ANN401  # untyped library
    """mAP50 on the validation pictures of a data file, by ultralytics."""
    found = model.val(
        data=str(data), imgsz=imgsz, batch=8, device="cpu", workers=0, plots=False, verbose=False,
        project=str(folder), name="val-run", exist_ok=True,
    )  # fmt: skip
    return float(found.box.map50)


def _source_scores(
    model: Any,  # noqa: ANN401  # untyped library
    see: See,
    settings: TrainingSettings,
    folder: Path,
) -> Iterator[SourceScore]:
    """Each source of the trial in turn; mAP50 only where its boxes are exact."""
    trial = settings.trial
    for source in trial.sources:
        wholes = read_source(source, settings.datasets, "test")
        found = None
        if source.labels == "boxes":
            data = write_boxed(folder / f"val-{source.name}", wholes)
            found = map50(model, data, folder, trial.source_imgsz)
        pictures = ((read_picture(whole.path), len(whole.boxes) > 0) for whole in wholes)
        yield source_score(see, source.name, pictures, trial, found)


def write_boxed(folder: Path, wholes: Sequence[Whole]) -> Path:
    """The pictures with one class, and the data file that ultralytics wants; the path of the data file."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for whole in wholes:
        shutil.copyfile(whole.path, folder / "images" / whole.path.name)
        lines = "".join(label_line(box) for box in whole.boxes)
        (folder / "labels" / f"{whole.path.stem}.txt").write_text(lines)
    data = folder / "data.yaml"
    document = {"path": str(folder), "train": "images", "val": "images", "names": {0: LABEL}}
    data.write_text(json.dumps(document))  # JSON is YAML
    return data

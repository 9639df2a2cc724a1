"""`models list`, `models fetch`, `models calibrate` and `models train`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import AsJson, input_size, manifest_weights
from detector.cli.output import progress, say, say_json, table
from detector.config.bin_training import load_bin_training, trains_bins
from detector.config.manifest import WeightsPart, cache_folder, load_manifest, models_folder, with_entry
from detector.config.training import View, load_training
from detector.core.errors import BadInput, BadWeights
from detector.core.values import Frame, Image
from detector.decoding.reader import frames_at
from detector.inference import bin_card
from detector.inference.bin_training import BinReport, train_bins, write_report
from detector.inference.detector import calibrate
from detector.inference.int8 import ranges_file
from detector.inference.litter_data import read_picture
from detector.inference.model_card import figures, with_block
from detector.inference.training import LABEL, TrainingReport, train
from detector.inference.weights import Weights, fetch, verified

app = typer.Typer(help="The model weights: list them, fetch them, train our own.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The weights that the manifest names, and whether they are here and right.

    Example: kerbwatch models list
    """
    manifest = load_manifest(models_folder())
    every = [manifest_weights(name) for name in manifest.weights]
    rows = [(w.name, f"{w.size_bytes / 1e6:.1f} MB", w.classes, w.licence, _state(w)) for w in every]
    if as_json:
        names = ("name", "size", "classes", "licence", "state")
        say_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table("", ("name", "size", "classes", "licence", "state"), rows)


def _state(weights: Weights) -> str:
    try:
        verified(weights, models_folder())
    except BadWeights as error:
        return "missing" if "missing" in str(error) else "WRONG HASH"
    return "ok"


@app.command("fetch")
def fetch_(
    name: Annotated[
        list[str] | None, typer.Argument(help="Names in the manifest; all of them if left out.")
    ] = None,
) -> None:
    """Fetch weights and check their SHA-256; the only command that uses the network.

    Example: kerbwatch models fetch yolov8n
    """
    for one in name or list(load_manifest(models_folder()).weights):
        weights = manifest_weights(one)
        try:
            path = verified(weights, models_folder())
        except BadWeights as error:
            if "missing" not in str(error):
                raise
            path = fetch(weights, models_folder())
        say(f"{one}: {path} (SHA-256 checked)")


@app.command("calibrate")
def calibrate_(
    name: Annotated[str, typer.Argument(help="A name in the manifest.")],
    pictures: Annotated[list[Path], typer.Argument(help="Street pictures, or folders of them (.jpg, .png).")],
    imgsz: Annotated[
        str, typer.Option("--imgsz", help="Height and width of the model's input, as in kerbwatch.yaml.")
    ] = "384x640",
    as_json: AsJson = False,
) -> None:
    """Measure the ranges by which a model computes in eight bits (model.precision: int8).

    Writes NAME.int8.json beside the weights; nothing else of the pictures is kept than these ranges.

    Example: kerbwatch models calibrate yolov8n ../shared/footage/stills
    """
    weights = verified(manifest_weights(name), models_folder())
    files = [file for path in pictures for file in _pictures_at(path)]
    ranges = calibrate(
        weights, cache_folder(), {file: read_picture(file) for file in files}, input_size(imgsz)
    )
    ranges.write(ranges_file(weights))
    if as_json:
        say_json(asdict(ranges))
    else:
        say(f"{ranges_file(weights)}: {len(ranges.kinds)} ranges from {len(files)} pictures")


def _pictures_at(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix.lower() in {".jpg", ".jpeg", ".png"})


@app.command("train")
def train_(
    recipe: Annotated[Path, typer.Argument(help="A recipe such as configs/training/litter.yaml.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for weights, card and manifest; models/ if left out.")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option("--work", help="Folder for what is composed and begun; in the cache if left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model by a recipe: the same pictures for the same seed. A stopped training of a detector goes on.

    Writes the weights, their entry in manifest.yaml, the figures in their model card (NAME.md) and all of it as
    JSON (NAME.json; of a recipe of `kind: bins`, NAME.scores.json).

    Example: kerbwatch models train configs/training/litter.yaml
    """
    folder = out or models_folder()
    if trains_bins(recipe):
        _train_bins(recipe, folder, as_json=as_json)
        return
    settings = load_training(recipe)
    begun = work or cache_folder() / "training" / settings.name
    begun.mkdir(parents=True, exist_ok=True)
    with progress(f"training {settings.name}", settings.fit.epochs) as tick:
        report = train(
            settings, folder / f"{settings.name}.pt", begun.resolve(), read_view=_read_view, tell=tick
        )
    _enter(report, folder)
    if as_json:
        say_json(asdict(report))
    else:
        say(figures(report))
        say(f"{folder / report.weights}, {settings.name}.md, {settings.name}.json, manifest.yaml")


def _train_bins(recipe: Path, folder: Path, *, as_json: bool) -> None:
    settings = load_bin_training(recipe)
    backbone = verified(manifest_weights(settings.backbone), models_folder())
    head = folder / f"{settings.name}.json"
    with progress(f"training {settings.name}", 1.0) as tick:
        report = train_bins(settings, backbone, cache_folder(), head, tick)
    write_report(report, folder / f"{settings.name}.scores.json")
    _enter_bins(report, folder)
    if as_json:
        say_json(asdict(report))
    else:
        say(bin_card.figures(report))
        say(f"{head}, {settings.name}.pt, {settings.name}.md, {settings.name}.scores.json, manifest.yaml")


def _enter(report: TrainingReport, folder: Path) -> None:
    """Name the weights in the folder's manifest, and put the figures into their card."""
    part = WeightsPart(
        file=report.weights,
        sha256=report.sha256,
        size_bytes=report.size_bytes,
        classes=LABEL,
        licence="AGPL-3.0",
        sources=[],
    )
    _write_entry(folder, report.name, part, figures(report))


def _enter_bins(report: BinReport, folder: Path) -> None:
    """Name the head and its network in the folder's manifest, and put the figures into their card."""
    part = WeightsPart(
        file=report.head,
        sha256=report.sha256,
        size_bytes=report.size_bytes,
        classes="clean, dirty",
        licence="AGPL-3.0",
        sources=[],
    )
    _write_entry(folder, report.name, part, bin_card.figures(report))
    network = part.model_copy(
        update={"file": report.network, "sha256": report.network_sha256, "size_bytes": report.network_bytes}
    )
    _write_manifest(folder, f"{report.name}-network", network)


def _write_entry(folder: Path, name: str, part: WeightsPart, block: str) -> None:
    _write_manifest(folder, name, part)
    card = folder / f"{name}.md"
    page = card.read_text(encoding="utf-8") if card.is_file() else f"# {name}\n"
    card.write_text(with_block(page, block), encoding="utf-8")


def _write_manifest(folder: Path, name: str, part: WeightsPart) -> None:
    manifest = folder / "manifest.yaml"
    known = manifest.read_text(encoding="utf-8") if manifest.is_file() else ""
    manifest.write_text(with_entry(known, name, part), encoding="utf-8")


def _read_view(path: Path, view: View) -> Image:
    if view.at_s is None:
        return read_picture(path)
    (frame,) = frames_at(path, [view.at_s])
    if not isinstance(frame, Frame):
        raise BadInput(f"{path} at {view.at_s:g} s: {frame.reason}")
    return frame.image

"""`models list` and `models fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import AsJson, manifest_weights
from detector.cli.output import say, say_json, table
from detector.config.manifest import load_manifest, models_folder
from detector.config.training import View
from detector.core.errors import BadInput, BadWeights
from detector.core.values import Frame, Image
from detector.decoding.reader import frames_at
from detector.inference.litter_data import read_picture
from detector.inference.weights import Weights, fetch, verified

app = typer.Typer(help="The model weights: list them, fetch them.", no_args_is_help=True)


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


def _read_view(path: Path, view: View) -> Image:
    if view.at_s is None:
        return read_picture(path)
    (frame,) = frames_at(path, [view.at_s])
    if not isinstance(frame, Frame):
        raise BadInput(f"{path} at {view.at_s:g} s: {frame.reason}")
    return frame.image

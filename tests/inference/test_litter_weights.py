"""The litter weights that the project ships: what they must find, and what they must leave alone."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.config.manifest import load_manifest
from detector.config.rules import RuleSet
from detector.config.settings import default_rules
from detector.config.training import SizeBand, load_training
from detector.core.values import Image, LabelGroup, Violation
from detector.inference import litter_data
from detector.inference.detector import OpenVinoDetector, letterbox
from detector.inference.litter_trial import match
from detector.inference.weights import sha256_of

EXPORT_WARNS = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning"
)
SHIPPED = pytest.mark.parametrize("name", ["litter", "litter_all"])
RECIPE = Path("configs/training/litter.yaml")


@pytest.fixture(scope="module")
def litter(checkout: Path, exports: Path) -> OpenVinoDetector:
    """As the litter rule asks it: a large input, on a processor, and as sure as that rule wants it to be."""
    part = load_manifest(checkout / "models").weights["litter"]
    rules: RuleSet = default_rules()
    return OpenVinoDetector(
        checkout / "models" / part.file,
        exports,
        input_hw=(1088, 1920),
        confidence=rules.rules[Violation.LITTER].min_confidence,
        precision="f32",
    )


@SHIPPED
def test_the_shipped_weights_are_those_of_the_manifest_and_small(checkout: Path, name: str) -> None:
    part = load_manifest(checkout / "models").weights[name]
    weights = checkout / "models" / part.file
    assert sha256_of(weights) == part.sha256
    assert weights.stat().st_size == part.size_bytes <= 8_000_000


@SHIPPED
def test_the_card_shows_the_figures_of_the_shipped_weights(checkout: Path, name: str) -> None:
    part = load_manifest(checkout / "models").weights[name]
    assert part.sha256 in (checkout / "models" / f"{name}.md").read_text()


@SHIPPED
def test_the_committed_recipe_trains_as_long_as_the_card_says(checkout: Path, name: str) -> None:
    recipe = load_training(checkout / "configs" / "training" / f"{name}.yaml")
    report = json.loads((checkout / "models" / f"{name}.json").read_text())
    assert report.get("epochs", recipe.fit.epochs) == recipe.fit.epochs
    assert report["composed"] == recipe.mix.composed


@pytest.mark.slow
@EXPORT_WARNS
def test_people_and_a_bus_are_no_rubbish(litter: OpenVinoDetector, bus: Image) -> None:
    (seen,) = litter.detect([letterbox(bus, (1088, 1920))[0]])
    assert seen.labels == ()


@pytest.mark.slow
@EXPORT_WARNS
def test_unseen_bags_on_an_unseen_street_are_found(
    litter: OpenVinoDetector, checkout: Path, shared: Path
) -> None:
    recipe = load_training(checkout / RECIPE)
    view = next(street for street in recipe.streets if street.use == "test")
    street = litter_data.read_picture(shared / "footage" / "stills" / view.file)
    bags = litter_data.cut_out_bags(litter_data.read_close_ups(shared / "datasets" / "trashbags" / "val"))
    mix = recipe.mix.model_copy(update={"max_distractors": 0, "without_rubbish": 0.0})
    composer = litter_data.Composer(
        mix, tuple(bags), (), tuple(litter_data.read_scenes([(view, street)], "test"))
    )
    band = SizeBand(from_px=40, until_px=60)
    found = 0
    lying = 0
    for seed in range(6):
        made = composer.for_testing(np.random.default_rng(seed), (1280, 720), [band])
        (seen,) = litter.detect([made.image])
        assert {*seen.labels} <= {"rubbish"}
        boxes = seen.of(LabelGroup.RUBBISH).boxes * (1280, 720, 1280, 720)
        found += sum(hit is not None for hit in match(boxes, seen.confidences, made.boxes))
        lying += len(made.boxes)
    assert found >= 0.5 * lying > 0


@pytest.mark.slow
@EXPORT_WARNS
def test_the_streets_themselves_show_no_rubbish(litter: OpenVinoDetector, shared: Path) -> None:
    stills = sorted((shared / "footage" / "stills").glob("*.jpg"))
    assert len(stills) == 6
    for still in stills:
        picture = cv2.imread(str(still))
        assert picture is not None
        (seen,) = litter.detect([np.asarray(picture, np.uint8)])
        assert (still.name, seen.labels) == (still.name, ())

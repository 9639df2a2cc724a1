"""`kerbwatch models`: what lies there, and what a training is refused for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from made_archive import kerbwatch

from detector.config.manifest import models_folder

RECIPE = Path(__file__).parents[2] / "configs" / "training" / "litter.yaml"


def test_a_recipe_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    done = kerbwatch("models", "train", tmp_path / "gone.yaml")
    assert done.code == 2
    assert "gone.yaml" in done.err


def test_a_recipe_without_its_pictures_says_which_and_touches_nothing(tmp_path: Path) -> None:
    recipe = {**yaml.safe_load(RECIPE.read_text()), "trashbags": "no-bags", "stills": "no-stills"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    out = tmp_path / "models"
    done = kerbwatch("models", "train", tmp_path / "recipe.yaml", "--out", out, "--work", tmp_path / "work")
    assert done.code == 2
    assert "no-bags/train/images" in done.err
    assert "no-stills/other.jpg" in done.err
    assert not out.exists()


def test_weights_of_our_own_that_are_missing_cannot_be_fetched_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(models_folder(), tmp_path / "models", ignore=shutil.ignore_patterns("*.pt"))
    manifest = tmp_path / "models" / "manifest.yaml"
    entry = yaml.safe_load(manifest.read_text())["yolov8n"]
    manifest.write_text(yaml.safe_dump({"ours": {**entry, "file": "ours.pt", "sources": []}}))
    monkeypatch.setenv("KERBWATCH_MODELS", str(tmp_path / "models"))
    assert kerbwatch("models", "list", "--json").json == [
        {"name": "ours", "size": "6.5 MB", "classes": "coco80", "licence": "AGPL-3.0", "state": "missing"}
    ]
    done = kerbwatch("models", "fetch", "ours")
    assert done.code == 2
    assert "comes with the project" in done.err


def test_calibrating_on_what_is_no_picture_is_bad_input_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    shutil.copytree(models_folder(), tmp_path / "models", ignore=shutil.ignore_patterns("*.json"))
    monkeypatch.setenv("KERBWATCH_MODELS", str(tmp_path / "models"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    for pictures, why in (
        (tmp_path / "gone.jpg", "gone.jpg"),
        (tmp_path / "broken.jpg", "broken.jpg"),
        (tmp_path / "empty", "no pictures"),
    ):
        done = kerbwatch("models", "calibrate", "yolov8n", pictures)
        assert done.code == 2
        assert why in done.err
    assert not (tmp_path / "models" / "yolov8n.int8.json").exists()

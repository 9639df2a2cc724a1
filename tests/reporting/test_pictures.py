"""Pictures for papers: the middle still, masked by default, small, and no fault for what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.core.geometry import Box
from detector.core.values import NO_DETECTIONS, Detections, Image, Violation
from detector.evidence import Captions, annotated, jpeg
from detector.evidence.drawing import closeup
from detector.reporting.pictures import EvidencePictures, Picture, Sight, evidence_in

CAR: Box = (0.4, 0.4, 0.7, 0.8)
PERSON: Box = (0.1, 0.2, 0.2, 0.6)
CAPTIONS = Captions((("机动车违停",),), (("2026-01-08 08:00:00",),))
FOLDER = "2026-01-08/p001/abc"


class Sees:
    """A detector that sees a person and the car in every whole scene, nothing in its parts; counts pictures."""

    model_id, sha256, input_hw = "sees", "0" * 64, (384, 640)

    def __init__(self) -> None:
        self.looked = 0

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.looked += len(images)
        both = Detections(("person", "car"), np.ones(2, np.float32), np.array([PERSON, CAR], np.float32))
        return [both if image.shape[:2] == (360, 640) else NO_DETECTIONS for image in images]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Evidence of one issue with three stills, each of its own brightness."""
    folder = tmp_path / "evidence" / FOLDER
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        image = np.random.default_rng(1).integers(0, 80 * number, (360, 640, 3), dtype=np.uint8)
        near, inner = closeup(image, CAR)
        for name, picture, box in (("scene", image, CAR), ("closeup", near, inner)):
            drawn = annotated(picture, [(Violation.ILLEGAL_PARKING, box)], (), CAPTIONS)
            (folder / f"still_{number}_{name}.jpg").write_bytes(jpeg(drawn))
    (folder / "manifest.json").write_text(json.dumps({"stills": [{"box": CAR}] * 3}), encoding="utf-8")
    return tmp_path / "evidence"


def decoded(picture: Picture | None) -> Image:
    assert picture is not None
    image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[:2] == (picture.height, picture.width)
    return np.asarray(image, np.uint8)


def roughness(image: Image, box: Box) -> float:
    height, width = image.shape[:2]
    inside = image[int(box[1] * height) : int(box[3] * height), int(box[0] * width) : int(box[2] * width)]
    return float(cv2.Laplacian(inside, cv2.CV_64F).var())


def test_the_middle_still_is_shown_without_its_captions(root: Path) -> None:
    pair = EvidencePictures(evidence_in(root), None)(FOLDER, 640, 480)
    scene = decoded(pair.scene)
    assert abs(scene.shape[0] - 360) <= 8
    assert 70 < scene.mean() < 90


def test_people_are_masked_and_the_concerned_car_is_not(root: Path) -> None:
    scene = decoded(EvidencePictures(evidence_in(root), Sight(Sees()))(FOLDER, 640, 480).scene)
    full = decoded(EvidencePictures(evidence_in(root), None)(FOLDER, 640, 480).scene)
    assert roughness(scene, PERSON) < 0.02 * roughness(full, PERSON)
    inner = (0.42, 0.45, 0.68, 0.75)
    assert roughness(scene, inner) > 0.9 * roughness(full, inner)


def test_pictures_are_no_wider_than_asked_for(root: Path) -> None:
    pair = EvidencePictures(evidence_in(root), None)(FOLDER, 224, 100)
    assert pair.scene is not None
    assert pair.closeup is not None
    assert (pair.scene.width, pair.closeup.width) == (224, 100)
    assert len(pair.scene.jpeg) < 30_000


def test_what_the_detector_saw_is_kept_so_that_a_second_export_is_cheap(root: Path, tmp_path: Path) -> None:
    detector = Sees()
    first = EvidencePictures(evidence_in(root), Sight(detector, tmp_path / "cache"))(FOLDER, 640, 480)
    assert detector.looked == 2
    second = EvidencePictures(evidence_in(root), Sight(detector, tmp_path / "cache"))(FOLDER, 640, 480)
    assert detector.looked == 2
    assert first == second


def test_a_damaged_memory_of_the_detector_is_made_again(root: Path, tmp_path: Path) -> None:
    detector = Sees()
    first = EvidencePictures(evidence_in(root), Sight(detector, tmp_path / "cache"))(FOLDER, 640, 480)
    for path in (tmp_path / "cache").rglob("*.json"):
        path.write_text('{"labels": ["person"], "boxes": [], "confidences": [1]}')
    assert EvidencePictures(evidence_in(root), Sight(detector, tmp_path / "cache"))(FOLDER, 640, 480) == first
    assert detector.looked == 4


def test_a_large_picture_is_looked_at_in_quarters_too(root: Path) -> None:
    detector = Sees()
    EvidencePictures(evidence_in(root), Sight(detector))(FOLDER, 900, 480)
    assert detector.looked == 5 + 1


@pytest.mark.parametrize("damage", ["no folder", "no manifest", "cut picture", "no picture", "odd manifest"])
def test_what_is_missing_or_damaged_costs_its_pictures_and_nothing_else(root: Path, damage: str) -> None:
    folder = root / FOLDER
    if damage == "no folder":
        folder.rename(root / "elsewhere")
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    elif damage == "odd manifest":
        (folder / "manifest.json").write_text("[1, 2", encoding="utf-8")
    elif damage == "cut picture":
        (folder / "still_2_scene.jpg").write_bytes(b"\xff\xd8\xff")
    else:
        (folder / "still_2_scene.jpg").unlink()
    pair = EvidencePictures(evidence_in(root), Sight(Sees()))(FOLDER, 640, 480)
    if damage in ("no manifest", "odd manifest"):
        assert roughness(decoded(pair.scene), CAR) < 50, "without its box every vehicle is masked"
    else:
        assert pair.scene is None


def test_no_name_leads_out_of_the_evidence(root: Path) -> None:
    (root.parent / "secret").write_text("secret", encoding="utf-8")
    read = evidence_in(root)
    assert read("..", "secret") is None
    assert read(str(root.parent), "secret") is None
    assert read(FOLDER, "manifest.json") is not None

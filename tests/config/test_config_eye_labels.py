"""Labels made by eye: the files of the project, and files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detector.config.eye_labels import read_eye_labels
from detector.core.errors import BadInput

LABELS = Path(__file__).parents[2] / "models" / "labels"
BOX = {"kind": "bags", "xyxy": [0.1, 0.2, 0.3, 0.4]}
PICTURE: dict[str, Any] = {"use": "train", "waste": "yes", "kinds": ["bags"], "boxes": [BOX]}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "labels.json"
    document = {
        "about": "a test",
        "kinds": {"bags": "bags of rubbish"},
        "pictures": {"a.jpg": PICTURE | changes},
    }
    path.write_text(json.dumps(document))
    return path


def test_the_citizens_pictures_are_all_labelled_and_divided_by_answer() -> None:
    labels = read_eye_labels(LABELS / "reports.json")
    counts = {
        (use, waste): sum(label.use == use and label.waste == waste for label in labels.values())
        for use in ("train", "test")
        for waste in ("yes", "no", "unsure")
    }
    assert len(labels) == 150
    assert counts == {
        ("train", "yes"): 65,
        ("train", "no"): 16,
        ("train", "unsure"): 9,
        ("test", "yes"): 43,
        ("test", "no"): 11,
        ("test", "unsure"): 6,
    }


@pytest.mark.parametrize("name", ["reports", "containers"])
def test_every_label_names_a_picture_that_exists(name: str, shared: Path) -> None:
    folder = {"reports": "reports/images", "containers": "containers/train/dirty"}[name]
    labels = read_eye_labels(LABELS / f"{name}.json")
    assert [one for one in labels if not (shared / "datasets" / folder / one).is_file()] == []


def test_boxes_are_read_as_an_array_in_shares_of_the_picture(tmp_path: Path) -> None:
    label = read_eye_labels(written(tmp_path))["a.jpg"]
    assert label.array().tolist() == [[0.1, 0.2, 0.3, 0.4]]
    assert read_eye_labels(written(tmp_path, waste="no", boxes=[]))["a.jpg"].array().shape == (0, 4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boxes": [BOX | {"xyxy": [0.1, 0.2, 0.3, 1.4]}]}, "less than or equal to 1"),
        ({"boxes": [BOX | {"xyxy": [0.3, 0.2, 0.1, 0.4]}]}, "needs x1 < x2"),
        ({"boxes": [BOX | {"kind": "bagz"}]}, "kinds that are not explained: bagz"),
        ({"boxes": []}, "waste: yes does not fit 0 boxes"),
        ({"waste": "no"}, "waste: no does not fit 1 boxes"),
        ({"use": "both"}, "'train' or 'test'"),
    ],
)
def test_a_label_that_contradicts_itself_is_refused_with_the_file_and_the_fault(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(BadInput) as caught:
        read_eye_labels(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_of_labels_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.json"):
        read_eye_labels(tmp_path / "none.json")

"""The litter recipe: its settings, the pictures it composes, its scores, and a training in the small."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.config.training import Source, TrainingSettings, View, load_training
from detector.core.errors import BadConfig, BadInput
from detector.core.values import Image
from detector.inference import litter_data, litter_trial, training
from detector.inference.litter_data import Composer, Scene
from detector.inference.quiet import import_ultralytics

RECIPE = Path(__file__).parents[2] / "configs" / "training" / "litter.yaml"
EXPORT_WARNS = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning"
)
"""ultralytics exports through a way that torch has given up."""
MARKS = st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), max_size=30)


def recipe() -> TrainingSettings:
    return load_training(RECIPE)


def written(tmp_path: Path, **changes: object) -> Path:
    document = yaml.safe_load(RECIPE.read_text())
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**document, **changes}))
    return path


def bag() -> litter_data.Cutout:
    cutout = np.full((60, 64, 4), 255, np.uint8)
    cutout[:, :, :2] = 40
    return cutout


def composer(**changes: object) -> Composer:
    street = Scene(np.full((720, 1280, 3), 110, np.uint8), np.full((720, 1280), 255, np.uint8))
    mix = recipe().mix.model_copy(update=changes)
    return Composer(mix, (bag(),), (), (street,))


def close_up_folder(folder: Path, photos: int) -> Path:
    """Grey pictures with one red bag each, two augmentations a photo."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(photos):
        for turn in "ab":
            image = np.full((200, 200, 3), 120, np.uint8)
            cv2.rectangle(image, (50, 60), (130, 140), (30, 30, 200), -1)
            cv2.imwrite(str(folder / "images" / f"p{number}_jpg.rf.{turn}.jpg"), image)
            (folder / "labels" / f"p{number}_jpg.rf.{turn}.txt").write_text("1 .25 .3 .65 .3 .65 .7 .25 .7\n")
    return folder


def test_the_recipe_of_the_project_is_valid_and_its_folders_start_at_the_file() -> None:
    found = recipe()
    assert found.trashbags.is_absolute()
    assert {street.use for street in found.streets} == {"train", "test"}


def test_every_fault_of_a_recipe_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    document = yaml.safe_load(RECIPE.read_text())
    path = written(tmp_path, mix={**document["mix"], "anywhere": 2}, seeed=1)
    with pytest.raises(BadConfig) as caught:
        load_training(path)
    assert {fault.place for fault in caught.value.faults} == {"mix.anywhere", "seeed"}


def test_a_recipe_without_a_view_to_test_on_is_refused(tmp_path: Path) -> None:
    streets = [{**street, "use": "train"} for street in yaml.safe_load(RECIPE.read_text())["streets"]]
    with pytest.raises(BadConfig, match="another to test on"):
        load_training(written(tmp_path, streets=streets))


def test_no_photo_is_trained_on_and_kept_out(tmp_path: Path) -> None:
    close_ups = litter_data.read_close_ups(close_up_folder(tmp_path / "train", 9))
    training_half, tuning_half = litter_data.kept_out(close_ups, 3, seed=1)
    assert {c.photo for c in training_half} & {c.photo for c in tuning_half} == set()
    assert (len(training_half), len(tuning_half)) == (12, 6)


def test_a_bag_is_cut_out_by_its_polygon_unless_the_picture_cuts_it_off(tmp_path: Path) -> None:
    folder = close_up_folder(tmp_path / "train", 1)
    (cutout, _) = litter_data.cut_out_bags(litter_data.read_close_ups(folder))
    assert abs(cutout.shape[1] - 80) <= 2
    assert (cutout[:, :, 3] == 255).all()
    for label in (folder / "labels").iterdir():
        label.write_text("1 0 .3 .65 .3 .65 .7 0 .7\n")
    assert litter_data.cut_out_bags(litter_data.read_close_ups(folder)) == []


def test_what_lies_beside_the_bags_shows_no_bag(tmp_path: Path) -> None:
    image = np.full((400, 400, 3), 120, np.uint8)
    cv2.rectangle(image, (200, 200), (399, 399), (30, 30, 200), -1)
    cv2.imwrite(str(tmp_path / "p.png"), image)
    close_up = litter_data.CloseUp(
        tmp_path / "p.png",
        "p",
        (np.array([(0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1)], np.float32),),
    )
    squares = litter_data.cut_out_surroundings([close_up, close_up], seed=1)
    assert len(squares) == 3
    reddest = max(
        int((square[:, :, 2].astype(int) - square[:, :, 0]).max(axis=0).mean()) for square in squares
    )
    assert reddest < 20


def test_a_folder_without_close_ups_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no close-ups"):
        litter_data.read_close_ups(tmp_path)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_the_same_seed_composes_the_same_picture(seed: int) -> None:
    first, again = (composer().for_training(np.random.default_rng(seed)) for _ in range(2))
    assert litter_data.encoded(first) == litter_data.encoded(again)
    assert (first.boxes == again.boxes).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_boxes_lie_inside_the_picture_and_bags_are_as_wide_as_their_band(seed: int) -> None:
    bands = recipe().trial.bands
    made = composer(without_rubbish=0.0, max_distractors=1).for_testing(
        np.random.default_rng(seed), (640, 360), bands
    )
    assert made.image.shape == (360, 640, 3)
    assert (made.boxes >= 0).all()
    assert (made.boxes <= (640, 360, 640, 360)).all()
    assert (made.boxes[:, 2] - made.boxes[:, 0] <= bands[-1].until_px).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_a_picture_of_other_things_has_no_box(seed: int) -> None:
    assert len(composer(without_rubbish=1.0).for_training(np.random.default_rng(seed)).boxes) == 0


def test_a_bag_that_nobody_could_see_is_not_pasted() -> None:
    soot = np.dstack([np.zeros((60, 60, 3), np.uint8), np.full((60, 60), 255, np.uint8)])
    night = Scene(np.zeros((360, 640, 3), np.uint8), np.full((360, 640), 255, np.uint8))
    hidden = replace(
        composer(without_rubbish=0.0, dark_bags=0.0, max_distractors=0), bags=(soot,), scenes=(night,)
    )
    for seed in range(20):
        made = hidden.for_testing(np.random.default_rng(seed), (640, 360), recipe().trial.bands)
        assert len(made.boxes) == 0


def test_each_bag_is_hit_once_and_by_the_surest_detection() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], float)
    assert litter_trial.match(boxes, np.array([0.5, 0.9, 0.8]), np.array([[0, 0, 10, 10.0]])) == [
        None,
        0,
        None,
    ]


@given(marks=MARKS, precision=st.sampled_from([0.5, 0.9, 1.0]))
def test_the_precision_holds_at_the_threshold_for_it(
    marks: list[tuple[float, bool]], precision: float
) -> None:
    threshold = litter_trial.threshold_for(marks, precision)
    assert (
        litter_trial.precision_recall(marks, max(1, len(marks)), threshold)[0] >= precision or threshold == 1
    )


@given(marks=MARKS, threshold=st.floats(0, 1))
def test_a_lower_threshold_never_finds_less(marks: list[tuple[float, bool]], threshold: float) -> None:
    bags = max(1, len(marks))
    assert (
        litter_trial.precision_recall(marks, bags, threshold / 2)[1]
        >= litter_trial.precision_recall(marks, bags, threshold)[1]
    )


def test_a_picture_goes_unscaled_into_the_network() -> None:
    assert litter_trial.input_for((640, 360)) == (384, 640)
    assert litter_trial.input_for((1280, 720)) == (736, 1280)


def test_who_sees_a_bag_that_hardly_can_be_seen_is_neither_right_nor_wrong() -> None:
    boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [80, 80, 90, 90]], float)
    marks = litter_trial.marks_of(
        boxes, np.array([0.9, 0.8, 0.7]), np.array([[0, 0, 10, 10.0]]), np.array([[50, 50, 60, 58.0]])
    )
    assert marks == [(0.9, True), (0.7, False)]


def test_everything_that_a_recipe_lacks_is_told_at_once_and_before_training(tmp_path: Path) -> None:
    lacking = load_training(written(tmp_path, weights="gone.pt", trashbags="no-bags", stills="no-stills"))
    with pytest.raises(BadInput) as caught:
        train(lacking, tmp_path)
    for name in ("gone.pt", "no-bags/train/labels", "no-bags/val/images", "no-stills/other.jpg"):
        assert name in str(caught.value)


def test_a_street_whose_licence_is_not_stated_is_not_learned_from(tmp_path: Path) -> None:
    streets = yaml.safe_load(RECIPE.read_text())["streets"]
    del streets[0]["licence"]
    with pytest.raises(BadConfig, match="licence"):
        load_training(written(tmp_path, streets=streets))


def source_folder(folder: Path) -> Path:
    """Three pictures, the first with a box, and labels by eye of all three."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for name in ("a", "b", "c"):
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), np.full((100, 200, 3), 90, np.uint8))
        (folder / "labels" / f"{name}.txt").write_text("3 0.5 0.5 0.2 0.4\n" if name == "a" else "")
    box = {"kind": "bags", "xyxy": [0, 0, 0.5, 1]}
    pictures = {
        "a.jpg": {"use": "train", "waste": "yes", "boxes": [box]},
        "b.jpg": {"use": "train", "waste": "unsure"},
        "c.jpg": {"use": "test", "waste": "no"},
    }
    document = {"about": "a test", "kinds": {"bags": "bags"}, "pictures": pictures}
    (folder / "eye.json").write_text(json.dumps(document))
    return folder


def source(**changes: object) -> Source:
    fields = {"name": "made", "folder": "images", "labels": "boxes", "licence": "made by us"}
    return Source.model_validate({**fields, **changes})


def test_whole_pictures_come_with_their_boxes_and_only_those_that_the_recipe_asks_for(tmp_path: Path) -> None:
    folder = source_folder(tmp_path)
    names = {
        label: [whole.path.name for whole in litter_data.read_source(source(**asked), folder, use)]
        for label, asked, use in (
            ("all", {}, "train"),
            ("each second", {"every": 2}, "train"),
            ("matching", {"matching": ["b.", "c."], "labels": "no rubbish"}, "test"),
            ("by eye, train", {"labels": "by eye", "labels_file": str(folder / "eye.json")}, "train"),
            ("by eye, test", {"labels": "by eye", "labels_file": str(folder / "eye.json")}, "test"),
        )
    }
    assert names == {
        "all": ["a.jpg", "b.jpg", "c.jpg"],
        "each second": ["a.jpg", "c.jpg"],
        "matching": ["b.jpg", "c.jpg"],
        "by eye, train": ["a.jpg"],
        "by eye, test": ["c.jpg"],
    }
    (first, second, _) = litter_data.read_source(source(), folder, "train")
    assert first.boxes.tolist() == [pytest.approx([0.4, 0.3, 0.6, 0.7])]
    assert second.boxes.shape == (0, 4)


def test_a_source_without_a_picture_is_bad_input_and_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="source made: no picture for train"):
        litter_data.read_source(source(matching=["z"]), source_folder(tmp_path), "train")


@pytest.mark.parametrize("fields", [{"labels": "by eye"}, {"labels_file": "eye.json"}])
def test_labels_by_eye_and_their_file_go_together(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="labels_file is needed with labels: by eye"):
        source(**fields)


def test_the_recipe_for_all_kinds_of_rubbish_tests_on_no_picture_that_it_trains_on(shared: Path) -> None:
    found = load_training(RECIPE.parent / "litter_all.yaml")
    learned, tested = (
        {whole.path for one in sources for whole in litter_data.read_source(one, shared / "datasets", use)}
        for sources, use in ((found.sources, "train"), (found.trial.sources, "test"))
    )
    assert learned & tested == set()
    assert len(tested) > 100
    views = {use: {street.file for street in found.streets if street.use == use} for use in ("train", "test")}
    assert views["train"] & (views["test"] | {view.file for view in found.trial.clean}) == set()


def test_whole_pictures_are_written_as_often_as_the_recipe_says(tmp_path: Path) -> None:
    wholes = [
        (source(repeats=3), whole) for whole in litter_data.read_source(source(), source_folder(tmp_path), "")
    ]
    settings = recipe().model_copy(
        update={"mix": recipe().mix.model_copy(update={"composed": 1, "whole_views": 2})}
    )
    litter_data.write_training_set(settings, composer(), [], tmp_path / "out", wholes)
    written_ = sorted(path.stem for path in (tmp_path / "out" / "images").iterdir())
    assert len(written_) == 1 + 3 * 3 + 2
    assert [name for name in written_ if name.startswith("view")] == ["view_000_0", "view_000_1"]
    assert (
        (tmp_path / "out" / "labels" / "made_00000_2.txt").read_text().startswith("0 0.500000 0.500000 0.2")
    )


@given(
    higher=st.lists(st.sampled_from([0.0, 0.2, 0.4]), max_size=9),
    lower=st.lists(st.sampled_from([0.0, 0.2, 0.4]), max_size=9),
)
def test_two_samples_rank_against_each_other_as_one_minus_the_other_way_round(
    higher: list[float], lower: list[float]
) -> None:
    found = litter_trial.ranking(np.array(higher), np.array(lower))
    other = litter_trial.ranking(np.array(lower), np.array(higher))
    if found is None or other is None:
        assert not higher or not lower
    else:
        assert found == pytest.approx(1 - other)


class Killed(BaseException):
    """As if the machine went down."""


@pytest.mark.soak
@pytest.mark.slow
@EXPORT_WARNS
def test_a_training_that_was_killed_goes_on_after_its_last_epoch(tmp_path: Path) -> None:
    settings = load_training(recipe_in_the_small(tmp_path))

    def kill(done: float, _what: str) -> None:
        if 1 < done < 2:
            raise Killed

    with pytest.raises(Killed):
        train(settings, tmp_path, kill)
    told: list[float] = []
    report = train(settings, tmp_path, lambda done, _: told.append(done))
    assert min(done for done in told if done) > 1
    assert max(told) == settings.fit.epochs
    assert report.size_bytes == (tmp_path / "out.pt").stat().st_size < 8_000_000
    assert json.loads((tmp_path / "out.json").read_text())["sha256"] == report.sha256
    assert {score.name for score in report.scores.streets} == {"tuning", "test"}
    (whole,) = report.scores.sources
    assert (whole.name, whole.pictures, whole.with_rubbish) == ("made", 3, 1)
    assert whole.map50 is not None
    assert whole.auc is not None
    assert report.licences["made"] == "made by us"


def train(
    settings: TrainingSettings, tmp_path: Path, tell: training.Tell = lambda _done, _what: None
) -> training.TrainingReport:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return training.train(settings, tmp_path / "out.pt", work, read_view=read_view, tell=tell)


def read_view(path: Path, _view: View) -> Image:
    return litter_data.read_picture(path)


def recipe_in_the_small(tmp_path: Path) -> Path:
    """Two epochs over a few made pictures, from weights that were never trained."""
    for half, photos in (("train", 4), ("val", 2)):
        close_up_folder(tmp_path / "bags" / half, photos)
    for name in ("seen.jpg", "unseen.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((360, 640, 3), 90, np.uint8))
    import_ultralytics(tmp_path / "ultralytics").YOLO("yolov8n.yaml").save(str(tmp_path / "untrained.pt"))
    document = yaml.safe_load(RECIPE.read_text())
    street = {"ground": [[0, 0], [1, 0], [1, 1], [0, 1]], "licence": "made by us"}
    band = {"from_px": 20, "until_px": 60}
    trial = {
        "pictures": 2,
        "views_wh": [[320, 180]],
        "close_up_imgsz": [128],
        "clean": [],
        "bands": [band],
        "source_imgsz": 128,
        "sources": [{**source().model_dump(mode="json"), "folder": "whole/images"}],
    }
    source_folder(tmp_path / "whole")
    return written(
        tmp_path,
        weights="untrained.pt",
        trashbags="bags",
        stills=".",
        datasets=".",
        sources=[{**source().model_dump(mode="json"), "folder": "whole/images", "repeats": 2}],
        tuning_photos=1,
        samples=[{"file": "bus.jpg", "boxes": [[48, 399, 245, 903]]}],
        streets=[
            {"file": "seen.jpg", "use": "train", **street},
            {"file": "unseen.jpg", "use": "test", **street},
        ],
        mix={**document["mix"], "composed": 4, "canvas_px": 128},
        fit={**document["fit"], "epochs": 2, "imgsz": 128, "batch": 4, "close_mosaic": 0, "threads": 1},
        trial={**document["trial"], **trial},
    )

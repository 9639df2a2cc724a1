"""The bin classifier: its backbone, its head, its training in the small, and what the shipped file is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detector.config.bin_training import load_bin_training, trains_bins
from detector.config.manifest import load_manifest
from detector.core.errors import BadConfig, BadInput, BadWeights
from detector.core.values import Image
from detector.inference import bin_card, bin_training
from detector.inference.backbone import STAGE_STRIDES, Backbone
from detector.inference.bins import BinClassifier, BinHead, around
from detector.inference.weights import sha256_of

RECIPE = Path(__file__).parents[2] / "configs" / "training" / "bins.yaml"
SCORES = st.lists(
    st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=2, max_size=40
)


def small_state(torch: Any) -> dict[str, Any]:
    """An EfficientNet-Lite of seven blocks and few channels, with weights of chance."""
    torch.manual_seed(1)
    state: dict[str, Any] = {}

    def layer(name: str, norm: str, shape: tuple[int, ...]) -> None:
        state[f"{name}.weight"] = torch.randn(shape) / np.sqrt(np.prod(shape[1:]))
        for part, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            state[f"{norm}.{part}"] = torch.full((shape[0],), value)

    layer("_conv_stem", "_bn0", (4, 3, 3, 3))
    channels = 4
    for block in range(len(STAGE_STRIDES)):
        at, width = f"_blocks.{block}", 4 + block
        layer(f"{at}._expand_conv", f"{at}._bn0", (8, channels, 1, 1))
        layer(f"{at}._depthwise_conv", f"{at}._bn1", (8, 1, 3, 3))
        layer(f"{at}._project_conv", f"{at}._bn2", (width, 8, 1, 1))
        channels = width
    layer("_conv_head", "_bn1", (16, channels, 1, 1))
    return state


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    path: Path = tmp_path_factory.mktemp("backbone") / "small.pt"
    torch.save(small_state(torch), path)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def container(*, dirty: bool, seed: int) -> Image:
    """A green box on grey ground, with spots of many colours beside it where it is dirty."""
    rng = np.random.default_rng(seed)
    image = np.asarray(rng.normal(120, 6, (96, 128, 3)).clip(0, 255), np.uint8)
    cv2.rectangle(image, (40, 20), (90, 70), (40, 120, 40), -1)
    for _ in range(40 if dirty else 0):
        x, y = int(rng.integers(5, 120)), int(rng.integers(70, 92))
        colour = [int(v) for v in rng.integers(0, 255, 3)]
        cv2.circle(image, (x, y), 4, colour, -1)
    return image


def container_folder(folder: Path, count: int) -> Path:
    for half, start in (("train", 0), ("val", 1000)):
        for name in ("clean", "dirty"):
            (folder / half / name).mkdir(parents=True)
            for number in range(count):
                image = container(dirty=name == "dirty", seed=start + number + 500 * (name == "dirty"))
                cv2.imwrite(str(folder / half / name / f"{number:03d}.jpg"), image)
    return folder


def small_recipe(tmp_path: Path, **changes: object) -> Path:
    document = yaml.safe_load(RECIPE.read_text())
    made = {**document, "side_px": 96, "pictures": str(container_folder(tmp_path / "bins", 20)), "folds": 3}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**made, **changes}))
    return path


def head(features: int, sha256: str = "0" * 64) -> BinHead:
    return BinHead("small", sha256, 96, 0.5, 0.25, np.linspace(-1, 1, features))


def test_features_are_the_same_again_and_fit_pictures_of_any_size(small: Path, cache: Path) -> None:
    backbone = Backbone(small, cache, side_px=96)
    image = container(dirty=True, seed=1)
    first, again = backbone.features(image), Backbone(small, cache, side_px=96).features(image)
    assert (first == again).all()
    assert first.shape == backbone.features(np.full((700, 333, 3), 90, np.uint8)).shape == (2 * (8 + 8 + 16),)


def test_a_file_of_another_network_is_bad_weights(tmp_path: Path, cache: Path, weights: Path) -> None:
    (tmp_path / "text.pt").write_text("no weights")
    for path in (tmp_path / "text.pt", weights):
        with pytest.raises(BadWeights, match="does not hold an EfficientNet-Lite"):
            Backbone(path, cache, side_px=96)


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = head(5)
    made.write(tmp_path / "head.json")
    found = BinHead.read(tmp_path / "head.json")
    assert (found.backbone, found.side_px, found.threshold, found.bias) == ("small", 96, 0.5, 0.25)
    assert found.weights.tolist() == made.weights.tolist()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weights": "x"}', '{"backbone": "a", "weights": [1], "more": 1}']
)
def test_a_file_that_is_no_head_is_bad_weights_and_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "head.json").write_text(text)
    with pytest.raises(BadWeights, match=r"head\.json is no head"):
        BinHead.read(tmp_path / "head.json")


def test_a_head_refuses_features_of_another_length() -> None:
    with pytest.raises(ValueError, match="features need shape"):
        head(5).probability(np.zeros(4, np.float32))


def test_a_classifier_refuses_a_backbone_that_its_head_does_not_name(
    tmp_path: Path, small: Path, cache: Path
) -> None:
    head(64).write(tmp_path / "head.json")
    with pytest.raises(BadWeights, match="kerbwatch models fetch small"):
        BinClassifier(tmp_path / "head.json", small, cache)


def test_a_container_is_judged_with_what_lies_beside_it_and_one_too_small_is_refused(
    tmp_path: Path, small: Path, cache: Path
) -> None:
    head(64, sha256_of(small)).write(tmp_path / "head.json")
    classifier = BinClassifier(tmp_path / "head.json", small, cache)
    image = container(dirty=True, seed=3)
    whole = classifier.dirty(image)
    part = classifier.dirty(image, (0.3, 0.2, 0.7, 0.7))
    assert 0 <= part <= 1
    assert part != whole
    assert classifier.dirty(image, (0.0, 0.0, 1.0, 1.0)) == whole
    with pytest.raises(BadInput, match="must be 24 px wide and high"):
        classifier.dirty(image, (0.5, 0.5, 0.55, 0.9))


@given(
    box=st.tuples(st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0.5, 1), st.floats(0.5, 1)),
    wide=st.integers(40, 400),
    high=st.integers(40, 400),
)
def test_what_is_looked_at_holds_the_container_and_stays_inside_the_picture(
    box: tuple[float, float, float, float], wide: int, high: int
) -> None:
    part = around(np.zeros((high, wide, 3), np.uint8), box)
    assert (box[3] - box[1]) * high - 1 <= part.shape[0] <= high
    assert (box[2] - box[0]) * wide - 1 <= part.shape[1] <= wide


@given(scored=SCORES)
def test_the_area_under_the_curve_is_the_share_of_pairs_that_are_in_order(
    scored: list[tuple[float, bool]],
) -> None:
    said, truth = np.array([s for s, _ in scored]), np.array([t for _, t in scored])
    if truth.any() and not truth.all():
        pairs = [(d > c) + 0.5 * (d == c) for d in said[truth] for c in said[~truth]]
        assert bin_training.auc(said, truth) == pytest.approx(np.mean(pairs))


@given(scored=SCORES)
def test_the_threshold_holds_its_precision_on_what_it_was_chosen_by(scored: list[tuple[float, bool]]) -> None:
    said = np.array([s + i * 1e-4 for i, (s, _) in enumerate(scored)])
    truth = np.array([t for _, t in scored])
    if truth.any():
        threshold = bin_training.threshold_for(said, truth, 0.8)
        assert 0 <= threshold <= 1
        best = np.sort(said[said >= threshold])
        assert threshold == 1 or len(best)


def test_a_fit_separates_what_can_be_separated_and_a_higher_penalty_is_less_sure() -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(60) < 30
    features = rng.normal(0, 1, (60, 200)) + np.where(truth, 0.5, -0.5)[:, None]
    odds = {}
    for penalty in (0.1, 10.0):
        bias, weights = bin_training.fit(features, truth, penalty)
        odds[penalty] = bias + features @ weights
        assert ((odds[penalty] > 0) == truth).all()
    assert np.abs(odds[10.0]).mean() < np.abs(odds[0.1]).mean()


def test_platt_scaling_finds_the_odds_by_which_the_truth_was_drawn() -> None:
    rng = np.random.default_rng(2)
    said = rng.normal(0, 2, 4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-(0.5 * said - 0.7)))
    slope, offset = bin_training.platt(said, truth)
    assert (slope, offset) == (pytest.approx(0.5, abs=0.06), pytest.approx(-0.7, abs=0.1))


def test_a_picture_seen_by_a_camera_is_small_and_the_same_for_the_same_chance() -> None:
    seen = load_bin_training(RECIPE).seen
    image = cv2.resize(container(dirty=True, seed=5), (640, 480))
    first, again = (bin_training.as_seen(image, seen, np.random.default_rng(7)) for _ in range(2))
    assert (first == again).all()
    assert seen.from_px - 1 <= max(first.shape[:2]) <= seen.until_px + 1


def test_every_fault_of_a_recipe_for_bins_is_told_with_its_place(tmp_path: Path) -> None:
    document = yaml.safe_load(RECIPE.read_text())
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**document, "side_px": 100, "foldz": 2}))
    assert trains_bins(path)
    with pytest.raises(BadConfig) as caught:
        load_bin_training(path)
    assert {fault.place for fault in caught.value.faults} == {"side_px", "foldz"}


def test_a_folder_without_pictures_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"clean: no pictures"):
        bin_training.read_labelled(tmp_path)


def test_a_training_in_the_small_tells_dirty_from_clean_and_is_the_same_again(
    tmp_path: Path, small: Path, cache: Path
) -> None:
    settings = load_bin_training(small_recipe(tmp_path))
    reports = [
        bin_training.train_bins(settings, small, cache, tmp_path / name / "bins.json") for name in ("a", "b")
    ]
    assert reports[0] == reports[1]
    assert reports[0].held_out.auc > 0.9
    assert reports[0].held_out.brier < reports[0].held_out.base_brier
    assert reports[0].views == 40 * (1 + settings.seen.copies)
    page = bin_card.figures(reports[0])
    assert "held-out pictures | 40 | 20" in page
    bin_training.write_report(reports[0], tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["held_out"]["pictures"] == 40


@pytest.fixture(scope="module")
def shipped(checkout: Path, cache: Path) -> BinClassifier:
    manifest = load_manifest(checkout / "models").weights
    classifier = checkout / "models" / manifest["bins"].file
    backbone = checkout / "models" / manifest[BinHead.read(classifier).backbone].file
    if not backbone.is_file():
        pytest.skip(f"no backbone at {backbone} ('kerbwatch models fetch efficientnet-lite0')")
    return BinClassifier(classifier, backbone, cache)


def test_the_shipped_head_is_the_one_of_the_manifest_and_names_its_backbone(checkout: Path) -> None:
    manifest = load_manifest(checkout / "models").weights
    file = checkout / "models" / manifest["bins"].file
    assert sha256_of(file) == manifest["bins"].sha256
    assert BinHead.read(file).backbone_sha256 == manifest[BinHead.read(file).backbone].sha256


@pytest.mark.slow
def test_the_shipped_classifier_ranks_held_out_containers_as_its_card_says(
    shipped: BinClassifier, shared: Path
) -> None:
    pictures = bin_training.read_labelled(shared / "datasets" / "containers" / "val")[::5]
    said = np.array([shipped.dirty(bin_training.read_picture(one.path)) for one in pictures])
    assert bin_training.auc(said, np.array([one.dirty for one in pictures])) > 0.85

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
from detector.inference.backbone import (
    STAGE_STRIDES,
    BinNetwork,
    input_of,
    log_odds,
    pretrained,
    read_layers,
    squared,
    strides_of,
    write_layers,
)
from detector.inference.bin_fit import Example, fitted
from detector.inference.bin_pictures import as_seen, read_labelled
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
    fit = {**document["fit"], "epochs": 10, "stop_after": 10, "batch": 8, "rate": 0.003, "head_rate": 0.02, "frozen_blocks": 0, "dropped": 0.1,
           "kept_out_of": 4}  # fmt: skip
    made = {**document, "side_px": 96, "pictures": str(container_folder(tmp_path / "bins", 20)), "fit": fit}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**made, **changes}))
    return path


def head(sha256: str = "0" * 64) -> BinHead:
    return BinHead("small", sha256, 96, 0.5, 1.5, -0.25)


@pytest.fixture(scope="module")
def network(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with a last layer of its own."""
    torch = pytest.importorskip("torch")
    layers = pretrained(small)
    torch.manual_seed(2)
    layers["head.weight"] = torch.randn(layers["head.weight"].shape)
    path: Path = tmp_path_factory.mktemp("network") / "bins.pt"
    write_layers(layers, path)
    return path


def test_the_export_says_what_the_layers_say_and_the_same_of_the_mirror_image(
    network: Path, cache: Path
) -> None:
    torch = pytest.importorskip("torch")
    image = container(dirty=True, seed=1)
    layers = read_layers(network)
    square = squared(image, 96)
    views = torch.from_numpy(input_of([square, np.ascontiguousarray(square[:, ::-1])]))
    expected = float(log_odds(layers, strides_of(layers), views).mean())
    exported = BinNetwork(network, cache, side_px=96)
    assert exported.log_odds(image) == pytest.approx(expected, abs=1e-3)
    assert exported.log_odds(image[:, ::-1]) == pytest.approx(expected, abs=1e-3)


@given(wide=st.integers(8, 700), high=st.integers(8, 700))
def test_a_picture_of_any_size_lies_whole_in_the_middle_of_its_square(wide: int, high: int) -> None:
    square = squared(np.zeros((high, wide, 3), np.uint8), 64)
    rows, columns = np.nonzero((square == 0).all(axis=2))
    assert square.shape == (64, 64, 3)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (
        max(8, round(high * 64 / max(wide, high))),
        max(8, round(wide * 64 / max(wide, high))),
    )
    assert abs(int(rows.min()) - (63 - int(rows.max()))) <= 1


def test_a_file_of_another_network_is_bad_weights(
    tmp_path: Path, cache: Path, weights: Path, small: Path
) -> None:
    (tmp_path / "text.pt").write_text("no weights")
    for path in (tmp_path / "text.pt", weights):
        with pytest.raises(BadWeights, match="does not hold an EfficientNet-Lite"):
            BinNetwork(path, cache, side_px=96)
    with pytest.raises(BadWeights, match="no layer 'head'"):
        BinNetwork(small, cache, side_px=96)


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    head().write(tmp_path / "head.json")
    assert BinHead.read(tmp_path / "head.json") == head()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"slope": "x"}', '{"network": "a", "threshold": 2, "more": 1}']
)
def test_a_file_that_is_no_head_is_bad_weights_and_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "head.json").write_text(text)
    with pytest.raises(BadWeights, match=r"head\.json is no head"):
        BinHead.read(tmp_path / "head.json")


def test_a_classifier_refuses_a_network_that_its_head_does_not_name(
    tmp_path: Path, network: Path, cache: Path
) -> None:
    head().write(tmp_path / "head.json")
    with pytest.raises(BadWeights, match="take both from one training"):
        BinClassifier(tmp_path / "head.json", network, cache)


def test_a_container_is_judged_with_what_lies_beside_it_and_one_too_small_is_refused(
    tmp_path: Path, network: Path, cache: Path
) -> None:
    head(sha256_of(network)).write(tmp_path / "head.json")
    classifier = BinClassifier(tmp_path / "head.json", network, cache)
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


def test_platt_scaling_finds_the_odds_by_which_the_truth_was_drawn() -> None:
    rng = np.random.default_rng(2)
    said = rng.normal(0, 2, 4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-(0.5 * said - 0.7)))
    slope, offset = bin_training.platt(said, truth)
    assert (slope, offset) == (pytest.approx(0.5, abs=0.06), pytest.approx(-0.7, abs=0.1))


def test_a_picture_seen_by_a_camera_is_small_and_the_same_for_the_same_chance() -> None:
    seen = load_bin_training(RECIPE).seen
    image = cv2.resize(container(dirty=True, seed=5), (640, 480))
    first, again = (as_seen(image, seen, np.random.default_rng(7)) for _ in range(2))
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
        read_labelled(tmp_path)


def test_a_training_in_the_small_tells_dirty_from_clean(tmp_path: Path, small: Path, cache: Path) -> None:
    settings = load_bin_training(small_recipe(tmp_path))
    report = bin_training.train_bins(settings, small, cache, tmp_path / "out" / "bins.json")
    assert report.held_out.auc > 0.9
    assert report.held_out.brier < report.held_out.base_brier
    page = bin_card.figures(report)
    assert "held-out pictures | 40 | 20" in page
    bin_training.write_report(report, tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["held_out"]["pictures"] == 40


def test_a_fit_is_the_same_again(tmp_path: Path, small: Path) -> None:
    torch = pytest.importorskip("torch")
    settings = load_bin_training(small_recipe(tmp_path))
    examples = [Example(container(dirty=bool(i % 2), seed=i), bool(i % 2)) for i in range(16)]
    short = settings.model_copy(update={"fit": settings.fit.model_copy(update={"stop_after": 1})})
    one, again = (fitted(short, small, examples) for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in one)


@pytest.fixture(scope="module")
def shipped(checkout: Path, cache: Path) -> BinClassifier:
    manifest = load_manifest(checkout / "models").weights
    files = [checkout / "models" / manifest[name].file for name in ("bins", "bins-network")]
    return BinClassifier(*files, cache)


def test_the_shipped_files_are_those_of_the_manifest_and_the_head_names_its_network(checkout: Path) -> None:
    manifest = load_manifest(checkout / "models").weights
    for name in ("bins", "bins-network"):
        assert sha256_of(checkout / "models" / manifest[name].file) == manifest[name].sha256
    found = BinHead.read(checkout / "models" / manifest["bins"].file)
    assert found.network == "bins-network"
    assert found.network_sha256 == manifest["bins-network"].sha256


@pytest.mark.slow
def test_the_shipped_classifier_ranks_held_out_containers_as_its_card_says(
    shipped: BinClassifier, shared: Path
) -> None:
    pictures = read_labelled(shared / "datasets" / "containers" / "val")[::5]
    said = np.array([shipped.dirty(bin_training.read_picture(one.path)) for one in pictures])
    assert bin_training.auc(said, np.array([one.dirty for one in pictures])) > 0.92

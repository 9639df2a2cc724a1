"""The network in eight bits: that it is, that it sees what the exact one sees, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.errors import BadInput, BadWeights
from detector.core.geometry import iou
from detector.core.values import LABEL_GROUPS, Detections, Image
from detector.inference.detector import OpenVinoDetector, calibrate
from detector.inference.int8 import ACTIVATION_LEVELS, quantise, ranges_file, read_ranges, with_exact_zero
from detector.inference.quiet import import_openvino

INPUT_HW = (384, 640)


@pytest.fixture(scope="module")
def whole_numbers(weights: Path, exports: Path) -> OpenVinoDetector:
    return OpenVinoDetector(weights, exports, precision="int8", threads=1)


@pytest.fixture
def own(weights: Path, tmp_path: Path) -> Path:
    """The weights in a folder of their own, without ranges."""
    return Path(shutil.copy(weights, tmp_path / "own.pt"))


def _group(label: str) -> str:
    return LABEL_GROUPS.get(label, label)


def found_in(wanted: Detections, other: Detections, from_confidence: float) -> tuple[int, int]:
    """How many of the objects seen so surely the other saw too, and how many these are."""
    sure = [i for i, confidence in enumerate(wanted.confidences) if confidence >= from_confidence]
    hits = [
        any(
            _group(wanted.labels[i]) == _group(label) and iou(tuple(wanted.boxes[i]), tuple(box)) >= 0.7
            for label, box in zip(other.labels, other.boxes, strict=True)
        )
        for i in sure
    ]
    return sum(hits), len(hits)


def test_it_sees_the_bus_and_the_people(
    model: OpenVinoDetector, whole_numbers: OpenVinoDetector, bus: Image
) -> None:
    (exact,), (rounded,) = model.detect([bus]), whole_numbers.detect([bus])
    assert found_in(exact, rounded, 0.4) == (4, 4)
    assert found_in(rounded, exact, 0.4) == (4, 4)


def test_on_real_clips_hardly_anything_comes_or_goes(
    model: OpenVinoDetector, whole_numbers: OpenVinoDetector, shared: Path
) -> None:
    """Clips, not the stills that the ranges come from; by day and darkened."""
    pictures = []
    for clip in sorted((shared / "footage" / "clips").glob("*.*")):
        reader = cv2.VideoCapture(str(clip))
        reader.set(cv2.CAP_PROP_POS_FRAMES, reader.get(cv2.CAP_PROP_FRAME_COUNT) // 2)
        read, image = reader.read()
        reader.release()
        if read:
            pictures += [np.asarray(image, np.uint8), (image * 0.3).astype(np.uint8)]
    assert len(pictures) >= 8
    both = [(model.detect([p])[0], whole_numbers.detect([p])[0]) for p in pictures]
    kept = np.sum([found_in(exact, rounded, 0.35) for exact, rounded in both], axis=0)
    new = np.sum([found_in(rounded, exact, 0.35) for exact, rounded in both], axis=0)
    assert kept[1] > 40
    assert kept[0] >= 0.97 * kept[1]
    assert new[0] >= 0.97 * new[1]


def test_nearly_all_of_it_is_computed_in_eight_bits(
    weights: Path, whole_numbers: OpenVinoDetector, exports: Path
) -> None:
    core = import_openvino().Core()
    network = core.read_model(next(exports.glob("*-openvino-*")) / "model.xml")
    ranges = read_ranges(weights, whole_numbers.sha256)
    assert ranges is not None
    quantise(network, ranges)
    network.reshape((1, 3, *INPUT_HW))
    running = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).get_runtime_model()
    kinds = [
        str(node.get_rt_info()["runtimePrecision"].astype(str))
        for node in running.get_ops()
        if node.get_rt_info()["layerType"].astype(str) == "Convolution"
    ]
    assert len(kinds) == 64
    assert (
        sum(kind in {"i8", "u8"} for kind in kinds) == 63
    )  # all but the one that turns bins into a box's sides


def test_what_it_computes_by_is_in_its_name(model: OpenVinoDetector, whole_numbers: OpenVinoDetector) -> None:
    assert "-int8-" in whole_numbers.model_id
    assert "-f32-" in model.model_id


def test_weights_without_ranges_run_in_what_the_processor_has(own: Path, exports: Path) -> None:
    assert (
        OpenVinoDetector(own, exports, precision="int8").model_id
        == OpenVinoDetector(own, exports, precision="bf16").model_id
    )


def test_ranges_of_other_weights_are_refused(own: Path, weights: Path, exports: Path) -> None:
    shutil.copy(ranges_file(weights), ranges_file(own))
    own.write_bytes(own.read_bytes() + b" ")
    with pytest.raises(BadWeights, match="belongs to other weights"):
        OpenVinoDetector(own, exports)


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '{"weights_sha256": 1}', "\x00"])
def test_ranges_that_cannot_be_read_are_refused(own: Path, exports: Path, text: str) -> None:
    ranges_file(own).write_text(text)
    with pytest.raises(BadWeights, match=r"own\.int8\.json cannot be read"):
        OpenVinoDetector(own, exports)


def test_ranges_of_another_form_of_the_network_are_refused(
    weights: Path, own: Path, exports: Path, bus: Image
) -> None:
    known = json.loads(ranges_file(weights).read_text())
    shorter = {name: known[name][:-1] for name in ("kinds", "lows", "highs")}
    ranges_file(own).write_text(json.dumps(known | shorter))
    with pytest.raises(BadWeights, match="another form of this network"):
        OpenVinoDetector(own, exports).detect([bus])


def test_ranges_are_measured_again_alike(weights: Path, exports: Path, bus: Image, tmp_path: Path) -> None:
    picture = tmp_path / "bus.png"
    cv2.imwrite(str(picture), bus)
    measured = calibrate(weights, exports, {picture: bus}, INPUT_HW)
    measured.write(tmp_path / "again.int8.json")
    assert read_ranges(tmp_path / "again.pt", measured.weights_sha256) == measured
    shipped = read_ranges(weights, measured.weights_sha256)
    assert shipped is not None
    assert measured.kinds == shipped.kinds
    assert (measured.lows[0], measured.highs[0]) == (shipped.lows[0], shipped.highs[0]) == (0.0, 1.0)
    ratios = np.array(measured.highs) / np.array(shipped.highs)
    assert 0.8 < np.median(ratios) < 1.25


def test_without_pictures_nothing_is_measured(weights: Path, exports: Path) -> None:
    with pytest.raises(BadInput, match="no pictures"):
        calibrate(weights, exports, {}, INPUT_HW)


@given(st.floats(-50, 50), st.floats(0, 100))
def test_zero_is_a_level_and_the_range_hardly_moves(low: float, width: float) -> None:
    high = low + width
    moved_low, moved_high = with_exact_zero(low, high)
    step = (moved_high - moved_low) / (ACTIVATION_LEVELS - 1)
    assert moved_low <= 0.0 <= moved_high
    assert moved_low / step == pytest.approx(round(moved_low / step), abs=1e-6)
    assert abs(moved_low - min(0.0, low)) <= step * 0.51

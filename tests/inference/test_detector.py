"""Letterboxing, reading the model's output, and the real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.geometry import iou
from detector.core.values import Detections, Frame, Image, LabelGroup
from detector.decoding.reader import frames_at
from detector.inference.detector import (
    PAD_GREY,
    Attended,
    Detector,
    OpenVinoDetector,
    TorchDetector,
    View,
    decode_output,
    least_confidences,
    letterbox,
    open_detector,
)

INPUT_HW = (384, 640)
NAMES = ["person", "car", "bus"]


def picture(width: int, height: int, grey: int = 200) -> Image:
    return np.full((height, width, 3), grey, np.uint8)


WHOLE = View.of(picture(640, 384), None, INPUT_HW)


def head(*found: tuple[float, float, float, float, int, float]) -> np.ndarray:
    """A model's output: each found object as centre, size, class and score; and anchors that found nothing."""
    raw = np.zeros((4 + len(NAMES), len(found) + 5), np.float32)
    raw[:4, len(found) :] = 50.0
    raw[4:, len(found) :] = 0.01
    for anchor, (x, y, width, height, label, score) in enumerate(found):
        raw[:4, anchor] = (x, y, width, height)
        raw[4 + label, anchor] = score
    return raw


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (640, 360), (320, 180)])
def test_a_16_to_9_picture_fills_the_input_s_width_without_distortion(size: tuple[int, int]) -> None:
    boxed, scale = letterbox(picture(*size), INPUT_HW)
    assert boxed.shape == (384, 640, 3)
    assert scale == 640 / size[0] == 360 / size[1]
    assert (boxed[:360] == 200).all()
    assert (boxed[360:] == PAD_GREY).all()


@given(st.integers(1, 900), st.integers(1, 900))
def test_a_picture_of_any_size_fits_the_input_and_keeps_its_shape(width: int, height: int) -> None:
    boxed, scale = letterbox(picture(width, height), INPUT_HW)
    assert boxed.shape == (384, 640, 3)
    filled = (boxed == 200).all(axis=2)
    rows, columns = int(filled.any(axis=1).sum()), int(filled.any(axis=0).sum())
    assert abs(columns - width * scale) <= 1
    assert abs(rows - height * scale) <= 1
    assert rows == 384 or columns == 640


@given(
    st.integers(40, 2000), st.integers(40, 2000),
    st.floats(0.0, 0.6), st.floats(0.0, 0.6), st.floats(0.1, 0.4), st.floats(0.1, 0.4),
)  # fmt: skip
def test_a_box_comes_back_to_its_place_in_a_picture_of_any_size(
    width: int, height: int, x: float, y: float, w: float, h: float
) -> None:
    view = View.of(picture(width, height), None, INPUT_HW)
    scale = view.scale
    in_input = (
        (x + w / 2) * width * scale,
        (y + h / 2) * height * scale,
        w * width * scale,
        h * height * scale,
    )
    found = decode_output(head((*in_input, 1, 0.9)), NAMES, 0.25, view)
    assert found.labels == ("car",)
    assert found.boxes[0] == pytest.approx([x, y, x + w, y + h], abs=1e-3)


def test_what_the_model_is_not_sure_of_is_left_out() -> None:
    raw = head((100, 100, 50, 50, 1, 0.2), (300, 100, 50, 50, 2, 0.3))
    assert decode_output(raw, NAMES, 0.25, WHOLE).labels == ("bus",)


def test_nothing_found_is_an_empty_answer() -> None:
    assert len(decode_output(head(), NAMES, 0.25, WHOLE)) == 0


def test_two_boxes_of_one_label_on_one_object_are_one_and_of_two_labels_are_two() -> None:
    raw = head((100, 100, 50, 50, 1, 0.6), (101, 100, 50, 50, 1, 0.8), (100, 101, 50, 50, 2, 0.5))
    found = decode_output(raw, NAMES, 0.25, WHOLE)
    assert sorted(zip(found.labels, (round(float(c), 2) for c in found.confidences), strict=True)) == [
        ("bus", 0.5), ("car", 0.8),
    ]  # fmt: skip


def test_boxes_are_cut_at_the_picture_s_edge_and_none_lies_outside() -> None:
    raw = head((0, 100, 50, 50, 1, 0.9), (700, 100, 50, 50, 1, 0.9))
    found = decode_output(raw, NAMES, 0.25, WHOLE)
    assert len(found) == 1
    assert found.boxes[0, 0] == 0.0


def test_the_real_model_sees_a_bus_and_people(model: OpenVinoDetector, bus: Image) -> None:
    (found,) = model.detect([bus])
    assert found.labels.count("bus") == 1
    assert found.labels.count("person") >= 3
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()


def test_the_real_model_sees_the_van_of_a_real_clip(model: OpenVinoDetector, shared: Path) -> None:
    (frame,) = frames_at(shared / "footage/clips/vtest.avi", [40.0], fit_wh=(640, 384))
    assert isinstance(frame, Frame)
    (found,) = model.detect([frame.image])
    van = (652 / 768, 44 / 576, 722 / 768, 99 / 576)
    assert max(iou(van, tuple(box)) for box in found.boxes.astype(float)) > 0.6


def test_a_batch_gives_what_one_by_one_gives(model: OpenVinoDetector, bus: Image) -> None:
    images = [bus, bus[200:800], picture(640, 360), bus[:, ::-1]]
    for together, alone in zip(model.detect(images), (model.detect([i])[0] for i in images), strict=True):
        assert_same(together, alone)


PART = (0.0, 0.2, 1.0, 0.9)


def test_a_part_costs_a_smaller_input_at_the_scale_of_the_whole() -> None:
    view = View.of(picture(1920, 1080), PART, INPUT_HW)
    assert view.boxed.shape == (256, 640, 3)
    assert view.scale == 640 / 1920
    assert (view.boxed[:252] == 200).all()


@given(
    st.integers(40, 2000), st.integers(40, 2000),
    st.tuples(st.floats(0.0, 0.6), st.floats(0.0, 0.6), st.floats(0.2, 0.4), st.floats(0.2, 0.4)),
    st.tuples(st.floats(0.1, 0.5), st.floats(0.1, 0.5)),
)  # fmt: skip
def test_a_box_in_a_part_comes_back_to_its_place_in_the_whole(
    width: int, height: int, where: tuple[float, float, float, float], inside: tuple[float, float]
) -> None:
    part = (where[0], where[1], where[0] + where[2], where[1] + where[3])
    view = View.of(picture(width, height), part, INPUT_HW)
    true = np.array([part[0] + inside[0] * where[2], part[1] + inside[1] * where[3], part[2], part[3]])
    pixels = (true * np.array([width, height] * 2) - np.array([*view.origin_xy] * 2)) * view.scale
    assert view.whole(pixels[None].astype(np.float32))[0] == pytest.approx(true, abs=1e-4)


def test_the_real_model_sees_in_a_part_what_it_sees_there_in_the_whole(
    model: OpenVinoDetector, bus: Image
) -> None:
    (whole,), (part,) = model.detect([bus]), model.detect([bus], (0.0, 0.15, 1.0, 0.95))
    buses = [found.boxes[found.labels.index("bus")].astype(float) for found in (whole, part)]
    assert iou(tuple(buses[0]), tuple(buses[1])) > 0.8


def test_who_watches_a_part_sees_what_is_seen_there_unless_asked_for_another(
    model: OpenVinoDetector, bus: Image
) -> None:
    part, other = (0.0, 0.15, 1.0, 0.95), (0.0, 0.3, 0.5, 1.0)
    watching = Attended(model, part=part)
    for asked, seen in ((None, part), (other, other)):
        (found,), (expected,) = watching.detect([bus], asked), model.detect([bus], seen)
        assert found.labels == expected.labels
        assert np.array_equal(found.boxes, expected.boxes)
    assert watching.model_id == model.model_id


def test_no_pictures_give_no_answers(model: OpenVinoDetector) -> None:
    assert model.detect([]) == []


def test_an_export_is_made_once_and_kept_by_hash(
    model: OpenVinoDetector, weights: Path, exports: Path
) -> None:
    def exported() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in exports.iterdir() if "openvino" in p.name}

    before = exported()
    again = OpenVinoDetector(weights, exports, precision="f32", threads=1)
    assert exported() == before
    assert [name.startswith(model.sha256[:16]) for name in before] == [True]
    assert again.model_id == model.model_id
    assert not [p for p in exports.iterdir() if p.name.startswith(".export-")]


def test_another_input_or_confidence_is_another_model(
    model: OpenVinoDetector, weights: Path, exports: Path
) -> None:
    other = open_detector(weights, exports, device="cpu", input_hw=INPUT_HW, confidence=0.4, precision="f32")
    assert other.model_id != model.model_id
    assert other.sha256 == model.sha256
    assert other.input_hw == INPUT_HW


@pytest.mark.slow
def test_both_ways_to_run_the_model_agree(
    model: OpenVinoDetector, weights: Path, exports: Path, bus: Image
) -> None:
    torch: Detector = TorchDetector(weights, exports, device="cpu")
    for image in (bus, bus[200:800]):
        (a,), (b,) = model.detect([image]), torch.detect([image])
        assert_same(a, b, tolerance=0.02)


COLD_RUN = """
import json, socket, sys
tried = []
def refuse(*arguments, **_):
    tried.append(repr(arguments[:2]))
    raise OSError("this test has no network")
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = socket.create_connection = refuse
import subprocess
started = []
run = subprocess.Popen.__init__
def note(self, command, *arguments, **settings):
    started.append(str(command))
    run(self, command, *arguments, **settings)
subprocess.Popen.__init__ = note
from pathlib import Path
import cv2
from detector.inference.detector import OpenVinoDetector, TorchDetector
picture = cv2.imread(sys.argv[3])
found = OpenVinoDetector(Path(sys.argv[1]), Path(sys.argv[2]), threads=1).detect([picture])
found += TorchDetector(Path(sys.argv[1]), Path(sys.argv[2]), device="cpu").detect([picture])
import threading
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(2)
Path(sys.argv[4]).write_text(json.dumps([tried, started, [list(d.labels) for d in found]]))
"""


@pytest.mark.slow
def test_a_first_run_without_a_network_works_and_tries_none(
    weights: Path, bus: Image, tmp_path: Path
) -> None:
    import cv2

    home, told, shot = tmp_path / "home", tmp_path / "told.json", tmp_path / "bus.png"
    home.mkdir()
    cv2.imwrite(str(shot), bus)
    environment = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("YOLO_") and k not in ("CI", "PYTEST_CURRENT_TEST")
    }
    done = subprocess.run(
        [sys.executable, "-c", COLD_RUN, str(weights), str(tmp_path / "cache"), str(shot), str(told)],
        env={**environment, "HOME": str(home)}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tried, started, labels = json.loads(told.read_text())
    assert tried == []
    assert not [command for command in started if "pip" in command or "curl" in command]
    assert "bus" in labels[0]
    assert "bus" in labels[1]
    assert not (home / "intel").exists()


def assert_same(a: Detections, b: Detections, tolerance: float = 1e-3) -> None:
    assert sorted(a.labels) == sorted(b.labels)
    order_a, order_b = np.lexsort(a.boxes.round(1).T), np.lexsort(b.boxes.round(1).T)
    assert a.boxes[order_a] == pytest.approx(b.boxes[order_b], abs=tolerance)
    assert a.confidences[order_a] == pytest.approx(b.confidences[order_b], abs=tolerance)


def test_faint_vehicles_are_kept_where_they_are_asked_for_and_nothing_else_is() -> None:
    least = least_confidences(NAMES, 0.25, faint=True)
    raw = head((100, 100, 40, 30, 1, 0.08), (300, 100, 40, 90, 0, 0.08), (500, 100, 40, 90, 0, 0.5))
    assert sorted(decode_output(raw, NAMES, least, WHOLE).labels) == ["car", "person"]
    assert decode_output(raw, NAMES, 0.25, WHOLE).labels == ("person",)


def test_faint_vehicles_count_only_where_they_are_asked_for() -> None:
    boxes = np.array([[0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.4, 0.4], [0.5, 0.5, 0.6, 0.6]], np.float32)
    found = Detections(("car", "car", "person"), np.array([0.1, 0.5, 0.1], np.float32), boxes)
    assert len(found.of(LabelGroup.VEHICLE)) == 1
    assert len(found.of(LabelGroup.VEHICLE, faint=True)) == 2
    assert found.clear.labels == ("car", "person")

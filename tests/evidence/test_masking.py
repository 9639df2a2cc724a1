"""Masking: who must not be known is not, what concerns the issue stays, and nothing can be brought back."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.geometry import Box
from detector.core.values import Detections, Image, LabelGroup, Violation
from detector.evidence import Captions, annotated
from detector.evidence.drawing import closeup, jpeg
from detector.evidence.masking import (
    Placed,
    closeup_placed,
    joined,
    masked,
    picture_rows,
    scene_placed,
    tiles,
)
from detector.inference.detector import OpenVinoDetector

pytest_plugins = ["model_fixture"]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def seen(*found: tuple[str, Box]) -> Detections:
    return Detections(
        tuple(label for label, _ in found),
        np.full(len(found), 0.5, np.float32),
        np.array([box for _, box in found], np.float32).reshape(-1, 4),
    )


def noise(width: int = 640, height: int = 360, seed: int = 1, most: int = 256) -> Image:
    return np.random.default_rng(seed).integers(0, most, (height, width, 3), dtype=np.uint8)


def whole(image: Image, concerned: Box | None = None) -> Placed:
    return Placed((0, len(image)), concerned)


def part(image: Image, box: Box) -> Image:
    height, width = image.shape[:2]
    return image[
        round(box[1] * height) : round(box[3] * height), round(box[0] * width) : round(box[2] * width)
    ]


def test_people_and_other_vehicles_are_blurred_and_the_rest_is_as_it_was() -> None:
    image = noise()
    person, car, umbrella = (0.1, 0.2, 0.15, 0.5), (0.5, 0.5, 0.7, 0.8), (0.8, 0.1, 0.9, 0.2)
    made = masked(image, seen(("person", person), ("car", car), ("umbrella", umbrella)), whole(image))
    for box in (person, car):
        assert cv2.Laplacian(part(made, box), cv2.CV_64F).var() < 5
    assert np.array_equal(part(made, umbrella), part(image, umbrella))
    assert np.array_equal(made[:, :40], image[:, :40])


def test_the_margin_is_blurred_too() -> None:
    image, box = noise(), (0.4, 0.4, 0.6, 0.6)
    made = masked(image, seen(("person", box)), whole(image))
    around = part(made, (0.38, 0.38, 0.62, 0.62))
    assert cv2.Laplacian(around, cv2.CV_64F).var() < 5


def test_the_concerned_vehicle_keeps_every_pixel_however_the_detector_sees_it() -> None:
    image, concerned = noise(), (0.4, 0.4, 0.7, 0.8)
    itself, half, behind = (0.41, 0.39, 0.71, 0.8), (0.42, 0.42, 0.55, 0.75), (0.6, 0.3, 0.9, 0.7)
    made = masked(image, seen(("truck", itself), ("car", half), ("bus", behind)), whole(image, concerned))
    assert np.array_equal(part(made, concerned), part(image, concerned))
    assert not np.array_equal(part(made, (0.72, 0.35, 0.88, 0.65)), part(image, (0.72, 0.35, 0.88, 0.65)))


def test_a_person_before_the_concerned_vehicle_is_blurred_all_the_same() -> None:
    image, concerned, person = noise(), (0.4, 0.4, 0.7, 0.8), (0.5, 0.45, 0.55, 0.75)
    made = masked(image, seen(("car", concerned), ("person", person)), whole(image, concerned))
    assert cv2.Laplacian(part(made, person), cv2.CV_64F).var() < 5


def test_a_fault_of_the_camera_concerns_no_vehicle_so_all_are_blurred() -> None:
    image, car = noise(), (0.4, 0.4, 0.7, 0.8)
    made = masked(image, seen(("car", car)), whole(image))
    assert cv2.Laplacian(part(made, car), cv2.CV_64F).var() < 5


def test_two_plates_of_the_same_colours_look_alike_afterwards() -> None:
    pictures = []
    for text in ("A12345", "B86097"):
        image = np.full((200, 320, 3), 120, np.uint8)
        image[80:120, 100:220] = (160, 60, 20)
        cv2.putText(image, text, (106, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2)
        pictures.append(masked(image, seen(("car", (0.25, 0.3, 0.75, 0.7))), whole(image)).astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() < 24


@given(
    st.integers(40, 200), st.integers(40, 200), st.floats(0, 0.9), st.floats(0, 0.9),
    st.floats(0.005, 1), st.floats(0.005, 1), st.sampled_from(["person", "car", "bicycle"]),
)  # fmt: skip
def test_a_box_anywhere_and_of_any_size_can_be_blurred(
    width: int, height: int, x: float, y: float, wide: float, high: float, label: str
) -> None:
    image = noise(width, height)
    box = (x, y, min(1.0, x + wide), min(1.0, y + high))
    made = masked(image, seen((label, box)), whole(image))
    assert made.shape == image.shape
    inside = part(made, box)
    assert inside.size == 0 or inside.std() < part(image, box).std() + 1


# Where the camera's picture stands in a file


@pytest.mark.parametrize("width", [320, 640, 1280, 1920])
@pytest.mark.parametrize("brightness", [4, 30, 256])
def test_the_picture_is_found_between_its_captions(width: int, brightness: int) -> None:
    image = noise(width, width * 9 // 16, most=brightness)
    rows = (("机动车违停 0505", "p001 人民路东段"), ("Illegal parking", "p001 Renmin Road East"))
    drawn = annotated(image, [(Violation.ILLEGAL_PARKING, (0.4, 0.4, 0.6, 0.6))], (), Captions(rows, rows))
    decoded = np.asarray(cv2.imdecode(np.frombuffer(jpeg(drawn), np.uint8), cv2.IMREAD_COLOR), np.uint8)
    top, bottom = picture_rows(decoded)
    above = annotated(image, [], (), Captions(above=rows)).shape[0] - image.shape[0]
    # JPEG smears the border between noise and a flat bar by some rows.
    assert abs(top - above) <= 6
    assert abs(bottom - above - image.shape[0]) <= 6


def test_a_picture_without_captions_is_taken_whole() -> None:
    assert picture_rows(noise()) == (0, 360)
    assert picture_rows(np.full((90, 160, 3), (28, 24, 22), np.uint8)) == (0, 90)


def test_the_concerned_box_is_found_in_the_close_up() -> None:
    image, box = noise(1280, 720), (0.8, 0.5, 0.95, 0.7)
    captions = Captions((("人行道违停",),), (("2026-01-08 08:00:00",),))
    near, inner = closeup(image, box)
    drawn, scene = annotated(near, [], (), captions), annotated(image, [], (), captions)
    placed = closeup_placed(drawn, scene, box)
    assert placed.concerned == pytest.approx(inner, abs=0.005)
    assert placed.rows[1] - placed.rows[0] == near.shape[0]
    assert scene_placed(scene, box).concerned == box


# Seeing in parts


def test_the_quarters_cover_the_picture_and_boxes_come_back_to_where_they_were() -> None:
    image, found = noise(100, 80), []
    covered = np.zeros((80, 100), bool)
    for tile, (x1, y1, x2, y2) in list(tiles(image)):
        rows, columns = slice(round(y1 * 80), round(y2 * 80)), slice(round(x1 * 100), round(x2 * 100))
        assert np.array_equal(tile, image[rows, columns])
        if (x1, y1, x2, y2) != WHOLE:
            covered[rows, columns] = True
        found.append((seen(("person", (0.0, 0.0, 1.0, 1.0))), (x1, y1, x2, y2)))
    assert covered.all()
    together = joined(found)
    assert len(together) == 5
    assert together.boxes == pytest.approx(np.array([place for _, place in found]), abs=1e-6)


def test_nobody_is_found_any_more_in_a_masked_photo(model: OpenVinoDetector, bus: Image) -> None:
    look: Callable[[Image], Detections] = lambda image: joined(  # noqa: E731
        [(found, place) for (part_, place) in tiles(image) for found in model.detect([part_])]
    )
    before = look(bus)
    assert len(before.of(LabelGroup.PERSON)) >= 3
    concerned = next(box for label, box in zip(before.labels, before.boxes, strict=True) if label == "bus")
    made = masked(bus, before, whole(bus, tuple(float(side) for side in concerned)))
    assert len(model.detect([made])[0].of(LabelGroup.PERSON)) == 0

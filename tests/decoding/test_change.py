"""Which of two pictures holds a thing: on plain ground and on cobbles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.values import Image
from detector.decoding.change import blobs_of, changes, median_of_bytes, stands_out

WH = (240, 160)


def plain() -> Image:
    noise = np.random.default_rng(1).normal(0, 2, (WH[1], WH[0], 1))
    return np.clip(118 + noise.repeat(3, axis=2), 0, 255).astype(np.uint8)


def cobbles() -> Image:
    """Stones some 8 px wide with dark joints: ground with steeper edges than what is left on it."""
    picture = plain()
    for row in range(0, WH[1], 7):
        for x in range(-8 + row % 14 * 4 // 7, WH[0], 9):
            grey = int(120 + 40 * np.sin(x * 12.9 + row * 78.2))
            cv2.rectangle(picture, (x + 1, row + 1), (x + 7, row + 5), (grey, grey, grey), -1)
            cv2.line(picture, (x, row), (x + 8, row), (45, 45, 45), 1)
            cv2.line(picture, (x, row), (x, row + 6), (45, 45, 45), 1)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)


def with_bag(ground: Image, colour: tuple[int, int, int]) -> Image:
    picture = ground.copy()
    cv2.ellipse(picture, (120, 80), (14, 12), 0, 0, 360, colour, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (116, 76), (5, 4), 0, 0, 360, tuple(min(255, v + 12) for v in colour), -1)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)


@pytest.mark.parametrize("ground", [plain, cobbles])
@pytest.mark.parametrize("colour", [(150, 152, 155), (30, 30, 32), (110, 70, 40)])
def test_a_bag_stands_out_of_the_picture_that_holds_it_and_never_of_the_other(ground, colour) -> None:
    empty = np.asarray(cv2.GaussianBlur(ground(), (3, 3), 0), np.uint8)
    holding = with_bag(ground(), colour)
    blob = max(blobs_of(changes(empty, holding)), key=lambda b: b.mask.sum())
    assert stands_out(empty, holding, blob.xyxy, blob.mask)
    assert not stands_out(holding, empty, blob.xyxy, blob.mask)


def test_a_thing_whose_middle_is_as_grey_as_the_ground_is_found_whole() -> None:
    empty = np.asarray(cv2.GaussianBlur(plain(), (3, 3), 0), np.uint8)
    holding = empty.copy()
    cv2.rectangle(holding, (100, 60), (140, 100), (128, 128, 128), -1)
    cv2.rectangle(holding, (100, 60), (140, 66), (200, 200, 200), -1)
    for x in (100, 134):
        cv2.rectangle(holding, (x, 60), (x + 6, 100), (60, 60, 60), -1)
    blob = max(blobs_of(changes(empty, holding)), key=lambda b: b.mask.sum())
    assert blob.filled > 0.9


def test_faint_light_all_around_belongs_to_no_thing() -> None:
    empty = np.asarray(cv2.GaussianBlur(plain(), (3, 3), 0), np.uint8)
    lit = np.clip(empty.astype(np.float32) + 10, 0, 255).astype(np.uint8)
    picture = empty.copy()
    picture[:, 60:180] = with_bag(lit, (30, 30, 32))[:, 60:180]
    blob = max(blobs_of(changes(empty, picture)), key=lambda b: b.mask.sum())
    assert blob.mask.shape[1] < 40


@given(st.binary(min_size=1, max_size=300))
def test_a_median_by_counting_is_numpy_s(content: bytes) -> None:
    values = np.frombuffer(content, np.uint8)
    assert median_of_bytes(values) == float(np.median(values))

"""A place is found again after the camera has drifted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from street import HEIGHT, SPOT, WIDTH, texture

from detector.core.values import Image
from detector.proving.alignment import AGREEING_PX, MEASURED_WH, AlignedPlace

seeds = st.integers(0, 500)
drifts = st.floats(-0.05, 0.05)


def shifted(image: Image, part_x: float, part_y: float) -> Image:
    move = np.array([[1, 0, part_x * WIDTH], [0, 1, part_y * HEIGHT]], np.float32)
    return np.asarray(cv2.warpAffine(image, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8)


@settings(max_examples=25, deadline=None)
@given(seeds, drifts, drifts)
def test_a_place_moves_with_the_view(seed: int, part_x: float, part_y: float) -> None:
    street = texture(seed, WIDTH, HEIGHT)
    found = AlignedPlace.of(street, SPOT).box_in(shifted(street, part_x, part_y))
    wanted = (SPOT[0] + part_x, SPOT[1] + part_y, SPOT[2] + part_x, SPOT[3] + part_y)
    assert found == pytest.approx(wanted, abs=0.006)


@settings(max_examples=25, deadline=None)
@given(seeds, seeds)
@example(31, 133)
def test_a_place_stays_where_another_thing_covers_half_of_a_still_view(seed: int, other: int) -> None:
    street = texture(seed, WIDTH, HEIGHT)
    passing = street.copy()
    passing[:, : WIDTH // 2] = texture(other, WIDTH, HEIGHT)[:, : WIDTH // 2]
    found = AlignedPlace.of(street, SPOT).box_in(passing)
    assert found == pytest.approx(SPOT, abs=AGREEING_PX / MEASURED_WH[1])


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_another_view_is_no_drift(seed: int) -> None:
    street, other = texture(seed, WIDTH, HEIGHT), texture(seed + 1, WIDTH, HEIGHT)
    assert AlignedPlace.of(street, SPOT).box_in(other) == SPOT

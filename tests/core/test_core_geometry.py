"""Boxes and polygons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detector.core.geometry import (
    Box,
    Polygon,
    contact_share,
    ground_contact,
    iou,
    iou_matrix,
    is_same_place,
    median_box,
    polygon_fault,
)

SQUARE: Polygon = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(st.floats(0, 0.9)), draw(st.floats(0, 0.9))
    return (x, y, x + draw(st.floats(0.01, 0.1)), y + draw(st.floats(0.01, 0.1)))


corners = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda c: (c[0] / 12, c[1] / 12))
polygons = st.lists(corners, min_size=3, max_size=7).filter(lambda p: polygon_fault(p) is None).map(tuple)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_within_0_and_1(a: Box, b: Box) -> None:
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert 0.0 <= iou(a, b) <= 1.0
    assert iou(a, a) == pytest.approx(1.0)


@given(st.lists(boxes(), max_size=4), st.lists(boxes(), max_size=4))
def test_the_matrix_of_iou_holds_the_iou_of_each_pair(a: list[Box], b: list[Box]) -> None:
    matrix = iou_matrix(np.array(a).reshape(-1, 4), np.array(b).reshape(-1, 4))
    assert matrix.shape == (len(a), len(b))
    assert matrix.tolist() == [[pytest.approx(iou(x, y), abs=1e-9) for y in b] for x in a]


@given(st.lists(boxes(), min_size=1, max_size=9))
def test_the_median_box_is_that_of_numpy_to_the_last_digit(those: list[Box]) -> None:
    assert list(median_box(those)) == np.median(those, axis=0).tolist()


def test_no_boxes_have_no_median() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        median_box([])


def test_boxes_that_only_touch_share_nothing() -> None:
    assert iou((0, 0, 1, 1), (1, 0, 2, 1)) == 0.0


def test_the_ground_contact_is_the_lower_quarter() -> None:
    assert ground_contact((0.0, 0.0, 1.0, 1.0)) == (0.0, 0.75, 1.0, 1.0)


@given(boxes(), polygons)
def test_a_share_of_ground_lies_within_0_and_1(box: Box, polygon: Polygon) -> None:
    assert 0.0 <= contact_share(box, polygon) <= 1.0


@given(boxes(), polygons, st.integers(0, 6), st.booleans())
def test_a_polygon_is_the_same_whichever_corner_comes_first(
    box: Box, polygon: Polygon, first: int, backwards: bool
) -> None:
    first %= len(polygon)
    turned = (polygon[first:] + polygon[:first])[:: -1 if backwards else 1]
    assert polygon_fault(turned) is None
    assert contact_share(box, turned) == pytest.approx(contact_share(box, polygon), abs=1e-9)


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ((0.3, 0.1, 0.5, 0.7), 1.0),
        ((0.3, 0.7, 0.5, 0.95), 0.0),
        ((0.1, 0.1, 0.3, 0.7), 0.5),
        ((0.9, 0.9, 1.0, 1.0), 0.0),
    ],
)
def test_only_where_an_object_touches_the_ground_counts(box: Box, share: float) -> None:
    assert contact_share(box, SQUARE) == pytest.approx(share)


@pytest.mark.parametrize(
    ("polygon", "what"),
    [
        ([], "0 corners"),
        ([(0, 0), (1, 1)], "2 corners, a polygon needs 3 or more"),
        ([(0, 0), (1, 1), (2, 2)], "one line"),
        ([(0, 0), (1, 0), (0, 0)], "one line"),
        ([(1, 1), (1, 1), (1, 1)], "one line"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "crosses itself"),
        ([(0, 0), (2, 0), (2, 2), (1, 0), (0, 2)], "crosses itself"),
    ],
)
def test_an_unusable_polygon_is_told_in_words(polygon: list[tuple[float, float]], what: str) -> None:
    fault = polygon_fault(polygon)
    assert fault is not None
    assert what in fault


def test_a_polygon_may_repeat_its_first_corner_at_the_end() -> None:
    assert polygon_fault([*SQUARE, SQUARE[0]]) is None


@given(st.lists(corners, min_size=3, max_size=7), boxes())
def test_a_polygon_without_fault_can_be_measured_with(polygon: list[tuple[float, float]], box: Box) -> None:
    assume(polygon_fault(polygon) is None)
    assert contact_share((0.0, -3.0, 1.0, 1.0), tuple(polygon)) > 0


def test_the_whole_view_is_at_one_place_with_itself_alone() -> None:
    box = (0.1, 0.1, 0.3, 0.3)
    assert is_same_place(None, None)
    assert not is_same_place(None, box)
    assert not is_same_place(box, None)
    assert is_same_place(box, (0.12, 0.1, 0.32, 0.3))
    assert not is_same_place(box, (0.25, 0.1, 0.45, 0.3))

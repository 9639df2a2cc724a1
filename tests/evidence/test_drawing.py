"""Zones, boxes and captions on pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.values import Violation
from detector.evidence import Captions, annotated, jpeg
from detector.evidence.captions import still_captions
from detector.evidence.drawing import closeup, colour_of, fit_width

from .conftest import BOX, ZONE, street

SIZES = [(320, 240), (768, 576), (1920, 1080), (200, 400)]
PARKED = [(Violation.ILLEGAL_PARKING, BOX)]


def boxes_of(least: float = 0.01):
    def box(corner, size):
        return (corner[0] * (1 - size[0]), corner[1] * (1 - size[1]),
                corner[0] * (1 - size[0]) + size[0], corner[1] * (1 - size[1]) + size[1])  # fmt: skip

    pairs = st.tuples(st.floats(0, 1), st.floats(0, 1)), st.tuples(st.floats(least, 1), st.floats(least, 1))
    return st.builds(box, *pairs)


@pytest.mark.parametrize("size", SIZES)
def test_captions_stand_beside_the_picture_and_the_object_keeps_its_pixels(proof, scene, size) -> None:
    image = street(*size)
    captions = still_captions(proof, scene, 1)
    drawn = annotated(image, PARKED, [ZONE], captions)
    above = annotated(image, [], [], Captions(above=captions.above, violation=captions.violation))
    top = above.shape[0] - image.shape[0]
    assert drawn.shape[1] == image.shape[1]
    assert drawn.shape[0] > top + image.shape[0]
    picture = drawn[top : top + image.shape[0]]
    rows = slice(round(BOX[1] * size[1]) + 2, round(BOX[3] * size[1]) - 2)
    columns = slice(round(BOX[0] * size[0]) + 2, round(BOX[2] * size[0]) - 2)
    assert (picture[rows, columns] == image[rows, columns]).all()


def test_without_anything_to_draw_the_picture_is_as_it_was_and_the_given_one_is_never_changed() -> None:
    image = street()
    before = image.copy()
    assert (annotated(image, [], [], Captions()) == image).all()
    annotated(image, PARKED, [ZONE], Captions(above=(("x",),)))
    assert (image == before).all()


def test_a_zone_shows_what_lies_under_it() -> None:
    image = street()
    drawn = annotated(image, [], [ZONE], Captions())
    inside = (slice(100, 180), slice(140, 250))
    assert (drawn[inside] != image[inside]).any()
    assert np.corrcoef(drawn[inside][..., 2].ravel(), image[inside][..., 2].ravel())[0, 1] > 0.99


@pytest.mark.parametrize("brightness", [4, 120, 255])
def test_a_box_stands_out_by_day_and_by_night(brightness) -> None:
    for violation in Violation:
        colour = colour_of(violation)
        drawn = annotated(street(brightness=brightness), [(violation, BOX)], [], Captions())
        assert (drawn == colour).all(axis=2).sum() > 100
        assert (drawn == 0).all(axis=2).sum() > 100


@given(box=boxes_of())
def test_every_box_is_visible_on_all_four_sides_even_at_the_edge(box) -> None:
    drawn = annotated(np.full((240, 320, 3), 99, np.uint8), [(Violation.LITTER, box)], [], Captions())
    rows, columns = np.nonzero((drawn == colour_of(Violation.LITTER)).all(axis=2))
    assert rows.min() <= box[1] * 240 + 1
    assert rows.max() >= box[3] * 240 - 2
    assert columns.min() <= box[0] * 320 + 1
    assert columns.max() >= box[2] * 320 - 2


@given(box=boxes_of(least=0.02), size=st.sampled_from(SIZES))
def test_a_closeup_holds_the_whole_box_and_is_of_a_pleasant_size(box, size) -> None:
    near, inner = closeup(np.zeros((size[1], size[0], 3), np.uint8), box)
    assert 640 <= max(near.shape[:2]) <= 1280
    assert all(-0.02 <= side <= 1.02 for side in inner)
    assert inner[2] > inner[0]
    assert inner[3] > inner[1]


def test_a_closeup_shows_the_object_where_its_box_says() -> None:
    near, inner = closeup(street(768, 576), BOX)
    height, width = near.shape[:2]
    reddish = (near[..., 2].astype(int) - near[..., 1]) > 120
    rows, columns = np.nonzero(reddish)
    found = (
        columns.min() / width,
        rows.min() / height,
        (columns.max() + 1) / width,
        (rows.max() + 1) / height,
    )
    assert np.allclose(found, inner, atol=0.02)


def test_a_wide_picture_is_made_smaller_and_a_narrow_one_left_alone() -> None:
    assert fit_width(np.zeros((1440, 2560, 3), np.uint8), 1920).shape == (1080, 1920, 3)
    image = street()
    assert fit_width(image, 1920) is image


def test_a_jpeg_can_be_read_again() -> None:
    again = cv2.imdecode(np.frombuffer(jpeg(street()), np.uint8), cv2.IMREAD_COLOR)
    assert again.shape == (240, 320, 3)

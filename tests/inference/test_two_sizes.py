"""One model at two sizes of its input: what both find is one list without doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.core.geometry import Box
from detector.core.values import NO_DETECTIONS, Detections, Image
from detector.inference.detector import Detector
from detector.inference.two_sizes import SAME_CONTAINED, SAME_IOU, AtTwoSizes, merged

SMALL = (0.10, 0.10, 0.12, 0.12)
LARGE = (0.40, 0.40, 0.80, 0.90)
PICTURE = np.zeros((36, 64, 3), np.uint8)


def rubbish(*found: tuple[Box, float]) -> Detections:
    if not found:
        return NO_DETECTIONS
    boxes = np.array([box for box, _ in found], np.float32)
    return Detections(("rubbish",) * len(found), np.array([c for _, c in found], np.float32), boxes)


@dataclass(frozen=True)
class Fixed:
    """A detector with one answer."""

    answer: Detections
    input_hw: tuple[int, int]
    model_id: str = "model"
    sha256: str = "0"

    @property
    def verifier(self) -> Detector:
        return self

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        return [self.answer for _ in images]


def test_what_only_one_size_shows_is_found() -> None:
    both = AtTwoSizes(Fixed(rubbish((SMALL, 0.6)), (1088, 1920)), Fixed(rubbish((LARGE, 0.9)), (384, 640)))
    found = both.detect([PICTURE, PICTURE])
    assert [one.confidences.tolist() for one in found] == [
        rubbish((LARGE, 0.9), (SMALL, 0.6)).confidences.tolist()
    ] * 2
    assert both.input_hw == (1088, 1920)
    assert "384x640" in both.model_id


def test_of_one_object_at_both_sizes_the_box_with_more_confidence_is_kept() -> None:
    part = (0.45, 0.50, 0.60, 0.70)
    for whole_confidence, part_confidence in ((0.9, 0.6), (0.6, 0.9)):
        found = merged(rubbish((part, part_confidence)), rubbish((LARGE, whole_confidence)))
        assert found.confidences.tolist() == [np.float32(0.9)]


def test_nothing_at_both_sizes_is_nothing() -> None:
    assert merged(NO_DETECTIONS, NO_DETECTIONS) == NO_DETECTIONS


corner = st.floats(0, 0.5)
side = st.floats(0.05, 0.5)
things = st.lists(
    st.tuples(
        st.tuples(corner, corner, side, side).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])),
        st.floats(0.05, 1),
    ),
    max_size=6,
)


@given(things, things)
def test_no_two_boxes_of_one_object_are_kept_and_the_surest_always_is(
    a: list[tuple[Box, float]], b: list[tuple[Box, float]]
) -> None:
    found = merged(rubbish(*a), rubbish(*b))
    highest = sorted((confidence for _, confidence in (*a, *b)), reverse=True)[:1]
    assert found.confidences.tolist()[:1] == [np.float32(confidence) for confidence in highest]
    again = merged(found, NO_DETECTIONS)
    assert again.confidences.tolist() == found.confidences.tolist()
    assert SAME_IOU < SAME_CONTAINED

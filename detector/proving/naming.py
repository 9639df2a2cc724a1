"""How surely an object that stands is a vehicle: the model's word at several moments and at several sizes.

The whole picture is scaled down for the model, and one size of an object suits it better than another. What a vehicle
is, the model names at most sizes; what only resembles one (a board, a sign, a traffic island), at one size. So the
object is cut out of the picture as recorded, shown at several sizes, and the middle one of the sizes counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median

import cv2
import numpy as np

from detector.core.geometry import Box, iou
from detector.core.values import LABEL_GROUPS, Image, LabelGroup
from detector.inference.detector import Detector

SHOWN_WIDTHS_PX = (60.0, 100.0, 160.0)
"""Widths in pixels at which the object is shown to the model."""

LARGEST_ENLARGEMENT = 3.0
"""An object is not enlarged beyond this factor: the model was trained on few enlarged pictures."""

SAME_BOX_IOU = 0.45
"""A detection names the object if its box overlaps the object's by this IoU."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

CONFUSED_WEIGHT = 0.5
"""Weight of a label that vehicles are confused with (boat, train, airplane, cell phone)."""


def vehicle_certainty(pictures: Iterable[Image], box: Box, detector: Detector) -> float:
    """How surely the object in a box is a vehicle, in [0, 1]; 0 without a picture.

    The detector's `verifier` is asked. `box` is in [0, 1] of the pictures, which are height x width x 3, BGR, uint8. At each size the certainties of all
    pictures are averaged; the median over the sizes is returned.
    """
    verifier = detector.verifier
    by_size: list[list[float]] = [[] for _ in SHOWN_WIDTHS_PX]
    for picture in pictures:
        for certainties, width_px in zip(by_size, SHOWN_WIDTHS_PX, strict=True):
            certainties.append(_certainty(picture, box, width_px, verifier))
    return median(fmean(certainties) for certainties in by_size) if by_size[0] else 0.0


def _certainty(picture: Image, box: Box, width_px: float, detector: Detector) -> float:
    """The probability that one of the labels is right that the model gives the object, shown at a width."""
    shown, own = _shown(picture, box, width_px, detector.input_hw)
    found = detector.detect([shown], WHOLE)[0].of(LabelGroup.VEHICLE, mistaken=True, faint=True)
    best: dict[str, float] = {}
    for label, confidence, row in zip(found.labels, found.confidences, found.boxes.tolist(), strict=True):
        if iou(own, (row[0], row[1], row[2], row[3])) >= SAME_BOX_IOU:
            weight = 1.0 if label in LABEL_GROUPS else CONFUSED_WEIGHT
            best[label] = max(best.get(label, 0.0), weight * float(confidence))
    return 1.0 - float(np.prod([1.0 - confidence for confidence in best.values()]))


def _shown(picture: Image, box: Box, width_px: float, input_hw: Sequence[int]) -> tuple[Image, Box]:
    """The picture around a box, scaled so that the box is `width_px` wide, and the box in [0, 1] of it."""
    height, width = picture.shape[:2]
    scale = min(LARGEST_ENLARGEMENT, width_px / max(1.0, (box[2] - box[0]) * width))
    cut_w, cut_h = min(width, round(input_hw[1] / scale)), min(height, round(input_hw[0] / scale))
    left = _start((box[0] + box[2]) / 2 * width, cut_w, width)
    top = _start((box[1] + box[3]) / 2 * height, cut_h, height)
    cut = np.ascontiguousarray(picture[top : top + cut_h, left : left + cut_w])
    scale = min(input_hw[1] / cut_w, input_hw[0] / cut_h)
    if scale > 1:
        size = (round(cut_w * scale), round(cut_h * scale))
        cut = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    own = (
        (box[0] * width - left) / cut_w,
        (box[1] * height - top) / cut_h,
        (box[2] * width - left) / cut_w,
        (box[3] * height - top) / cut_h,
    )
    return cut, own


def _start(middle: float, length: int, whole: int) -> int:
    """Where a stretch of `length` pixels around `middle` begins so that it lies in [0, whole)."""
    return min(max(0, round(middle - length / 2)), whole - length)

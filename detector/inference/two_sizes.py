"""One model at two sizes of its input: small objects in the enlarged picture, large ones in the picture as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box, FloatArray, contained_matrix, iou_matrix
from detector.core.values import NO_DETECTIONS, Detections, Image
from detector.inference.detector import Detector

SAME_IOU = 0.5
SAME_CONTAINED = 0.7
"""Two boxes are of one object from this IoU on, or where this share of the smaller one lies inside the larger one."""


@dataclass(frozen=True, slots=True)
class AtTwoSizes:
    """A detector that looks at every picture with a large and with a small input.

    A network finds objects up to about the size it was trained on: a bag that fills a quarter of the picture is not
    found where the picture is enlarged three times. Of boxes of one object the one with the highest confidence is kept.
    """

    large: Detector
    small: Detector

    @property
    def model_id(self) -> str:
        return f"{self.large.model_id}|and at {'x'.join(map(str, self.small.input_hw))}"

    @property
    def sha256(self) -> str:
        return self.large.sha256

    @property
    def input_hw(self) -> tuple[int, int]:
        return self.large.input_hw

    @property
    def verifier(self) -> Detector:
        return self

    def detect(self, images: Sequence[Image], part: Box | None = None) -> list[Detections]:
        looks = zip(self.large.detect(images, part), self.small.detect(images, part), strict=True)
        return [merged(fine, coarse) for fine, coarse in looks]


def merged(a: Detections, b: Detections) -> Detections:
    """Both as one, in falling order of confidence, each object once."""
    if not len(a.labels) + len(b.labels):
        return NO_DETECTIONS
    labels = (*a.labels, *b.labels)
    confidences = np.concatenate([a.confidences, b.confidences])
    boxes = np.concatenate([a.boxes, b.boxes])
    same = _same_object(boxes)
    kept: list[int] = []
    for index in np.argsort(-confidences, kind="stable").tolist():
        if not same[index, kept].any():
            kept.append(index)
    return Detections(tuple(labels[i] for i in kept), confidences[kept], boxes[kept])


def _same_object(boxes: FloatArray) -> npt.NDArray[np.bool_]:
    """Which pairs of boxes are of one object, shape (n, n)."""
    overlap = iou_matrix(boxes, boxes) >= SAME_IOU
    return np.asarray(overlap | (contained_matrix(boxes, boxes) >= SAME_CONTAINED))

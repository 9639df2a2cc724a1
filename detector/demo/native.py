"""How surely a detector sees one vehicle in a crop of a picture at its own resolution."""

from __future__ import annotations

from typing import Final

import numpy as np

from detector.core.geometry import Box, iou
from detector.core.values import Image
from detector.inference.detector import Detector

CROP_WH: Final = (640, 384)
"""Size of the crop in pixels of the picture: what the model sees without scaling."""

SAME_IOU: Final = 0.4
"""A detection with this much overlap, or more, is of the vehicle."""

VEHICLES: Final = frozenset({"car", "truck", "bus"})

SURE: Final = 0.4
"""A standing vehicle counts for the figures from this confidence on."""


def native_confidence(picture: Image, box: Box, detector: Detector) -> float:
    """The highest confidence of a vehicle at `box` in a crop of CROP_WH around it; 0 where none is seen.

    `picture` is height x width x 3, BGR, uint8; `box` is xyxy in [0, 1] of it.
    """
    height, width = picture.shape[:2]
    x1, y1 = _crop_at(box[0] + box[2], CROP_WH[0], width), _crop_at(box[1] + box[3], CROP_WH[1], height)
    crop = np.ascontiguousarray(picture[y1 : y1 + CROP_WH[1], x1 : x1 + CROP_WH[0]])
    high, wide = crop.shape[:2]
    own = (
        (box[0] * width - x1) / wide, (box[1] * height - y1) / high,
        (box[2] * width - x1) / wide, (box[3] * height - y1) / high,
    )  # fmt: skip
    found = detector.detect([crop])[0]
    seen = [
        float(score)
        for label, score, other in zip(found.labels, found.confidences, found.boxes, strict=True)
        if label in VEHICLES and iou(own, tuple(float(v) for v in other)) >= SAME_IOU  # type: ignore[arg-type]
    ]
    return max(seen, default=0.0)


def _crop_at(twice_middle: float, side: int, full: int) -> int:
    """Where a crop of `side` around a middle in [0, 1], given doubled, begins inside a picture of `full` pixels."""
    return max(0, min(round(twice_middle / 2 * full - side / 2), full - side))

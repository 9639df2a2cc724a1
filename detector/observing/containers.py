"""Street containers, each looked at by itself at the camera's own resolution: how probable it is that it overflows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.core.errors import BadInput
from detector.core.geometry import Box, widened
from detector.core.values import NO_DETECTIONS, Detections, Frame, Image
from detector.inference.second import BIN_MARGIN, BinJudge

LABEL = "bin"
"""Of the answer about a container: the confidence is the probability that it overflows, the box is the zone's."""


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of one camera, and what judges them."""

    judge: BinJudge
    boxes: tuple[Box, ...]
    """The bounds of the zones that are drawn round them, in [0, 1]."""

    def look(self, frame: Frame) -> Detections:
        """The probability for each container, as a detection; one that is too small in the picture has none."""
        found = [(box, p) for box in self.boxes if (p := self._dirty(frame, box)) is not None]
        if not found:
            return NO_DETECTIONS
        boxes, probabilities = zip(*found, strict=True)
        return Detections(
            (LABEL,) * len(found), np.array(probabilities, np.float32), np.array(boxes, np.float32)
        )

    def _dirty(self, frame: Frame, box: Box) -> float | None:
        try:
            return self.judge.dirty(part_of(frame, box))
        except BadInput:  # too few pixels to say anything
            return None


def part_of(frame: Frame, box: Box) -> Image:
    """A container with a margin around it, at the camera's own resolution where the frame still holds that."""
    native, (height, width) = frame.native, frame.image.shape[:2]
    if native is not None:
        width, height = native.wh
    x1, y1, x2, y2 = _pixels(widened(box, BIN_MARGIN), width, height)
    return native.crop(x1, y1, x2, y2) if native is not None else frame.image[y1:y2, x1:x2]


def _pixels(box: Box, width: int, height: int) -> Sequence[int]:
    sides = (width, height, width, height)
    return [round(float(np.clip(edge, 0, 1)) * side) for edge, side in zip(box, sides, strict=True)]

"""Where a place of the picture lies after the camera has drifted: a pole bends, a mount sinks by some pixels a minute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box
from detector.core.values import Image
from detector.proving.likeness import Place, place_of
from detector.proving.looker import Seen

MEASURED_WH = (256, 144)
"""Width and height in pixels of the grey pictures that are compared."""

LARGEST_DRIFT = 0.08
"""A shift by a larger part of the picture's width or height is another view and no drift."""

LEAST_DRIFT_PX = 0.3
"""A smaller shift, in pixels of MEASURED_WH, is measurement noise."""

QUARTERS = tuple((x, y) for x in (0, MEASURED_WH[0] // 2) for y in (0, MEASURED_WH[1] // 2))
"""Left and top, in pixels, of the four parts that are compared by themselves."""

AGREEING_QUARTERS = 3
AGREEING_PX = 0.75
"""A shift counts where this many quarters agree on it within AGREEING_PX."""

Edges = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AlignedPlace:
    """A box of one reference picture, found again in other pictures of the same camera by the shift of the whole view."""

    box: Box
    reference: Edges

    @classmethod
    def of(cls, reference: Image, box: Box) -> AlignedPlace:
        """`reference` is height x width x 3, BGR, uint8; `box` is in [0, 1] of it."""
        return cls(box, _edges(reference))

    def box_in(self, image: Image) -> Box:
        """The box in [0, 1] of another picture."""
        dx, dy = view_shift(self.reference, _edges(image))
        x1, y1, x2, y2 = self.box
        return (x1 + dx, y1 + dy, x2 + dx, y2 + dy)

    def patch_in(self, seen: Seen | None) -> Place | None:
        """What the place shows in a picture; None without one."""
        return place_of(seen.frame.image, self.box_in(seen.frame.image)) if seen else None


def view_shift(reference: Edges, edges: Edges) -> tuple[float, float]:
    """By which part of the width and height a picture is shifted against the reference; (0, 0) where nothing says so.

    By phase correlation (Kuglin and Hines 1975) of each quarter of the picture: a bus that drives past shifts one or
    two of them, a camera that drifts shifts them all.
    """
    shifts = np.array([_quarter_shift(reference, edges, *corner) for corner in QUARTERS])
    agreeing = shifts[np.abs(shifts - np.median(shifts, axis=0)).max(axis=1) <= AGREEING_PX]
    if len(agreeing) < AGREEING_QUARTERS:
        return 0.0, 0.0
    dx, dy = np.median(agreeing, axis=0)
    part_x, part_y = dx / MEASURED_WH[0], dy / MEASURED_WH[1]
    if max(abs(dx), abs(dy)) < LEAST_DRIFT_PX:
        return 0.0, 0.0
    if max(abs(part_x), abs(part_y)) > LARGEST_DRIFT:
        return 0.0, 0.0
    return float(part_x), float(part_y)


def _quarter_shift(reference: Edges, edges: Edges, left: int, top: int) -> tuple[float, float]:
    width, height = MEASURED_WH[0] // 2, MEASURED_WH[1] // 2
    part = np.s_[top : top + height, left : left + width]
    (dx, dy), _ = cv2.phaseCorrelate(
        np.ascontiguousarray(reference[part]), np.ascontiguousarray(edges[part]), _window(width, height)
    )
    return dx, dy


@cache
def _window(width: int, height: int) -> Edges:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)


def _edges(image: Image) -> Edges:
    while image.shape[1] % 2 == image.shape[0] % 2 == 0 and image.shape[1] >= 2 * MEASURED_WH[0]:
        # A factor of two takes a tenth of the time of an area mean by a fractional factor over the whole picture.
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
    grey = cv2.cvtColor(cv2.resize(image, MEASURED_WH, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    dx, dy = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(dx, dy), np.float32)

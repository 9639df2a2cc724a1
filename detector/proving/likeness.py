"""How alike one place looks in two pictures, light and passers-by aside."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box
from detector.core.values import Image

PATCH_PX = 64
"""Side of the square that a place is scaled to."""

BLOCKS = 4
"""The patch is compared in BLOCKS x BLOCKS parts, so that something in front of a part spoils that part only."""

SHIFT_PX = 2
"""A camera on a pole sways: the best match within so many patch pixels counts."""

FLAT = 4.0
"""A block whose grey values spread less than this (standard deviation) says nothing."""

ALIKE_BLOCK = 0.6
"""Correlation from which two blocks show the same structure."""

COLOUR_APART = 14.0
"""Two blocks whose mean colours (a and b of CIELAB, 8 bit) lie further apart are of differently painted things."""

COLOURLESS = 2.0
"""Mean colour (distance from grey in CIELAB, 8 bit) below which a picture is black and white."""

LIGHT_APART = 0.3
"""Two blocks whose mean lightness, each against its whole picture, differs by a larger part are so as well."""

LIGHT_FLOOR = 12.0
"""Differences of mean lightness up to this many grey levels count for nothing, least of all at night."""

Patch = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """One box of one picture: CIELAB, 8 bit, as float32, square with a margin; and what the whole picture is like."""

    patch: Patch
    surroundings: float
    """The whole picture's mean grey."""
    colourful: bool
    """Cameras turn to grey at night; such a picture says nothing of colours."""


def place_of(image: Image, box: Box) -> Place:
    """The patch under a box given in [0, 1], with a margin for sway."""
    height, width = image.shape[:2]
    margin_x = (box[2] - box[0]) * SHIFT_PX / PATCH_PX
    margin_y = (box[3] - box[1]) * SHIFT_PX / PATCH_PX
    x1, x2 = (box[0] - margin_x) * width, (box[2] + margin_x) * width
    y1, y2 = (box[1] - margin_y) * height, (box[3] + margin_y) * height
    side = PATCH_PX + 2 * SHIFT_PX
    scale = np.array([[(x2 - x1) / side, 0, x1], [0, (y2 - y1) / side, y1]], dtype=np.float32)
    smooth = _smoothed(image, x1, y1, x2, y2)
    method = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(smooth, scale, (side, side), flags=method, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(patch, cv2.COLOR_BGR2LAB).astype(np.float32)
    sample = np.ascontiguousarray(image[::8, ::8])
    tint = cv2.cvtColor(sample, cv2.COLOR_BGR2LAB)[..., 1:].astype(np.float32) - 128
    colourful = float(np.hypot(tint[..., 0], tint[..., 1]).mean()) >= COLOURLESS
    return Place(lab, max(1.0, float(sample.mean())), colourful)


def likeness(reference: Place, other: Place) -> float:
    """Which part of the reference's blocks is found again in the other picture, in [0, 1].

    A block is found again when its structure correlates (mean and contrast removed, so that a cloud or a headlight
    changes little) and its paint is the same: colour, and lightness against the whole picture. All blocks are
    compared at the one shift that suits the whole patch best. Blocks without structure say nothing; a reference
    without any gives 0. A block of the same structure in another colour speaks against the object and
    cancels one that was found, if there are more of them than a strip along one side touches: what hides an object shows no structure of it, but another car of its make does.
    """
    core = reference.patch[SHIFT_PX:-SHIFT_PX, SHIFT_PX:-SHIFT_PX]
    grey = np.ascontiguousarray(core[..., 0])
    if grey.std() < FLAT / 2:
        return 0.0
    whole = cv2.matchTemplate(np.ascontiguousarray(other.patch[..., 0]), grey, cv2.TM_CCOEFF_NORMED)
    dy, dx = np.unravel_index(int(np.argmax(whole)), whole.shape)
    moved = other.patch[dy : dy + PATCH_PX, dx : dx + PATCH_PX]
    light = reference.surroundings / other.surroundings
    side = PATCH_PX // BLOCKS
    in_colour = reference.colourful and other.colourful
    compared, found, repainted = 0, 0, 0
    for y in range(0, PATCH_PX, side):
        for x in range(0, PATCH_PX, side):
            a, b = core[y : y + side, x : x + side], moved[y : y + side, x : x + side]
            if float(a[..., 0].std()) < FLAT:
                continue
            compared += 1
            if _correlation(a[..., 0], b[..., 0]) >= ALIKE_BLOCK:
                if in_colour and _colours_apart(a, b):
                    repainted += 1
                else:
                    found += _same_lightness(a, b, light)
    if repainted > BLOCKS:
        found -= repainted
    return max(0, found) / compared if compared else float(max(0.0, whole.max()))


def _colours_apart(a: Patch, b: Patch) -> bool:
    return float(np.hypot(*(a[..., 1:].mean(axis=(0, 1)) - b[..., 1:].mean(axis=(0, 1))))) > COLOUR_APART


def _same_lightness(a: Patch, b: Patch, light: float) -> bool:
    """Whether two blocks are equally light; `light` is how much brighter the first one's whole picture is."""
    own, lit = float(a[..., 0].mean()), float(b[..., 0].mean()) * light
    return abs(own - lit) <= LIGHT_FLOOR + LIGHT_APART * max(own, lit)


def _correlation(a: Patch, b: Patch) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / size if size > 1e-6 else 0.0


def _smoothed(image: Image, x1: float, y1: float, x2: float, y2: float) -> Image:
    """The picture, averaged where the box is larger than the patch, so that shrinking it does not pick single pixels."""
    shrink = max(x2 - x1, y2 - y1) / PATCH_PX
    if shrink <= 1.5:
        return image
    kernel = int(shrink) | 1
    return cv2.blur(image, (kernel, kernel)).astype(np.uint8, copy=False)

"""How alike one place looks in two pictures, light and passers-by aside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box, FloatArray
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

PAINT_COLOUR = 2.4
"""Median distance of colours (a and b of CIELAB, 8 bit), tint aside, from which paint is another, or its light."""

PAINT_LIGHT = 6.0
PAINT_LIGHT_SHARE = 0.06
"""Likewise of lightness: so many grey levels, and such a part of the paint's own lightness."""

LEAST_BLOCKS = 4
"""Paint is compared where so many blocks have the same structure."""

HIDDEN_BLOCK = 0.25
"""Part of a block's area, in [0, 1], from which on something in front of it hides the block."""

Patch = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """One box of one picture: CIELAB, 8 bit, as float32, square with a margin; and what the whole picture is like."""

    patch: Patch
    surroundings: float
    """The whole picture's mean grey."""
    tint: tuple[float, float]
    """The whole picture's mean colour, as distance from grey in a and b of CIELAB, 8 bit."""
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
    smooth, left, top = _smoothed(image, x1, y1, x2, y2)
    scale = np.array([[(x2 - x1) / side, 0, x1], [0, (y2 - y1) / side, y1]], dtype=np.float32)
    scale[:, 2] -= (left, top)
    method = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(smooth, scale, (side, side), flags=method, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(patch, cv2.COLOR_BGR2LAB).astype(np.float32)
    sample = _every_eighth(image)
    a, b = (
        np.subtract(channel, 128, dtype=np.float32)
        for channel in cv2.split(cv2.cvtColor(sample, cv2.COLOR_BGR2LAB))[1:]
    )
    colourful = cv2.mean(cv2.magnitude(a, b))[0] >= COLOURLESS
    mean = cv2.norm(sample, cv2.NORM_L1) / sample.size
    return Place(lab, max(1.0, mean), (cv2.mean(a)[0], cv2.mean(b)[0]), colourful)


def _every_eighth(image: Image) -> Image:
    """Every eighth pixel of every eighth row; where they come out even, in a quarter of the time."""
    height, width = image.shape[:2]
    if height % 8 or width % 8:
        return np.ascontiguousarray(image[::8, ::8])
    return np.asarray(cv2.resize(image, (width // 8, height // 8), interpolation=cv2.INTER_NEAREST), np.uint8)


def likeness(reference: Place, other: Place, visible: npt.NDArray[np.bool_] | None = None) -> float:
    """Which part of the reference's blocks is found again in the other picture, in [0, 1].

    `visible`, of shape (BLOCKS * BLOCKS,), leaves blocks out that something hides in the other picture.

    A block is found again when its structure correlates (mean and contrast removed, so that a cloud or a headlight
    changes little) and its paint is the same: colour, and lightness against the whole picture. All blocks are
    compared at the one shift that suits the whole patch best. Blocks without structure say nothing; a reference
    without any gives 0. A block of the same structure in another colour speaks against the object and
    cancels one that was found, if there are more of them than a strip along one side touches: what hides an object shows no structure of it, but another car of its make does.
    """
    if float(_core(reference)[..., 0].std()) < FLAT / 2:
        return 0.0
    best, own, moved = _laid_over(reference, other, visible)
    if not len(own):
        return max(0.0, best) if visible is None else 0.0
    alike = _correlations(own, moved) >= ALIKE_BLOCK
    own_means, means = own.mean(axis=1), moved.mean(axis=1)
    repainted = np.zeros_like(alike)
    if reference.colourful and other.colourful:
        repainted = alike & (np.hypot(*(own_means - means)[:, 1:].T) > COLOUR_APART)
    lit = means[:, 0] * (reference.surroundings / other.surroundings)
    same_lightness = np.abs(own_means[:, 0] - lit) <= LIGHT_FLOOR + LIGHT_APART * np.maximum(
        own_means[:, 0], lit
    )
    found = int((alike & ~repainted & same_lightness).sum())
    if (count := int(repainted.sum())) > BLOCKS:
        found -= count
    return max(0, found) / len(own)


def visible_blocks(box: Box, covers: FloatArray) -> npt.NDArray[np.bool_]:
    """Which blocks of a place boxes leave open to view, shape (BLOCKS * BLOCKS,).

    `box` is the place in [0, 1]; `covers` holds xyxy boxes in [0, 1], shape (n, 4). A block counts as hidden from
    HIDDEN_BLOCK of its area on.
    """
    steps = np.linspace(0, 1, BLOCKS + 1)
    xs, ys = (low + steps * (high - low) for low, high in ((box[0], box[2]), (box[1], box[3])))
    x1, y1 = (grid.ravel() for grid in np.meshgrid(xs[:-1], ys[:-1]))
    x2, y2 = (grid.ravel() for grid in np.meshgrid(xs[1:], ys[1:]))
    open_to_view = np.ones(BLOCKS * BLOCKS, np.bool_)
    for cx1, cy1, cx2, cy2 in covers:
        width = np.clip(np.minimum(x2, cx2) - np.maximum(x1, cx1), 0, None)
        height = np.clip(np.minimum(y2, cy2) - np.maximum(y1, cy1), 0, None)
        open_to_view &= width * height < HIDDEN_BLOCK * (x2 - x1) * (y2 - y1)
    return open_to_view


def paint_apart(reference: Place, other: Place) -> float:
    """How differently the same structure is painted, light and tint of the whole pictures aside; 0 where too little is alike.

    From 1 on it is more than noise and compression make of one vehicle (measured: 0.8 at the most; of vehicles of one
    make in two colours 1.1 and more, by day and by night). A cloud or a lamp may make as much of one vehicle, so this
    alone says nothing of two pictures far apart.
    """
    _, own, moved = _laid_over(reference, other)
    alike = _correlations(own, moved) >= ALIKE_BLOCK
    if alike.sum() < LEAST_BLOCKS:
        return 0.0
    first, second = own[alike].mean(axis=1), moved[alike].mean(axis=1)
    lightness = np.abs(first[:, 0] - second[:, 0] * reference.surroundings / other.surroundings)
    apart = float(np.median(lightness)) / (PAINT_LIGHT + PAINT_LIGHT_SHARE * float(np.median(first[:, 0])))
    if reference.colourful and other.colourful:
        tint = np.array(reference.tint) - np.array(other.tint)
        colours = np.hypot(*(first[:, 1:] - second[:, 1:] - tint).T)
        apart = max(apart, float(np.median(colours)) / PAINT_COLOUR)
    return apart


def _core(place: Place) -> Patch:
    return place.patch[SHIFT_PX:-SHIFT_PX, SHIFT_PX:-SHIFT_PX]


def _laid_over(
    reference: Place, other: Place, visible: npt.NDArray[np.bool_] | None = None
) -> tuple[float, Patch, Patch]:
    """The best correlation of two places within the shift, and their blocks there where the reference has structure.

    Where blocks are hidden, the shift is not searched: what hides them would mislead it.

    Blocks are given as blocks x pixels x channels.
    """
    core = _core(reference)
    grey = np.ascontiguousarray(core[..., 0])
    whole = cv2.matchTemplate(np.ascontiguousarray(other.patch[..., 0]), grey, cv2.TM_CCOEFF_NORMED)
    dy, dx = np.unravel_index(int(np.argmax(whole)), whole.shape) if visible is None else (SHIFT_PX, SHIFT_PX)
    own, moved = _blocks(core), _blocks(other.patch[dy : dy + PATCH_PX, dx : dx + PATCH_PX])
    structured = own[..., 0].std(axis=1) >= FLAT
    if visible is not None:
        structured &= visible
    return float(whole.max()), own[structured], moved[structured]


def _blocks(patch: Patch) -> Patch:
    side = PATCH_PX // BLOCKS
    rows = patch.reshape(BLOCKS, side, BLOCKS, side, 3).swapaxes(1, 2)
    return np.asarray(rows.reshape(BLOCKS * BLOCKS, side * side, 3))


def _correlations(a: Patch, b: Patch) -> Patch:
    """Block by block, of the grey values; 0 where one of both is flat."""
    a, b = (grey - grey.mean(axis=1, keepdims=True) for grey in (a[..., 0], b[..., 0]))
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(sizes, 1e-6), np.float32)


def _smoothed(image: Image, x1: float, y1: float, x2: float, y2: float) -> tuple[Image, int, int]:
    """The picture around a box, averaged where that is larger than the patch, so that shrinking it does not pick single
    pixels; and where it begins in the whole. A whole picture at 1080p would take four times as long.
    """
    shrink = max(x2 - x1, y2 - y1) / PATCH_PX
    kernel = int(shrink) | 1 if shrink > 1.5 else 1
    height, width = image.shape[:2]
    margin = kernel // 2 + 2
    left, right = _within(x1 - margin, x2 + margin, width)
    top, bottom = _within(y1 - margin, y2 + margin, height)
    around = image[top:bottom, left:right]
    if kernel == 1:
        return around, left, top
    smooth = cv2.blur(around, (kernel, kernel)).astype(np.uint8, copy=False)
    return smooth, left, top


def _within(first: float, last: float, size: int) -> tuple[int, int]:
    """A stretch in whole pixels [start, end) that lies in a picture, at least one pixel of it."""
    start = min(max(0, math.floor(first)), size - 1)
    return start, max(start + 1, min(size, math.ceil(last)))

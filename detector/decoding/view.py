"""How usable a picture is, measured on a small grey copy, and how two views compare."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import FloatArray
from detector.core.values import EDGES_WH, SIGNATURE_WH, SKETCH_SIZE, Image, ViewState
from detector.decoding.card import card_signs, is_card

MEASURE_WIDTH = 320

EDGE_SHARE = 0.25
"""So large a part of the cells, those with most structure for their surroundings, are edges."""

EDGE_SMOOTHING_PX = 1.2
SURROUNDINGS_PX = 61
LEAST_GRADIENT = 6.0
"""Gradients are taken relative to those around them, so that a dim corner has edges too; noise below this has none."""

SKETCH_WH = (320, 180)

PICTURE_QUALITY = 70
"""Of JPEG. A 640 x 360 street view takes 20 to 30 kB so, and half a millisecond; as WebP of the same likeness half the
bytes, and 14 ms, which was a tenth of the whole scan. At a look every 270 s that is some 8 MB a camera-day, and 10 GB
for 39 cameras over 30 days, beside 25 TB of recordings."""


JPEG_MARKER = 0xFF
JPEG_SIZES = (0xC0, 0xC1, 0xC2)
"""What a segment of a JPEG file begins with, and the kinds of segment that state the picture's size."""


LOCAL_CELLS = 5
"""Side in cells of the square around a cell whose mean is taken off the cell in `local_contrast`."""


def local_contrast(signature: FloatArray) -> FloatArray:
    """A signature, shape (h, w), without the mean around each of its cells: what the shadow of a cloud does not change."""
    return np.asarray(signature - cv2.blur(signature, (LOCAL_CELLS, LOCAL_CELLS)), np.float32)


def packed(image: Image) -> bytes:
    """A picture as JPEG, to be kept with an observation."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, PICTURE_QUALITY])[1].tobytes()


def unpacked(picture: bytes) -> Image:
    """A kept picture again: height x width x 3, BGR, uint8."""
    return np.asarray(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def size_of(picture: bytes) -> tuple[int, int]:
    """The width and height of a kept picture, read from its JPEG header without decoding it; (0, 0) where there is none."""
    at = 2
    while at + 9 <= len(picture) and picture[at] == JPEG_MARKER:
        if picture[at + 1] in JPEG_SIZES:
            height, width = struct.unpack(">HH", picture[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(picture[at + 2 : at + 4], "big")
    return 0, 0


def view_state(image: Image) -> ViewState:
    """Mean brightness, sharpness (mean absolute Laplacian), and what views and pictures are compared by."""
    height = max(1, round(image.shape[0] * MEASURE_WIDTH / image.shape[1]))
    grey = cv2.cvtColor(
        cv2.resize(image, (MEASURE_WIDTH, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    )
    small = np.asarray(grey, np.uint8)
    sharpness = cv2.norm(cv2.Laplacian(grey, cv2.CV_16S), cv2.NORM_L1) / grey.size
    signature = cv2.resize(grey, SIGNATURE_WH, interpolation=cv2.INTER_AREA)
    brightness = cv2.norm(grey, cv2.NORM_L1) / grey.size
    return ViewState(
        brightness,
        sharpness,
        signature.astype(np.uint8),
        _edges(small),
        _sketch(small),
        card_signs(small, sharpness),
    )


def shows_card(view: ViewState) -> bool:
    """Whether a recorder drew the picture, as 'NO SIGNAL', because the camera gave none."""
    return is_card(view.card, view.brightness)


def structure_likeness(
    reference: FloatArray, edges: npt.NDArray[np.bool_], visible: npt.NDArray[np.bool_]
) -> float:
    """How well the edges of a picture agree with a view's, in [-1, 1]; `reference` holds how often each cell is one.

    Correlation over the visible cells. Measured: one view by day and by night 0.6 and more, turned by 2 % of the
    picture's width 0.1 to 0.4, another view -0.1 to 0.1.
    """
    a, b = reference[visible], edges[visible].astype(np.float32)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / size) if size > 0 else 0.0


def picture_distance(a: ViewState, b: ViewState) -> float:
    """About how far two pictures lie apart: root mean square of grey levels, within a fifth; inf where not measured.

    Random signed sums keep distances (Johnson and Lindenstrauss), exactly so where pictures are equal.
    """
    if not len(a.sketch) or not len(b.sketch):
        return float("inf")
    return float(np.sqrt(np.mean(np.square(a.sketch - b.sketch))))


def _edges(grey: Image) -> npt.NDArray[np.bool_]:
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), EDGE_SMOOTHING_PX)
    gradient = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    relative = gradient / (cv2.blur(gradient, (SURROUNDINGS_PX, SURROUNDINGS_PX)) + LEAST_GRADIENT)
    cells = cv2.resize(relative, EDGES_WH, interpolation=cv2.INTER_AREA)
    others = math.floor((1 - EDGE_SHARE) * (cells.size - 1))
    return np.asarray(cells > np.partition(cells.ravel(), others)[others], np.bool_)


def _sketch(grey: Image) -> FloatArray:
    if grey.shape != SKETCH_WH[::-1]:
        grey = np.asarray(cv2.resize(grey, SKETCH_WH, interpolation=cv2.INTER_AREA), np.uint8)
    whole = cv2.norm(grey, cv2.NORM_L1)
    # What is added and what is taken away, in whole numbers below 2**24: a quarter of the bytes of a product of fractions.
    added = [cv2.norm(cv2.bitwise_and(grey, plus), cv2.NORM_L1) for plus in _added()]
    sums = 2 * np.array(added, np.float32) - np.float32(whole)
    return np.asarray(sums / np.float32(np.sqrt(grey.size)), np.float32)


@lru_cache(maxsize=1)
def _added() -> Sequence[npt.NDArray[np.uint8]]:
    """SKETCH_SIZE masks of the pixels whose sign is +1, 255 there and else 0; the same in every process and release."""
    bits = np.random.Generator(np.random.PCG64(20260108)).integers(
        0, 2, (SKETCH_SIZE, SKETCH_WH[1], SKETCH_WH[0])
    )
    return list((bits * 255).astype(np.uint8))

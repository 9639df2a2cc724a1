"""Zones, boxes and captions on pictures. Nothing is written over the object: captions stand in bars of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from detector.config.violations import RULES
from detector.core.geometry import Box, Polygon
from detector.core.values import Image, Violation, Zone, ZoneKind
from detector.evidence.captions import Captions
from detector.evidence.text import WHITE, Colour, bar

ZONE_COLOURS: Mapping[ZoneKind, Colour] = {
    ZoneKind.NO_PARKING: (0, 220, 255),
    ZoneKind.SIDEWALK: (255, 220, 90),
    ZoneKind.PARKING_BAY: (90, 210, 70),
    ZoneKind.NO_VENDING: (215, 150, 255),
    ZoneKind.SANITATION: (215, 215, 40),
    ZoneKind.CARRIAGEWAY: (190, 190, 190),
    ZoneKind.BIN: (60, 160, 255),
    ZoneKind.TACTILE_PATH: (120, 230, 230),
}
HALO: Colour = (0, 0, 0)
ZONE_OPACITY = 0.18
SMALLEST_TEXT_PX = 13
JPEG_QUALITY = 90

CLOSEUP_LONG_SIDE = 640
CLOSEUP_LARGEST = 1280
CLOSEUP_ASPECT = 4 / 3
CLOSEUP_CONTEXT = 0.4
"""How much of the box's own size is shown on each side of it."""


def colour_of(violation: Violation) -> Colour:
    """The colour of a violation's boxes, BGR."""
    red, green, blue = bytes.fromhex(RULES[violation].colour[1:])
    return blue, green, red


def annotated(
    image: Image, boxes: Sequence[tuple[Violation, Box]], zones: Sequence[Zone], captions: Captions
) -> Image:
    """A new picture with zones, boxes and captions; boxes and polygons in [0, 1] of the given image.

    The result is as wide as the image and higher by its caption bars. What lies inside a box keeps its pixels,
    but for the outlines of zones.
    """
    drawn = image.copy()
    for zone in zones:
        _fill(drawn, zone)
    for _, box in boxes:
        inside = _pixels(box, image)
        drawn[inside] = image[inside]
    for zone in zones:
        _outline(drawn, zone)
    for violation, box in boxes:
        _frame(drawn, box, colour_of(violation))
    return _captioned(drawn, captions)


def fit_width(image: Image, most: int) -> Image:
    """The image, made smaller where it is wider than `most` pixels."""
    height, width = image.shape[:2]
    if width <= most:
        return image
    return resized(image, (most, max(1, round(height * most / width))))


def resized(image: Image, wh: tuple[int, int]) -> Image:
    """The image at another size, by the filter that suits the direction."""
    if (image.shape[1], image.shape[0]) == wh:
        return image
    smaller = wh[0] < image.shape[1]
    return cv2.resize(image, wh, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC).astype(
        np.uint8, copy=False
    )


def closeup(image: Image, box: Box) -> tuple[Image, Box]:
    """The box's surroundings at a size pleasant to look at, and the box in [0, 1] of that picture."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    wide = (x2 - x1) * (1 + 2 * CLOSEUP_CONTEXT)
    high = (y2 - y1) * (1 + 2 * CLOSEUP_CONTEXT)
    wide, high = max(wide, high * CLOSEUP_ASPECT), max(high, wide / CLOSEUP_ASPECT)
    left, right = _span((x1 + x2) / 2, wide, width)
    top, bottom = _span((y1 + y2) / 2, high, height)
    crop = image[top:bottom, left:right]
    long_side = max(crop.shape[:2])
    scale = min(max(long_side, CLOSEUP_LONG_SIDE), CLOSEUP_LARGEST) / long_side
    wh = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    inner = (
        (x1 - left) / (right - left),
        (y1 - top) / (bottom - top),
        (x2 - left) / (right - left),
        (y2 - top) / (bottom - top),
    )
    return resized(crop, wh), inner


def jpeg(image: Image) -> bytes:
    """The picture as a JPEG file."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Whole pixels [start, end) of about this length around the middle, moved or cut to lie in [0, limit)."""
    size = min(limit, max(2, round(length)))
    start = min(max(0, round(middle - size / 2)), limit - size)
    return start, start + size


def _line_px(image: Image) -> int:
    height, width = image.shape[:2]
    return max(1, round(float(np.hypot(width, height)) / 450))


def _corners(polygon: Polygon, image: Image) -> npt.NDArray[np.int32]:
    height, width = image.shape[:2]
    points = np.array(polygon) * (width, height)
    return np.clip(np.round(points), 0, (width - 1, height - 1)).astype(np.int32)


def _fill(image: Image, zone: Zone) -> None:
    filled = image.copy()
    cv2.fillPoly(filled, [_corners(zone.polygon, image)], ZONE_COLOURS[zone.kind])
    cv2.addWeighted(filled, ZONE_OPACITY, image, 1 - ZONE_OPACITY, 0, dst=image)


def _outline(image: Image, zone: Zone) -> None:
    corners, line = _corners(zone.polygon, image), _line_px(image)
    for colour, thickness in ((HALO, line + 2), (ZONE_COLOURS[zone.kind], line)):
        cv2.polylines(
            image, [corners], isClosed=True, color=colour, thickness=thickness, lineType=cv2.LINE_AA
        )


def _pixels(box: Box, image: Image) -> tuple[slice, slice]:
    height, width = image.shape[:2]
    x1, x2 = (min(max(0, round(x * width)), width) for x in (box[0], box[2]))
    y1, y2 = (min(max(0, round(y * height)), height) for y in (box[1], box[3]))
    return slice(y1, y2), slice(x1, x2)


def _frame(image: Image, box: Box, colour: Colour) -> None:
    """A line around the box, just outside it, where the picture leaves room."""
    height, width = image.shape[:2]
    line = _line_px(image)
    rows, columns = _pixels(box, image)
    first = (max(line // 2, columns.start - line), max(line // 2, rows.start - line))
    last = (
        min(width - 1 - line // 2, columns.stop + line - 1),
        min(height - 1 - line // 2, rows.stop + line - 1),
    )
    for shade, thickness in ((HALO, line + 2), (colour, line)):
        cv2.rectangle(image, first, last, shade, thickness)


def _captioned(image: Image, captions: Captions) -> Image:
    width = image.shape[1]
    size_px = max(SMALLEST_TEXT_PX, round(8 + width / 96))
    first = colour_of(captions.violation) if captions.violation else WHITE
    above = bar(captions.above, width, size_px, first)
    below = bar(captions.below, width, size_px)
    return np.vstack((above, image, below))

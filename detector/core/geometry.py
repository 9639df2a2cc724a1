"""Boxes and polygons. Boxes are xyxy with x2 > x1 and y2 > y1; every function works in pixels or in [0, 1] alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from statistics import median

import numpy as np
import numpy.typing as npt
import shapely

FloatArray = npt.NDArray[np.floating]
Box = tuple[float, float, float, float]
Polygon = tuple[tuple[float, float], ...]

GROUND_STRIP = 0.25
"""Part of a box's height, from below, that stands for the ground contact of a vehicle seen from above and afar."""

SLIVER = 1e-9
"""A polygon whose area is so small a part of its outline's length squared is a line, but for rounding."""


SAME_SHAPE = 0.03
"""Two pictures have one shape if the ratios of their sides differ by at most this part: 1920x1088 is 1920x1080 with
padding."""


def same_shape(one_wh: tuple[int, int], other_wh: tuple[int, int]) -> bool:
    """Whether two pictures, width and height in pixels above 0, have the same ratio of sides within SAME_SHAPE."""
    (width, height), (other_width, other_height) = one_wh, other_wh
    one, other = width * other_height, other_width * height
    return abs(one - other) <= SAME_SHAPE * max(one, other)


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (box_area(a) + box_area(b) - shared)


def iou_matrix(a: FloatArray, b: FloatArray) -> FloatArray:
    """IoU of every box of a, shape (n, 4), with every box of b, shape (m, 4): shape (n, m)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    total = areas[0][:, None] + areas[1][None, :] - shared
    return np.asarray(np.divide(shared, total, out=np.zeros_like(shared), where=total > 0))


def contained_share(a: Box, b: Box) -> float:
    """Which part of the smaller of two boxes lies inside the other, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return min(1.0, width * height / min(box_area(a), box_area(b)))


SAME_PLACE_IOU = 0.5
"""Two boxes of one camera's picture, seen at any times, that overlap by this IoU are at one place."""


def is_same_place(a: Box | None, b: Box | None) -> bool:
    """Whether two boxes of one camera are at one place; None is the whole view, and is at one place with None alone."""
    if a is None or b is None:
        return a is b
    return iou(a, b) >= SAME_PLACE_IOU


SAME_OBJECT_IOU = 0.5
"""Two boxes seen at one time that overlap by this IoU are of one object."""

NESTED_SHARE = 0.85
"""A box is nested in another if this share of its area lies inside."""

PART_AREA = 0.35
"""A nested box below this share of the other's area may be an object of its own."""

SAME_FOOT_HEIGHTS = 0.35
"""The lower edges of two boxes of one object differ by at most this share of the smaller one's height."""


def is_same_object(a: Box, b: Box) -> bool:
    """Whether two boxes seen at one time are of one object: they overlap, or one contains most of the other.

    A nested box smaller than PART_AREA of the other may be an object of its own: a car in front of a coach. So is one
    whose lower edge lies more than SAME_FOOT_HEIGHTS of its height from the other's: a van that a bus hides.
    """
    if iou(a, b) >= SAME_OBJECT_IOU:
        return True
    areas = sorted((box_area(a), box_area(b)))
    same_foot = abs(a[3] - b[3]) <= SAME_FOOT_HEIGHTS * min(a[3] - a[1], b[3] - b[1])
    return same_foot and contained_share(a, b) >= NESTED_SHARE and areas[0] >= PART_AREA * areas[1]


def contained_matrix(a: FloatArray, b: FloatArray) -> FloatArray:
    """`contained_share` of every box of a, shape (n, 4), with every box of b, shape (m, 4): shape (n, m)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    smaller = np.minimum(areas[0][:, None], areas[1][None, :])
    return np.asarray(np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0))


def box_area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def bounds(polygon: Sequence[tuple[float, float]]) -> Box:
    """The smallest box around a polygon."""
    xs, ys = zip(*polygon, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def widened(box: Box, margin: float) -> Box:
    """The box with `margin` times its own width and height added on each side."""
    across, down = margin * (box[2] - box[0]), margin * (box[3] - box[1])
    return box[0] - across, box[1] - down, box[2] + across, box[3] + down


def covered_share(box: Box, other: Box) -> float:
    """Which part of a box another covers, in [0, 1]."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return width * height / box_area(box) if width > 0 and height > 0 else 0.0


def median_box(boxes: Iterable[Box]) -> Box:
    """Each edge where it usually is. Raises ValueError without a box.

    For the few boxes of a stay plain Python takes a fifth of numpy's time, and it is asked for of every stay.
    """
    x1, y1, x2, y2 = (float(median(edge)) for edge in zip(*boxes, strict=True))
    return (x1, y1, x2, y2)


def ground_contact(box: Box) -> Box:
    """The lower strip of a box, where the object touches the ground."""
    return (box[0], box[3] - GROUND_STRIP * (box[3] - box[1]), box[2], box[3])


@lru_cache(maxsize=4096)
def _shape(polygon: Polygon) -> shapely.Polygon:
    """Built once: zones are asked about many thousands of boxes."""
    return shapely.Polygon(polygon)


def contact_share(box: Box, polygon: Polygon) -> float:
    """Which part of a box's ground contact lies inside a polygon, in [0, 1]."""
    strip = ground_contact(box)
    inside = shapely.box(*strip).intersection(_shape(polygon)).area
    return float(min(1.0, inside / box_area(strip)))


def distance(point: tuple[float, float], polygon: Polygon) -> float:
    """How far a point lies outside a polygon; 0 inside."""
    return float(shapely.Polygon(polygon).distance(shapely.Point(point)))


def polygon_fault(polygon: Sequence[Sequence[float]]) -> str | None:
    """What makes a polygon unusable, in words, or None."""
    if len(polygon) < 3:
        return f"{len(polygon)} corners, a polygon needs 3 or more"
    shape = shapely.Polygon(polygon)
    if not shapely.LineString([*polygon, polygon[0]]).is_simple and shape.convex_hull.area > 0:
        return "the outline crosses itself"
    return "the corners lie on one line" if shape.area <= SLIVER * shape.length**2 else None


def scaled(box: Box, width: float, height: float) -> Box:
    return (box[0] * width, box[1] * height, box[2] * width, box[3] * height)


ASPECT = 16 / 9
"""Of a picture, width by height, where nothing else is said."""

REACH_HEIGHTS = 1.0
"""Who stands within so many of his own heights has a thing within reach."""


def within_reach(thing: Box, person: Box, *, aspect: float = ASPECT) -> bool:
    """Whether a thing lies within a person's reach, feet to foot; boxes in [0, 1], `aspect` is the picture's."""
    height = person[3] - person[1]
    across = max(0.0, thing[0] - person[2], person[0] - thing[2]) * aspect
    deep = abs(thing[3] - person[3])
    return bool(np.hypot(across, deep) <= REACH_HEIGHTS * height)

"""Blurs who and what must not be known from an exported picture. Pure: pictures and detections in, pictures out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box
from detector.core.values import LABEL_GROUPS, TAKEN_FOR, Detections, Image, LabelGroup
from detector.evidence.drawing import closeup
from detector.evidence.text import BAR

MASKED_GROUPS = frozenset({LabelGroup.PERSON, LabelGroup.VEHICLE, LabelGroup.BIKE})

MARGIN = 0.12
"""By how much of its width and height a box grows on each side before it is blurred; boxes of a detector are tight."""
LEAST_MARGIN_PX = 4
CELLS = 7
"""What is blurred keeps so many colours along its longer side and no more: a face keeps one, a plate less than one."""
LARGEST_CELL_PX = 48
SMALLEST_CELL_PX = 8
BLUR_CELLS = 0.6
"""Sigma of the blur over the cells, in cells; it only takes their edges away, what is lost was lost before."""

SAME_OBJECT = 0.5
"""A vehicle whose box shares so much (intersection over union) with the concerned one's is that one."""
INSIDE = 0.8
"""So is one that lies inside it by so much: half of a car is a car to a detector."""

TILE_SPAN = 0.56
"""Width and height of a tile, in those of the picture: two by two of them overlap by an eighth."""

BAR_TOLERANCE = 6
BAR_EDGE_PX = 4
NOT_A_BAR_ROWS = 4
"""So many rows one after another that are no bar end it: text near the margin spoils one or two by JPEG's ringing."""

Rows = tuple[int, int]
"""Rows [top, bottom) of a picture's file in which the camera's picture stands, between its caption bars."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where in a picture's file the camera's picture stands, and the concerned object's box in [0, 1] of that."""

    rows: Rows
    concerned: Box | None


def picture_rows(image: Image) -> Rows:
    """The rows between the caption bars that `annotated` put above and below.

    A bar is told by its margins, of one colour at both ends of a row. A picture all of that colour is taken whole.
    """
    edges = np.concatenate([image[:, :BAR_EDGE_PX], image[:, -BAR_EDGE_PX:]], axis=1).astype(float)
    is_bar = (np.abs(edges.mean(axis=1) - BAR) <= BAR_TOLERANCE).all(axis=1)
    top, below = _first_other(is_bar), _first_other(is_bar[::-1])
    return (top, len(image) - below) if top + below < len(image) else (0, len(image))


def scene_placed(image: Image, box: Box | None) -> Placed:
    """A still of the whole scene; `box` in [0, 1] of the camera's picture, None where it concerns no object."""
    return Placed(picture_rows(image), box)


def closeup_placed(image: Image, scene: Image, box: Box) -> Placed:
    """A close-up; `scene` is the same still whole, whose shape tells where the cut was made."""
    top, bottom = picture_rows(scene)
    _, inner = closeup(scene[top:bottom], box)
    return Placed(picture_rows(image), inner)


def tiles(image: Image) -> Iterator[tuple[Image, Box]]:
    """The picture whole, then its four overlapping quarters, each with its place in [0, 1].

    A detector sees a person of 2 % of the picture's height only in a quarter.
    """
    height, width = image.shape[:2]
    starts = (0.0, 1.0 - TILE_SPAN)
    yield image, (0.0, 0.0, 1.0, 1.0)
    for y in starts:
        for x in starts:
            left, right = round(x * width), round((x + TILE_SPAN) * width)
            top, bottom = round(y * height), round((y + TILE_SPAN) * height)
            part = np.ascontiguousarray(image[top:bottom, left:right])
            yield part, (left / width, top / height, right / width, bottom / height)


def joined(found: Sequence[tuple[Detections, Box]]) -> Detections:
    """What was seen in parts of a picture, as boxes of the whole; the same object may stand there more than once."""
    labels = [label for seen, _ in found for label in seen.labels]
    boxes = [seen.boxes * _span(place) + _origin(place) for seen, place in found]
    return Detections(
        tuple(labels),
        np.concatenate([seen.confidences for seen, _ in found]).astype(np.float32),
        np.concatenate(boxes).astype(np.float32).reshape(-1, 4),
    )


def masked(image: Image, seen: Detections, placed: Placed) -> Image:
    """A new picture without people, and without vehicles but the concerned one.

    `seen` is in [0, 1] of the camera's picture inside `image`. People are blurred wherever they are, in front of
    the concerned object too; other vehicles give way to it, so that it stays whole. Caption bars stay as they are.
    """
    drawn = image.copy()
    top, bottom = placed.rows
    picture = drawn[top:bottom]
    people = [b for label, b in _labelled(seen) if LABEL_GROUPS.get(label) is LabelGroup.PERSON]
    others = [b for label, b in _labelled(seen) if _is_other(label, b, placed.concerned)]
    for box in others:
        _blur(picture, box)
    if placed.concerned:
        inside = _pixels(placed.concerned, picture)
        picture[inside] = image[top:bottom][inside]
    for box in people:
        _blur(picture, box)
    return drawn


def _first_other(is_bar: npt.NDArray[np.bool_]) -> int:
    """The first row of NOT_A_BAR_ROWS or more that are no bar."""
    run = 0
    for row, bar in enumerate(is_bar):
        run = 0 if bar else run + 1
        if run == NOT_A_BAR_ROWS:
            return row + 1 - NOT_A_BAR_ROWS
    return len(is_bar)


def _labelled(seen: Detections) -> list[tuple[str, Box]]:
    return [
        (label, (float(x1), float(y1), float(x2), float(y2)))
        for label, (x1, y1, x2, y2) in zip(seen.labels, seen.boxes, strict=True)
    ]


def _is_other(label: str, box: Box, concerned: Box | None) -> bool:
    """Whether it is a vehicle, and not the concerned one."""
    if {**LABEL_GROUPS, **TAKEN_FOR}.get(label) not in (LabelGroup.VEHICLE, LabelGroup.BIKE):
        return False
    return concerned is None or not _is_same(box, concerned)


def _is_same(box: Box, concerned: Box) -> bool:
    wide = min(box[2], concerned[2]) - max(box[0], concerned[0])
    high = min(box[3], concerned[3]) - max(box[1], concerned[1])
    shared = max(0.0, wide) * max(0.0, high)
    own, other = _area(box), _area(concerned)
    return shared >= SAME_OBJECT * (own + other - shared) or shared >= INSIDE * own


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _blur(picture: Image, box: Box) -> None:
    """Blur a box with its margin, in place: averaged to a few cells, which cannot be undone, then smoothed."""
    rows, columns = _pixels(_grown(box, picture), picture)
    part = picture[rows, columns]
    height, width = part.shape[:2]
    if not height or not width:
        return
    cell = min(LARGEST_CELL_PX, max(SMALLEST_CELL_PX, -(-max(height, width) // CELLS)))
    few = cv2.resize(part, (max(1, width // cell), max(1, height // cell)), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST)
    picture[rows, columns] = cv2.GaussianBlur(coarse, (0, 0), BLUR_CELLS * cell)


def _grown(box: Box, picture: Image) -> Box:
    height, width = picture.shape[:2]
    x = max(MARGIN * (box[2] - box[0]), LEAST_MARGIN_PX / width)
    y = max(MARGIN * (box[3] - box[1]), LEAST_MARGIN_PX / height)
    return box[0] - x, box[1] - y, box[2] + x, box[3] + y


def _pixels(box: Box, picture: Image) -> tuple[slice, slice]:
    height, width = picture.shape[:2]
    x1, x2 = (min(max(0, edge), width) for edge in (int(box[0] * width), -int(-box[2] * width // 1)))
    y1, y2 = (min(max(0, edge), height) for edge in (int(box[1] * height), -int(-box[3] * height // 1)))
    return slice(y1, y2), slice(x1, x2)


def _span(place: Box) -> npt.NDArray[np.float32]:
    return np.array([place[2] - place[0], place[3] - place[1]] * 2, np.float32)


def _origin(place: Box) -> npt.NDArray[np.float32]:
    return np.array([place[0], place[1]] * 2, np.float32)

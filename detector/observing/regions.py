"""Regions of one camera that are looked at at its own resolution: what stands there, and what the model called it.

A region begins where something stands (`standing`) or where a survey saw a small vehicle. It has a change gate of its own,
on its part of the picture at the working scale: the model is asked until three answers are there, and again when the
part changes. It ends when nothing stands there and the model names nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box, FloatArray, iou_matrix
from detector.core.values import LABEL_GROUPS_MISTAKEN, NO_DETECTIONS, Detections, LabelGroup
from detector.observing.gate import Gate, Scene
from detector.observing.mosaic import Crop
from detector.observing.standing import BoxPx, Grey

NAMED: Final = 0.1
"""A region is named where the model sees something there with this confidence or more. Weaker than what an observation
needs, for it only decides whether the region is looked at again."""

UNNAMED_STANDING: Final = 4
"""What stands and is not named at so many samples in a row becomes part of the background."""

UNNAMED_GONE: Final = 4
"""A region that was named, does not stand any more, and is not named at so many samples in a row, ends. One that was never
named ends as soon as it does not stand."""

MOST_REGIONS: Final = 48
"""Of one camera; further ones wait until others end."""

COVERED: Final = 0.5
"""What is covered by known regions to this part, or more, is no new region."""

CONTEXT: Final = 0.75
"""A crop reaches beyond its region by this part of the region's size on each side."""

LEAST_CROP_WH: Final = (160, 96)
"""In pixels of the picture: the model needs surroundings to see a vehicle."""

SIZE_IN_CELL_PX: Final = 100
"""Regions larger than this are made so small for their cell: at this size vehicles are seen as surely as at any other."""

PATCH_WIDTH: Final = 24
"""A region's gate sees it at most so many pixels wide."""

SAME_IOU: Final = 0.5
CONTAINED: Final = 0.8
"""Two boxes of one group are one object where they overlap by the first (IoU), or where so large a part of the smaller lies
in the other."""

GROUPS: Final = (LabelGroup.VEHICLE, LabelGroup.BIKE)
"""What a crop is asked for. People are seen by the whole picture alone: in crops they would be seen only where something
stands, which is no measure of how many there are."""


@dataclass(slots=True, eq=False)
class Region:
    """A place and what is known of it. `box` is in pixels of the working scale, within the watched part."""

    box: BoxPx
    gate: Gate = field(default_factory=Gate)
    scene: Scene | None = None
    """As it was at the last sample; None before the first."""
    not_stood: int = 0
    """Samples since something stood there."""
    unnamed: int = 0
    """Samples in a row without a name."""
    fitted: bool = False
    """Whether the box is that of a detection."""
    found: Detections = NO_DETECTIONS
    """At the last sample."""

    def admit(self, luma: Grey) -> bool:
        """Whether the model must be asked at this sample."""
        self.scene, asks = self.gate.admit(patch_of(luma, self.box))
        return asks

    def answered(self, found: Detections) -> None:
        """Add the model's answer of this sample."""
        assert self.scene is not None
        self.scene.answers.append(found)
        self._take(found)

    def answer_again(self) -> None:
        """Nothing changed: the answers so far stand for this sample."""
        assert self.scene is not None
        self._take(self.scene.answer())

    def _take(self, found: Detections) -> None:
        self.found = found
        self.unnamed = 0 if is_named(found) else self.unnamed + 1

    def fit(self, box: BoxPx, luma: Grey) -> None:
        """Make its box that of what was found in it, once: what is watched for changes is then the object itself."""
        self.box, self.fitted, self.gate = box, True, Gate()
        self.admit(luma)
        assert self.scene is not None
        self.scene.answers.append(self.found)

    @property
    def is_over(self) -> bool:
        return self.not_stood > 0 and self.unnamed >= UNNAMED_GONE

    @property
    def is_nothing(self) -> bool:
        """Whether something stands there that has no name."""
        return self.not_stood == 0 and self.unnamed >= UNNAMED_STANDING

    @property
    def serves(self) -> int:
        """For how many more samples its answer may stand without a picture."""
        return self.scene.serves if self.scene is not None else 0


def patch_of(luma: Grey, box: BoxPx) -> Grey:
    """A region's part of the picture as its gate sees it, with a pixel more on each side."""
    x1, y1, x2, y2 = box
    patch = luma[max(0, y1 - 1) : y2 + 1, max(0, x1 - 1) : x2 + 1]
    if patch.shape[1] <= PATCH_WIDTH:
        return patch.copy()
    height = max(3, round(patch.shape[0] * PATCH_WIDTH / patch.shape[1]))
    return np.asarray(cv2.resize(patch, (PATCH_WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)


def mark_standing(
    regions: list[Region], boxes: Sequence[BoxPx], alone: Sequence[BoxPx], *, most: int = MOST_REGIONS
) -> list[Region]:
    """Note for known regions whether something of `boxes` stands there; add and return those of `alone` that are new.

    A region that was never named is left out as soon as nothing stands there.
    """
    for region in regions:
        stands = any(covered(region.box, [box]) >= COVERED for box in boxes)
        stands = stands or any(covered(box, [region.box]) >= COVERED for box in boxes)
        region.not_stood = 0 if stands else region.not_stood + 1
    regions[:] = [region for region in regions if region.fitted or not region.not_stood]
    known = [region.box for region in regions]
    new = [Region(box) for box in alone if covered(box, known) < COVERED][: max(0, most - len(regions))]
    regions += new
    return new


def covered(box: BoxPx, others: Sequence[BoxPx]) -> float:
    """The part of a box that others cover together, in [0, 1]."""
    x1, y1, x2, y2 = box
    if not any(o[0] < x2 and o[2] > x1 and o[1] < y2 and o[3] > y1 for o in others):
        return 0.0
    inside = np.zeros((y2 - y1, x2 - x1), np.bool_)
    for left, top, right, bottom in others:
        inside[max(0, top - y1) : max(0, bottom - y1), max(0, left - x1) : max(0, right - x1)] = True
    return float(inside.mean())


def crop_around(box: Box, picture_wh: tuple[int, int], sheet_wh: tuple[int, int]) -> Crop:
    """The crop for a region, a box in pixels of the picture: with context, and as small as its cell must be."""
    size = min(box[2] - box[0], 2 * (box[3] - box[1]))
    sides = []
    for low, high, least, full in zip(box[:2], box[2:], LEAST_CROP_WH, picture_wh, strict=True):
        reach = max(high - low + 2 * CONTEXT * size, least) / 2
        middle = (low + high) / 2
        sides.append((max(0, math.floor(middle - reach)), min(full, math.ceil(middle + reach))))
    (x1, x2), (y1, y2) = sides
    scale = min(1.0, SIZE_IN_CELL_PX / size, sheet_wh[0] / (x2 - x1), sheet_wh[1] / (y2 - y1))
    return Crop(x1, y1, x2, y2, scale)


def of_region(found: Detections, region: Box) -> Detections:
    """What a crop shows of a region itself, both in [0, 1] of the picture; each object once.

    That is, what covers half of the region, or has its middle in it.
    """
    keep = [k for k, label in enumerate(found.labels) if LABEL_GROUPS_MISTAKEN.get(label) in GROUPS]
    if not keep:
        return NO_DETECTIONS
    boxes = found.boxes[keep]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((middles >= region[:2]) & (middles <= region[2:])).all(axis=1)
    shared = np.clip(np.minimum(boxes[:, 2:], region[2:]) - np.maximum(boxes[:, :2], region[:2]), 0, None)
    area = (region[2] - region[0]) * (region[3] - region[1])
    own = inside | (shared.prod(axis=1) >= 0.5 * area)
    return once_each(chosen(found, [keep[k] for k in np.flatnonzero(own)]))


def is_named(found: Detections) -> bool:
    return bool(len(found) and found.confidences.max() >= NAMED)


def once_each(found: Detections) -> Detections:
    """Detections of which each object of a group is there once, as it was seen most surely."""
    if len(found) < 2:
        return found
    same = one_object(found, found)
    kept: list[int] = []
    for index in np.argsort(-found.confidences, kind="stable"):
        if not same[index, kept].any():
            kept.append(int(index))
    return chosen(found, sorted(kept))


def one_object(a: Detections, b: Detections) -> npt.NDArray[np.bool_]:
    """Which detections show one object, of shape (len(a), len(b)): of one group and in one place."""
    groups = [np.array([str(LABEL_GROUPS_MISTAKEN.get(label)) for label in one.labels]) for one in (a, b)]
    low = np.maximum(a.boxes[:, None, :2], b.boxes[None, :, :2])
    high = np.minimum(a.boxes[:, None, 2:], b.boxes[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(one.boxes[:, 2:] - one.boxes[:, :2]).prod(axis=1) for one in (a, b)]
    contained = shared >= CONTAINED * np.minimum(areas[0][:, None], areas[1][None, :])
    in_place = contained | (iou_matrix(a.boxes, b.boxes) >= SAME_IOU)
    return np.asarray(in_place & (groups[0][:, None] == groups[1][None, :]), np.bool_)


def joined(whole: Detections, crops: Detections) -> Detections:
    """What the whole picture and its crops show; of one object that both show, what shows it more surely.

    A vehicle within the box of one more than twice as large is another one, unless it is seen less surely.
    """
    if not len(crops):
        return whole
    same = one_object(whole, crops)
    surer = whole.confidences[:, None] >= crops.confidences[None, :]
    keep_crops = np.flatnonzero(~(same & surer).any(axis=0))
    not_larger = _areas(whole)[:, None] <= 2 * _areas(crops)[None, :]
    replaced = (same & ~surer & not_larger)[:, keep_crops].any(axis=1)
    return chosen(whole, np.flatnonzero(~replaced)).with_those_of(chosen(crops, keep_crops))


def _areas(found: Detections) -> FloatArray:
    return np.asarray((found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1))


def chosen(found: Detections, indices: Sequence[int] | npt.NDArray[np.intp]) -> Detections:
    """The detections at these indices, in their order."""
    own = [int(k) for k in indices]
    return Detections(tuple(found.labels[k] for k in own), found.confidences[own], found.boxes[own])

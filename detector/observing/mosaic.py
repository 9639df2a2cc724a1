"""Crops of a picture at the camera's own resolution, several packed into one input of the model, and what is found in each.

An input of the model is a `sheet`; a crop lies on it in a `cell` of its own, with grey around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from detector.core.geometry import FloatArray
from detector.core.values import NO_DETECTIONS, Detections, Image, NativePicture

GREY: Final = 114
"""Between cells: the grey that the model was trained to see around pictures."""

GAP_PX: Final = 8
"""Between two cells, in pixels of the sheet."""

CUT_PX: Final = 2.5
"""A box that ends so close to a crop's edge, in pixels of the sheet, belongs to something that the crop cuts off."""


@dataclass(frozen=True, slots=True)
class Crop:
    """The pixels [x1, x2) x [y1, y2) of a picture, made smaller by `scale` in (0, 1]."""

    x1: int
    y1: int
    x2: int
    y2: int
    scale: float = 1.0

    @property
    def cell_wh(self) -> tuple[int, int]:
        """Its size on a sheet, in pixels."""
        width, height = self.x2 - self.x1, self.y2 - self.y1
        return max(1, int(width * self.scale)), max(1, int(height * self.scale))


@dataclass(frozen=True, slots=True)
class Cell:
    """A crop's place: the sheet's number, and the upper left corner on it in pixels."""

    crop: Crop
    sheet: int
    x: int
    y: int


def pack(crops: Sequence[Crop], sheet_wh: tuple[int, int]) -> list[Cell]:
    """A cell for each crop, in the crops' order; rows of cells, the highest first. Each crop must fit on a sheet."""
    order = sorted(range(len(crops)), key=lambda k: (-crops[k].cell_wh[1], k))
    cells: dict[int, Cell] = {}
    sheet = x = y = row_height = 0
    for index in order:
        width, height = crops[index].cell_wh
        if width > sheet_wh[0] or height > sheet_wh[1]:
            raise ValueError(f"a cell of {width} x {height} does not fit on a sheet of {sheet_wh}")
        if x + width > sheet_wh[0]:
            x, y, row_height = 0, y + row_height + GAP_PX, 0
        if y + height > sheet_wh[1]:
            sheet, x, y, row_height = sheet + 1, 0, 0, 0
        cells[index] = Cell(crops[index], sheet, x, y)
        x += width + GAP_PX
        row_height = max(row_height, height)
    return [cells[index] for index in range(len(crops))]


def sheets_of(picture: NativePicture, cells: Sequence[Cell], sheet_wh: tuple[int, int]) -> list[Image]:
    """The sheets with the picture's crops in their cells, each height x width x 3, BGR, uint8."""
    count = max((cell.sheet for cell in cells), default=-1) + 1
    sheets: list[Image] = [np.full((sheet_wh[1], sheet_wh[0], 3), GREY, np.uint8) for _ in range(count)]
    for cell in cells:
        crop = cell.crop
        cut = picture.crop(crop.x1, crop.y1, crop.x2, crop.y2)
        width, height = crop.cell_wh
        if crop.scale < 1:
            cut = np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        sheets[cell.sheet][cell.y : cell.y + height, cell.x : cell.x + width] = cut
    return sheets


def found_in(
    cells: Sequence[Cell], found: Sequence[Detections], sheet_wh: tuple[int, int], picture_wh: tuple[int, int]
) -> list[Detections]:
    """For each cell what its crop shows, in [0, 1] of the whole picture; `found` is by sheet, in [0, 1] of each.

    A detection belongs to the cell that holds its middle. What a crop cuts off is left out.
    """
    return [_of_cell(cell, found[cell.sheet], sheet_wh, picture_wh) for cell in cells]


def _of_cell(
    cell: Cell, found: Detections, sheet_wh: tuple[int, int], picture_wh: tuple[int, int]
) -> Detections:
    if not len(found):
        return NO_DETECTIONS
    crop, (width, height) = cell.crop, cell.crop.cell_wh
    boxes = found.boxes * np.array([*sheet_wh, *sheet_wh], np.float32)
    boxes = boxes - np.array([cell.x, cell.y, cell.x, cell.y], np.float32)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((middles >= 0) & (middles < (width, height))).all(axis=1)
    whole = inside & ~_cut_off(boxes, crop, picture_wh)
    keep = np.flatnonzero(whole)
    corner = np.array([crop.x1, crop.y1, crop.x1, crop.y1], np.float32)
    boxes = np.clip(boxes[keep], 0, (width, height, width, height)) / np.float32(crop.scale) + corner
    limits = np.array([*picture_wh, *picture_wh], np.float32)
    return Detections(
        tuple(found.labels[k] for k in keep), found.confidences[keep], np.asarray(boxes / limits, np.float32)
    )


def _cut_off(
    boxes: FloatArray, crop: Crop, picture_wh: tuple[int, int]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which boxes, in pixels of the cell, end at an edge of the crop that is none of the picture."""
    width, height = crop.cell_wh
    return np.asarray(
        ((boxes[:, 0] < CUT_PX) & (crop.x1 > 0))
        | ((boxes[:, 1] < CUT_PX) & (crop.y1 > 0))
        | ((boxes[:, 2] > width - CUT_PX) & (crop.x2 < picture_wh[0]))
        | ((boxes[:, 3] > height - CUT_PX) & (crop.y2 < picture_wh[1])),
        np.bool_,
    )

"""Bags of rubbish, a bin and a shadow as cut-outs: drawn, and real bags where the shared data set is there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.errors import BadInput
from detector.core.values import Image

Colour = tuple[int, int, int]
Mask = npt.NDArray[np.uint8]

BAGS: Final = 6
"""So many different bags, drawn or real."""

PAINTS: Final[tuple[Colour, ...]] = (
    (34, 32, 30), (196, 198, 202), (120, 72, 30), (48, 44, 42), (150, 196, 214), (70, 96, 40)
)  # fmt: skip
"""Black, white, blue, black, a pale orange and green."""

SMALLEST_PX: Final = 90
LEAST_SOLIDITY: Final = 0.86


def drawn_bag(index: int) -> Image:
    """A full bag tied at its neck: BGRA, a lumpy outline, folds that shine and folds in shade."""
    random = np.random.default_rng([index, 41])
    width, height = 150, int(random.integers(110, 150))
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    lumps = 1 + 0.05 * np.sin(3 * turn + index) + 0.04 * np.sin(7 * turn + 2 * index)
    squat = np.where(np.sin(turn) > 0, 0.82, 1.0)
    x = width / 2 + 0.47 * width * lumps * np.cos(turn)
    y = height * 0.57 + 0.42 * height * lumps * squat * np.sin(turn)
    alpha = np.zeros((height, width), np.uint8)
    cv2.fillPoly(alpha, [np.stack([x, y], 1).astype(np.int32)], 255, cv2.LINE_AA)
    neck = np.array([(0.40, 0.22), (0.34, 0.02), (0.52, 0.07), (0.68, 0.0), (0.58, 0.22)]) * (width, height)
    cv2.fillPoly(alpha, [neck.astype(np.int32)], 255, cv2.LINE_AA)
    return np.dstack([_folds(PAINTS[index % len(PAINTS)], (width, height), random), alpha])


def _folds(paint: Colour, wh: tuple[int, int], random: np.random.Generator) -> Image:
    width, height = wh
    coarse = random.normal(0, 1, (7, 8)).astype(np.float32)
    shade = cv2.resize(coarse, wh, interpolation=cv2.INTER_CUBIC) * 0.16
    shade += np.linspace(0.22, -0.25, height, dtype=np.float32)[:, None]
    shine: Mask = np.zeros((height, width), np.uint8)
    for _ in range(16):
        a = (int(random.integers(width)), int(random.integers(height)))
        b = (a[0] + int(random.integers(-24, 24)), a[1] + int(random.integers(8, 36)))
        cv2.line(shine, a, b, int(random.integers(60, 190)), int(random.integers(1, 4)), cv2.LINE_AA)
    gloss = cv2.GaussianBlur(shine, (0, 0), 1.6).astype(np.float32)[..., None] * 0.35
    lit = np.array(paint, np.float32) * (1 + shade[..., None]) + gloss
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def real_bags(folder: Path) -> list[Image]:
    """BAGS bags cut by their polygons out of a folder with `images` and `labels` in YOLO segmentation form.

    Whole ones only, in order of the files' names. Raises BadInput where a picture cannot be read.
    """
    bags: list[Image] = []
    for file in sorted((folder / "labels").glob("*.txt")):
        lines = [np.array(line.split()[1:], float) for line in file.read_text().splitlines() if line.strip()]
        photo = cv2.imread(str(folder / "images" / f"{file.stem}.jpg"))
        if photo is None:
            raise BadInput(f"{folder / 'images' / file.stem}.jpg: not a picture")
        cuts = [_cut(np.asarray(photo, np.uint8), line.reshape(-1, 2)) for line in lines if line.size >= 6]
        bags += [cut for cut in cuts if cut is not None][:1]
        if len(bags) >= BAGS:
            break
    return bags[:BAGS]


def _cut(photo: Image, corners: npt.NDArray[np.float64]) -> Image | None:
    """The bag inside an outline given in [0, 1], BGRA; None where it is small, cut off, or a rag behind others."""
    height, width = photo.shape[:2]
    outline = np.round(corners * (width, height)).astype(np.int32)
    x, y, w, h = cv2.boundingRect(outline)
    inside = x > 2 and y > 2 and x + w < width - 2 and y + h < height - 2
    hull = cv2.contourArea(cv2.convexHull(outline))
    if not inside or min(w, h) < SMALLEST_PX or cv2.contourArea(outline) < LEAST_SOLIDITY * hull:
        return None
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [outline], 255)
    return np.ascontiguousarray(np.dstack([photo, cv2.GaussianBlur(mask, (3, 3), 0)])[y : y + h, x : x + w])


def bin_on_wheels() -> Image:
    """A green bin as it stands at every corner."""
    picture: Image = np.zeros((220, 150, 4), np.uint8)
    body = np.array([(14, 40), (136, 40), (122, 208), (30, 208)], np.int32)
    cv2.fillPoly(picture, [body], (52, 92, 38, 255), cv2.LINE_AA)
    cv2.rectangle(picture, (6, 16), (144, 42), (66, 116, 48, 255), -1)
    for x in (48, 75, 102):
        cv2.line(picture, (x, 50), (75 + (x - 75) * 3 // 4, 200), (40, 72, 30, 255), 3, cv2.LINE_AA)
    for x in (40, 112):
        cv2.circle(picture, (x, 206), 12, (24, 24, 26, 255), -1, cv2.LINE_AA)
    return picture


def shade() -> Image:
    """A shadow on the ground, half dark: what stands out of the picture throws it."""
    picture: Image = np.zeros((90, 160, 4), np.uint8)
    cv2.ellipse(picture, (80, 45), (76, 41), 8, 0, 360, (6, 4, 4, 132), -1, cv2.LINE_AA)
    return picture

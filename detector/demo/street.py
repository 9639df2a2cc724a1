"""Draws an empty street from a camera's zones: the ground as the zones say, houses behind, nothing that moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.geometry import Polygon
from detector.core.values import Camera, Image, ZoneKind

Colour = tuple[int, int, int]
Mask = npt.NDArray[np.uint8]
Random = np.random.Generator

ASPHALT: Final[Colour] = (92, 90, 88)
PAVING: Final[Colour] = (150, 156, 162)
VERGE: Final[Colour] = (112, 124, 122)
WHITE: Final[Colour] = (214, 218, 220)
YELLOW: Final[Colour] = (70, 178, 214)
KERB: Final[Colour] = (182, 186, 190)
WALLS: Final[tuple[Colour, ...]] = (
    (128, 158, 186), (150, 166, 176), (120, 134, 160), (158, 160, 158), (116, 142, 150), (138, 150, 190)
)  # fmt: skip
GLASS: Final[Colour] = (104, 92, 80)

ROAD_KINDS: Final = (ZoneKind.CARRIAGEWAY, ZoneKind.NO_PARKING, ZoneKind.PARKING_BAY)
PAVED_KINDS: Final = (ZoneKind.SIDEWALK, ZoneKind.NO_VENDING, ZoneKind.SANITATION)


def horizon(camera: Camera) -> float:
    """Where the ground ends, in [0.08, 0.3] of the picture's height: above every zone."""
    top = min((y for zone in camera.zones for _, y in zone.polygon), default=0.4)
    return float(np.clip(top - 0.08, 0.08, 0.3))


def street(camera: Camera, resolution_wh: tuple[int, int], seed: int) -> Image:
    """The empty street by day, height x width x 3, BGR, uint8; the same for the same arguments."""
    random = np.random.default_rng(seed)
    width, height = resolution_wh
    ground_y = round(horizon(camera) * height)
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = VERGE
    road, paved = (_mask(camera, kinds, resolution_wh) for kinds in (ROAD_KINDS, PAVED_KINDS))
    _pave(picture, paved & ~road, ground_y)
    picture[road > 0] = ASPHALT
    _stain(picture, road, random)
    _kerb(picture, road)
    for zone in camera.zones:
        corners = _pixels(zone.polygon, resolution_wh)
        if zone.kind is ZoneKind.CARRIAGEWAY:
            _lane_marks(picture, corners)
        elif zone.kind is ZoneKind.NO_PARKING:
            _no_parking_line(picture, corners, road)
        elif zone.kind is ZoneKind.PARKING_BAY:
            cv2.polylines(picture, [corners], True, WHITE, max(1, height // 270), cv2.LINE_AA)
    _houses(picture, ground_y, random)
    return _weathered(picture, random)


def _pixels(polygon: Polygon, resolution_wh: tuple[int, int]) -> npt.NDArray[np.int32]:
    return np.round(np.array(polygon) * resolution_wh).astype(np.int32)


def _mask(camera: Camera, kinds: Iterable[ZoneKind], resolution_wh: tuple[int, int]) -> Mask:
    mask = np.zeros(resolution_wh[::-1], np.uint8)
    for zone in camera.zones:
        if zone.kind in kinds:
            cv2.fillPoly(mask, [_pixels(zone.polygon, resolution_wh)], 255)
    return mask


def _pave(picture: Image, mask: Mask, ground_y: int) -> None:
    """Slabs whose rows come closer together towards the horizon."""
    height, width = mask.shape
    slabs = np.empty_like(picture)
    slabs[:] = PAVING
    y, step = float(height), height / 18
    joint = tuple(int(c * 0.86) for c in PAVING)
    while step >= 3 and y > ground_y:
        cv2.line(slabs, (0, int(y)), (width, int(y)), joint, 1)
        y -= step
        step *= 0.9
    for x in range(-3 * width, 4 * width, max(8, width // 14)):
        cv2.line(slabs, (x, height), (width // 2 + (x - width // 2) // 4, ground_y), joint, 1, cv2.LINE_AA)
    picture[mask > 0] = slabs[mask > 0]


def _stain(picture: Image, road: Mask, random: Random) -> None:
    """Patches and cracks, so that the asphalt is not one flat grey."""
    height, width = road.shape
    layer = picture.copy()
    for _ in range(14):
        centre = (int(random.integers(0, width)), int(random.integers(height // 4, height)))
        axes = (
            int(random.integers(width // 40, width // 9)),
            int(random.integers(height // 90 + 1, height // 30 + 2)),
        )
        shade = int(random.integers(-14, 12))
        cv2.ellipse(layer, centre, axes, 0, 0, 360, tuple(c + shade for c in ASPHALT), -1, cv2.LINE_AA)
    picture[road > 0] = cv2.GaussianBlur(layer, (0, 0), 3)[road > 0]


def _kerb(picture: Image, road: Mask) -> None:
    outlines, _ = cv2.findContours(road, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, tuple(int(c * 0.6) for c in KERB), max(2, road.shape[0] // 110))
    cv2.drawContours(picture, outlines, -1, KERB, max(1, road.shape[0] // 220))


def axis_of(
    polygon: Polygon | npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The two middles of a polygon's short sides: the line along which its traffic runs, left end first.

    In the polygon's own units; found by its smallest rectangle.
    """
    corners = cv2.boxPoints(cv2.minAreaRect(np.array(polygon, np.float32))).astype(np.float64)
    if np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1]):
        ends = ((corners[0] + corners[1]) / 2, (corners[2] + corners[3]) / 2)
    else:
        ends = ((corners[1] + corners[2]) / 2, (corners[3] + corners[0]) / 2)
    return ends if ends[0][0] <= ends[1][0] else (ends[1], ends[0])


def _lane_marks(picture: Image, corners: npt.NDArray[np.int32]) -> None:
    """A dashed white line along the middle, kept inside the carriageway."""
    start, end = axis_of(corners)
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [corners], 255)
    marks = np.zeros_like(inside)
    count = 13
    for i in range(count):
        a, b = start + (end - start) * i / count, start + (end - start) * (i + 0.5) / count
        thick = max(1, round(picture.shape[0] / 130 * (a[1] / picture.shape[0] + 0.3)))
        cv2.line(marks, (round(a[0]), round(a[1])), (round(b[0]), round(b[1])), 255, thick, cv2.LINE_AA)
    picture[(marks > 100) & (inside > 0)] = WHITE


def _no_parking_line(picture: Image, corners: npt.NDArray[np.int32], road: Mask) -> None:
    """A yellow line along the zone's border where that lies on the road."""
    line = np.zeros(road.shape, np.uint8)
    cv2.polylines(line, [corners], True, 255, max(1, road.shape[0] // 220))
    inner = cv2.erode(road, np.ones((5, 5), np.uint8))
    picture[(line > 0) & (inner > 0)] = YELLOW


def _houses(picture: Image, ground_y: int, random: Random) -> None:
    """A row of fronts along the horizon, plain enough that no detector takes a window for a thing."""
    height, width = picture.shape[:2]
    picture[:ground_y] = np.linspace((214, 196, 172), (226, 218, 206), ground_y)[:, None].astype(np.uint8)
    x = -int(random.integers(0, width // 10))
    while x < width:
        front_w = int(random.integers(width // 8, width // 5))
        roof_y = int(random.integers(0, max(1, ground_y // 3)))
        wall = WALLS[int(random.integers(len(WALLS)))]
        cv2.rectangle(picture, (x, roof_y), (x + front_w, ground_y), wall, -1)
        cv2.line(picture, (x, roof_y), (x, ground_y), tuple(int(c * 0.8) for c in wall), 2)
        step, window = front_w // int(random.integers(4, 6)), max(4, height // 45)
        for wx in range(x + step // 2, x + front_w - window, step):
            for wy in range(roof_y + window, ground_y - 2 * window, 2 * window):
                shade = float(random.uniform(0.8, 1.1))
                colour = tuple(int(c * shade) for c in GLASS)
                cv2.rectangle(picture, (wx, wy), (wx + window // 2, wy + window), colour, -1)
        x += front_w
    cv2.line(picture, (0, ground_y), (width, ground_y), (96, 100, 102), max(1, height // 180))


def _weathered(picture: Image, random: Random) -> Image:
    """Broad light and shade, fine grain and a lens's softness, as of a real camera."""
    height, width = picture.shape[:2]
    coarse = random.normal(0, 1, (6, 9)).astype(np.float32)
    broad = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 5
    grain = cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.2) * 9
    shaded = picture.astype(np.float32) + (broad + grain)[..., None]
    return np.clip(cv2.GaussianBlur(shaded, (0, 0), 0.7), 0, 255).astype(np.uint8)

"""Draws an empty street in perspective: a ground of bands, house fronts with windows, sky, trees and poles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.values import Image
from detector.demo.lens import ASPECT, Lens

Floats = npt.NDArray[np.float32]
Random = np.random.Generator
Colour = tuple[int, int, int]

DRAWN_WH: Final = (1920, 1080)
"""Size at which a street is drawn; larger pictures are enlarged from it, for drawing 4K takes four times as long."""

TILE_PX_PER_M: Final = 24
TILE_PX: Final = 768

LANE_DASH_M: Final = 6.0


class Surface(StrEnum):
    """What the ground is covered with."""

    ASPHALT = "asphalt"
    PAVING = "paving"
    COBBLES = "cobbles"
    GRASS = "grass"


SHADES: Final[dict[Surface, Colour]] = {
    Surface.ASPHALT: (96, 94, 92),
    Surface.PAVING: (148, 152, 158),
    Surface.COBBLES: (112, 116, 124),
    Surface.GRASS: (70, 112, 92),
}
WALLS: Final[tuple[Colour, ...]] = (
    (128, 158, 186), (150, 166, 176), (120, 134, 160), (158, 160, 158), (116, 142, 150), (96, 112, 150),
    (170, 178, 182),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Band:
    """Ground between two lines in parallel to the street, in metres from the camera's foot."""

    from_m: float
    until_m: float
    surface: Surface


@dataclass(frozen=True, slots=True)
class Avenue:
    """A drawn street; bands count across the street. `along`: the camera looks along it, else across it.

    `marks_m` are dashed white lines, `kerbs_m` kerb stones, `fronts_m` house fronts: two sides of a street along
    which the camera looks, or one row behind it. `trees_m` says in which line trees stand; none where None.
    """

    lens: Lens
    along: bool
    bands: tuple[Band, ...]
    marks_m: tuple[float, ...]
    kerbs_m: tuple[float, ...]
    fronts_m: tuple[float, ...]
    seed: int
    trees_m: tuple[float, ...] = ()
    fence_m: float | None = None
    """Distance of a fence or hedge across the view; none where None."""
    hedge: bool = False
    end_m: float = 170.0
    """Distance of the fronts that close a street along which the camera looks."""


def draw_avenue(avenue: Avenue, resolution_wh: tuple[int, int], *, night: bool = False) -> Image:
    """The empty street, height x width x 3, BGR, uint8. At night windows are lit; the lamps' light is not applied."""
    random = np.random.default_rng([avenue.seed, 3])
    width, height = DRAWN_WH
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (v + 0.5) / height, ((u + 0.5) / width - 0.5) / ASPECT
    picture = _sky(y)
    _draw_fronts(picture, avenue, x, y, night=night)
    _draw_ground(picture, avenue, x, y, random)
    _draw_trees(picture, avenue, random)
    if avenue.fence_m is not None:
        _draw_fence(picture, avenue.lens, avenue.fence_m, random, hedge=avenue.hedge)
    soft = cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), 0.8)
    if resolution_wh != DRAWN_WH:
        larger = resolution_wh[0] > width
        soft = cv2.resize(soft, resolution_wh, interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA)
    grain = random.normal(0, 3.0, soft.shape[:2]).astype(np.float32)
    grained = soft + cv2.GaussianBlur(grain, (0, 0), 0.7)[..., None]
    return np.asarray(np.clip(grained, 0, 255), np.uint8)


def _sky(y: Floats) -> Floats:
    top, low = np.array((222, 200, 176), np.float32), np.array((226, 222, 214), np.float32)
    part = np.clip(y[..., None] / 0.3, 0, 1)
    return np.asarray(top * (1 - part) + low * part, np.float32)


def _tile(random: Random, *, coarse: float, fine: float) -> Floats:
    """Grey noise that repeats, some broad patches and some grain; mean 0."""
    broad = cv2.resize(
        random.normal(0, 1, (24, 24)).astype(np.float32), (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC
    )
    grain = cv2.GaussianBlur(random.normal(0, 1, (TILE_PX, TILE_PX)).astype(np.float32), (0, 0), 1.0)
    return np.asarray(coarse * broad + fine * grain, np.float32)  # fmt: skip


def _draw_ground(picture: Floats, avenue: Avenue, x: Floats, y: Floats, random: Random) -> None:
    lens = avenue.lens
    below = np.maximum(y - lens.horizon, 1e-4)
    z_m = lens.focal * lens.height_m / below
    x_m = x * z_m / lens.focal
    across, along = (x_m, z_m) if avenue.along else (z_m, x_m)
    limit = avenue.end_m if avenue.along else max(band.until_m for band in avenue.bands)
    ground = (y > lens.horizon) & (z_m < limit)
    noise = _noise_on(x_m, z_m, _tile(random, coarse=7, fine=16))
    fade = 1 / (1 + z_m / 18)
    for band in avenue.bands:
        inside = ground & (across >= band.from_m) & (across < band.until_m)
        shade = np.array(SHADES[band.surface], np.float32)
        level = 1 + _pattern(band.surface, across, along) * np.clip(2 * fade, 0, 1)
        picture[inside] = (shade * level[..., None] + (noise * (0.35 + fade))[..., None])[inside]
    pixel_m = z_m / (lens.focal * picture.shape[0])
    _draw_lines(picture, avenue, ground, across, along, pixel_m)


def _noise_on(x_m: Floats, z_m: Floats, tile: Floats) -> Floats:
    reach = TILE_PX - 1
    place = [  # to and fro over the tile, so that no seam shows
        np.asarray(np.abs(np.mod(axis * TILE_PX_PER_M, 2 * reach) - reach), np.float32) for axis in (x_m, z_m)
    ]
    return np.asarray(cv2.remap(tile, place[0], place[1], cv2.INTER_LINEAR), np.float32)


def _pattern(surface: Surface, across: Floats, along: Floats) -> Floats:
    """How much lighter or darker joints and stones are, as a part of the surface's shade."""
    if surface is Surface.PAVING:
        joint = (np.mod(across, 0.8) < 0.05) | (np.mod(along, 0.8) < 0.05)
        return np.asarray(np.where(joint, -0.16, 0.0), np.float32)
    if surface is Surface.COBBLES:
        return np.asarray(
            0.17 * np.sin(across * 21) * np.sin(along * 21 + 1.7 * np.floor(across * 3.3)), np.float32
        )
    return np.zeros_like(across)


def _draw_lines(
    picture: Floats, avenue: Avenue, ground: npt.NDArray[np.bool_], across: Floats, along: Floats, pixel_m: Floats
) -> None:  # fmt: skip
    depth_m = np.maximum(pixel_m, 0.02) * (1.0 if avenue.along else 3.0)
    for mark in avenue.marks_m:
        near = np.clip(1.2 - np.abs(across - mark) / np.maximum(0.12, depth_m), 0, 1)
        near *= (np.mod(along, 2 * LANE_DASH_M) < LANE_DASH_M) & ground
        picture += near[..., None] * (np.array((206, 212, 214), np.float32) - picture) * 0.8
    for kerb in avenue.kerbs_m:
        near = np.clip(1.3 - np.abs(across - kerb) / np.maximum(0.16, depth_m), 0, 1) * ground
        picture += near[..., None] * (np.array((176, 180, 184), np.float32) - picture) * 0.9


def _draw_fronts(picture: Floats, avenue: Avenue, x: Floats, y: Floats, *, night: bool) -> None:
    """House fronts: two rows that run away from the camera and one that closes the street, or one row across."""
    lens = avenue.lens
    rows: list[tuple[Floats, Floats]] = []
    if avenue.along:
        rows.append((np.full_like(x, avenue.end_m), x * avenue.end_m / lens.focal))
        for side_m in avenue.fronts_m:
            towards = np.where(np.sign(x) == np.sign(side_m), np.maximum(np.abs(x), 1e-4), 1e-4)
            z_m = np.asarray(lens.focal * abs(side_m) / towards, np.float32)
            seen = np.where(z_m < avenue.end_m, z_m, np.inf)
            rows.append((seen.astype(np.float32), z_m))
    else:
        rows.append((np.full_like(x, avenue.fronts_m[0]), x * avenue.fronts_m[0] / lens.focal))
    for index, (far_m, length_m) in enumerate(rows):
        _draw_front(picture, avenue, y, far_m, length_m, index, night=night)


def _draw_front(
    picture: Floats, avenue: Avenue, y: Floats, z_m: Floats, length_m: Floats, row: int, *, night: bool
) -> None:
    lens = avenue.lens
    seen = np.isfinite(z_m)
    z_m = np.where(seen, z_m, 1.0).astype(np.float32)
    up_m = lens.height_m - (y - lens.horizon) * z_m / lens.focal
    house = np.floor(length_m / 14).astype(np.int64)
    chance = _hashed(house, row, avenue.seed)
    seen &= (up_m >= 0) & (up_m < 9 + 9 * chance)
    walls = np.array(WALLS, np.float32)[(chance * 997).astype(np.int64) % len(WALLS)]
    cell = _hashed(
        np.floor(length_m / 3.2).astype(np.int64) * 31 + np.floor(up_m / 3.1).astype(np.int64),
        row + 9,
        avenue.seed,
    )
    window = (np.mod(length_m, 3.2) > 0.9) & (np.mod(length_m, 3.2) < 2.3)
    window &= (np.mod(up_m, 3.1) > 0.9) & (np.mod(up_m, 3.1) < 2.5) & (up_m > 0.4)
    glass = np.array((104, 96, 86), np.float32) * (0.7 + 0.5 * cell)[..., None]
    lit = np.array((150, 215, 240), np.float32)
    panes = np.where((cell > 0.7)[..., None] & night, lit, glass)
    sharp = np.clip(lens.focal * DRAWN_WH[1] / z_m / 12 - 0.3, 0, 1)[..., None]
    shade = walls * (1 - 0.5 * (window[..., None] * sharp)) + panes * (0.5 * (window[..., None] * sharp))
    shade = np.where(window[..., None], walls * (1 - sharp) + panes * sharp, shade)
    picture[seen] = shade[seen]  # fmt: skip


def _hashed(cells: npt.NDArray[np.int64], row: int, seed: int) -> Floats:
    """A number in [0, 1) for each cell, the same for the same cell."""
    mixed = (cells + 7919 * row + 104_729 * (seed % 9973)) * 2_654_435_761 % 4_294_967_296
    mixed = (mixed ^ (mixed >> 15)) * 2_246_822_519 % 4_294_967_296
    return np.asarray((mixed ^ (mixed >> 13)) % 10_007 / 10_007, np.float32)


def _draw_trees(picture: Floats, avenue: Avenue, random: Random) -> None:
    """Crowns of many small leaves on thin trunks, far ones first."""
    lens = avenue.lens
    places: list[tuple[float, float]] = []
    for line_m in avenue.trees_m:
        if avenue.along:
            places += [(line_m, float(z)) for z in np.arange(22, avenue.end_m, 13) + random.uniform(-2, 2)]
        else:
            half = line_m / lens.focal
            places += [(float(x), line_m) for x in np.arange(-half, half, 11) + random.uniform(-3, 3)]
    for x_m, z_m in sorted(places, key=lambda place: -place[1]):
        _draw_tree(picture, lens, (x_m, z_m), random)


def _draw_tree(picture: Floats, lens: Lens, place_m: tuple[float, float], random: Random) -> None:
    height, width = picture.shape[:2]
    x, y = lens.foot(*place_m)
    scale = lens.scale(y) * height
    foot = (round(x * width), round(y * height))
    top = round(foot[1] - 4.5 * scale)
    cv2.line(picture, foot, (foot[0], top), (52, 58, 66), max(1, round(0.28 * scale)), cv2.LINE_AA)
    for _ in range(150):
        dx, dy = random.normal(0, 0.8, 2)
        shade = float(random.uniform(0.6, 1.15))
        leaf = (round(foot[0] + dx * scale), round(top + dy * 0.8 * scale))
        colour = (46 * shade, 92 * shade, 70 * shade)
        cv2.circle(
            picture, leaf, max(1, round(float(random.uniform(0.12, 0.34)) * scale)), colour, -1, cv2.LINE_AA
        )


FENCE_M: Final = 1.5
"""Height of fences and hedges."""


def _draw_fence(picture: Floats, lens: Lens, z_m: float, random: Random, *, hedge: bool) -> None:
    """A fence of bars, or a hedge of leaves, across the whole view."""
    height, width = picture.shape[:2]
    foot_y = lens.foot(0, z_m)[1]
    scale = lens.scale(foot_y) * height
    top, foot = round(foot_y * height - FENCE_M * scale), round(foot_y * height)
    if hedge:
        leaves = random.normal(0, 1, (foot - top, width)).astype(np.float32)
        blurred = cv2.GaussianBlur(leaves, (0, 0), max(1.0, 0.05 * scale))
        shade = np.asarray(blurred / blurred.std() * 0.3 + 0.9, np.float32)
        picture[top:foot] = shade[..., None] * np.array((48, 88, 62), np.float32)
        return
    for x in np.arange(0, width, 0.13 * scale):
        thick = max(1, round(0.035 * scale))
        cv2.line(picture, (round(x), top), (round(x), foot), (58, 62, 60), thick, cv2.LINE_AA)
    for y in (top, round(0.4 * foot + 0.6 * top), foot - round(0.12 * scale)):
        cv2.line(picture, (0, y), (width, y), (50, 54, 52), max(1, round(0.06 * scale)), cv2.LINE_AA)

"""Streets in perspective: ground to stand and to drive on, zones, and what is behind them; drawn, or a street still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from detector.core.errors import BadInput
from detector.core.geometry import Polygon
from detector.core.values import Camera, Image, Zone, ZoneKind
from detector.demo.avenue import Avenue, Band, Surface, draw_avenue
from detector.demo.lens import Lens, Line, strip
from detector.demo.sprites import METRES

Random = np.random.Generator
CHINA: Final = ZoneInfo("Asia/Shanghai")

STILL_WH: Final = (1280, 720)
"""The size of the street stills in whose pixels the lines below are given."""


class Facing(StrEnum):
    """Which side of a vehicle the camera sees."""

    FRONT = "front"
    REAR = "rear"
    SIDE = "side"


@dataclass(frozen=True, slots=True)
class Lane:
    """A way to drive; `reverse` where traffic goes against the line's order: away from the camera, or leftward."""

    line: Line
    facing: Facing
    reverse: bool


@dataclass(frozen=True, slots=True)
class Kerb:
    """Where vehicles stand that may not: along a line in the middle of a zone, reached from a lane."""

    zone: str
    line: Line
    lane: Lane


@dataclass(frozen=True, slots=True)
class View:
    """A camera's place: its zones and perspective, and the ways of what moves there.

    `backdrop` is a drawn street, or a still's name in `footage/stills`. `dim` is how bright a cut-out looks on a still
    beside full daylight. `footways` are ways of people.
    """

    name: str
    camera: Camera
    lens: Lens
    lanes: tuple[Lane, ...]
    kerbs: tuple[Kerb, ...]
    footways: tuple[Line, ...]
    backdrop: Avenue | str
    dim: float = 1.0
    night: bool = False
    """A still taken at night."""

    @property
    def ground_y(self) -> float | None:
        """Where a drawn street's ground begins; None of a still."""
        if not isinstance(self.backdrop, Avenue):
            return None
        far = self.backdrop.end_m if self.backdrop.along else self.backdrop.fronts_m[0]
        return self.lens.foot(0, far)[1]


KERB_HALF_M: Final = 2.3
"""Half the width of a no-parking strip."""

LANE_HALF_M: Final = 1.8
"""Half the width of a lane."""

VEHICLE_M: Final = 2.2
"""Height of a vehicle that is seen from its side."""


def along_street(seed: int, resolution_wh: tuple[int, int]) -> View:
    """A drawn street of four lanes along which the camera looks; its height, focal length and side follow from the seed."""
    random = np.random.default_rng([seed, 21])
    lens = Lens(
        float(random.uniform(0.13, 0.24)), float(random.uniform(5, 9)), float(random.uniform(1.5, 2.3))
    )
    middle = float(random.uniform(-2.5, 2.5))
    surface = (Surface.ASPHALT, Surface.ASPHALT, Surface.COBBLES)[int(random.integers(3))]
    bands = (
        Band(-80, middle - 11, Surface.GRASS), Band(middle - 11, middle - 7, Surface.PAVING),
        Band(middle - 7, middle + 7, surface), Band(middle + 7, middle + 11, Surface.PAVING),
        Band(middle + 11, 80, Surface.GRASS),
    )  # fmt: skip
    trees = (middle - 10.2, middle + 10.2) if random.integers(2) else (middle + 10.2,)
    avenue = Avenue(
        lens, True, bands, (middle - 3.2, middle, middle + 3.2), (middle - 7, middle + 7),
        (middle - 14, middle + 14), seed, trees,
    )  # fmt: skip
    lanes = (
        Lane(_along(lens, middle + 1.7), Facing.REAR, True),
        Lane(_along(lens, middle - 1.7), Facing.FRONT, False),
    )
    kerbs = (
        Kerb("right-kerb", _along(lens, middle + 5.0), lanes[0]),
        Kerb("left-kerb", _along(lens, middle - 5.0), lanes[1]),
    )
    zones = [Zone("road", ZoneKind.CARRIAGEWAY, strip(lens, _along(lens, middle), 7.0))]
    zones += [Zone(k.zone, ZoneKind.NO_PARKING, strip(lens, k.line, KERB_HALF_M)) for k in kerbs]
    return View(
        "along", Camera("along", tuple(zones), CHINA, resolution_wh), lens, lanes, kerbs,
        (_along(lens, middle - 9), _along(lens, middle + 9)), avenue,
    )  # fmt: skip


FARTHEST_M: Final = 150.0


def _along(lens: Lens, x_m: float) -> Line:
    """A line in parallel to the view, from far to below the picture."""
    nearest = lens.depth_m(1.05)
    return Line(tuple(lens.foot(x_m, float(z)) for z in np.geomspace(FARTHEST_M, nearest, 8)))


@dataclass(frozen=True, slots=True)
class Before:
    """What lies between the camera and a street across the view: an open ground, of a zone where `kind` is given.

    `height_m` is the range of the camera's height, `widths_px` the range of how wide vehicles look beyond the ground.
    """

    kind: ZoneKind | None = None
    height_m: tuple[float, float] = (6.0, 10.0)
    widths_px: tuple[float, float] = (32.0, 190.0)
    fenced: bool = False


OPEN: Final = Before()
NEAREST_M: Final = 16.0
"""A street across the view is no nearer to the camera."""

FENCE_Y: Final = 0.6
"""Where the foot of a fence is in the picture."""


def across_street(seed: int, resolution_wh: tuple[int, int], before: Before = OPEN) -> View:
    """A drawn street at some distance, across which the camera looks; vehicles show their sides."""
    random = np.random.default_rng([seed, 22])
    lens = Lens(
        float(random.uniform(0.12, 0.22)),
        float(random.uniform(*before.height_m)),
        float(random.uniform(1.7, 2.6)),
    )
    wide_px = float(np.exp(random.uniform(*np.log(before.widths_px))))
    near = lens.focal * resolution_wh[1] * METRES / wide_px
    if before.kind is None:  # tilted so that the street, and not what lies before it, fills the picture
        near = max(NEAREST_M, near)
        middle_y = float(random.uniform(0.45, 0.6))
        lens = replace(lens, horizon=middle_y - lens.focal * lens.height_m / (near + 7))
    else:
        near = max(lens.depth_m(0.85) + 3, near)
    road = (near, near + 15)
    lots = (Surface.PAVING, Surface.COBBLES, Surface.GRASS)[: 3 if before.kind is None else 2]
    lot = lots[int(random.integers(len(lots)))]
    bands = (
        Band(0, near - 4, lot), Band(near - 4, near, Surface.PAVING), Band(*road, Surface.ASPHALT),
        Band(road[1], road[1] + 5, Surface.PAVING),
    )  # fmt: skip
    avenue = Avenue(
        lens, False, bands, (near + 7.5,), road, (road[1] + 5,), seed, (road[1] + 3,),
        lens.depth_m(FENCE_Y) if before.fenced else None, bool(random.integers(2)),
    )  # fmt: skip
    lanes = (
        Lane(_across(lens, near + 5.6), Facing.SIDE, False),
        Lane(_across(lens, near + 9.4), Facing.SIDE, True),
    )
    kerbs = (
        Kerb("near-kerb", _across(lens, near + 1.0), lanes[0]),
        Kerb("far-kerb", _across(lens, near + 12.4), lanes[1]),
    )
    zones = [Zone("road", ZoneKind.CARRIAGEWAY, _ground(lens, *road))]
    zones += [Zone(k.zone, ZoneKind.NO_PARKING, _belt(lens, k.line.points[0][1])) for k in kerbs]
    if before.kind is not None:
        zones.append(Zone("ground", before.kind, _open_ground(lens, near, fenced=before.fenced)))
    footways = [_across(lens, near - 2), _across(lens, road[1] + 2.5)]
    if before.kind is not None:
        footways += [_across(lens, lens.depth_m(y)) for y in (0.72, 0.9)]
    return View(
        "across",
        Camera("across", tuple(zones), CHINA, resolution_wh),
        lens,
        lanes,
        kerbs,
        tuple(footways),
        avenue,
    )


def with_approach(view: View) -> View:
    """The view with a no-parking zone over the lane in which vehicles queue, the last one."""
    line = view.lanes[-1].line
    polygon = _belt(view.lens, line.points[0][1]) if line.level else strip(view.lens, line, LANE_HALF_M)
    zones = (*view.camera.zones, Zone("approach", ZoneKind.NO_PARKING, polygon))
    return replace(view, camera=replace(view.camera, zones=zones))


def _across(lens: Lens, z_m: float) -> Line:
    y = lens.foot(0, z_m)[1]
    return Line(((-0.12, y), (1.12, y)))


def _open_ground(lens: Lens, near_m: float, *, fenced: bool) -> Polygon:
    far = FENCE_Y if fenced else lens.foot(0, near_m - 4)[1]
    return ((0.0, far), (1.0, far), (1.0, 0.99), (0.0, 0.99))


def _ground(lens: Lens, from_m: float, until_m: float) -> Polygon:
    near, far = lens.foot(0, from_m)[1], lens.foot(0, until_m)[1]
    return ((0.0, far), (1.0, far), (1.0, near), (0.0, near))


def _belt(lens: Lens, foot_y: float) -> Polygon:
    """What vehicles cover with their lowest part when their wheels are at `foot_y`, and a little more."""
    tall = VEHICLE_M * lens.scale(foot_y)
    far, near = foot_y - 0.36 * tall, foot_y + 0.1 * tall
    return ((0.0, far), (1.0, far), (1.0, near), (0.0, near))


def _still_line(*points: tuple[int, int]) -> Line:
    return Line(tuple((x / STILL_WH[0], y / STILL_WH[1]) for x, y in points))


@dataclass(frozen=True, slots=True)
class _Still:
    lens: Lens
    lanes: tuple[tuple[Line, Facing, bool], ...]
    kerbs: tuple[tuple[str, Line, int], ...]
    """Zone, line, and which lane it is reached from."""
    footways: tuple[Line, ...]
    dim: float
    night: bool


STILLS: Final[Mapping[str, _Still]] = MappingProxyType(
    {
        "other": _Still(
            Lens(0.113, 16.5, 1.5),
            (
                (_still_line((1150, 290), (1060, 400), (985, 475), (830, 700), (740, 830)), Facing.FRONT, False),
                (_still_line((1165, 290), (1090, 400), (1030, 475), (920, 700), (860, 830)), Facing.REAR, True),
            ),
            (
                ("left-kerb", _still_line((1085, 305), (950, 405), (865, 475), (660, 690), (600, 750)), 0),
                ("right-kerb", _still_line((1150, 330), (1120, 405), (1055, 520), (985, 680), (950, 760)), 1),
            ),
            (_still_line((1020, 320), (870, 420), (760, 500), (480, 720)),),
            1.0, False,
        ),
        "south_street_cityhall": _Still(
            Lens(0.02, 12.2, 1.5),
            (
                (_still_line((1000, 215), (930, 330), (870, 430), (770, 560), (640, 830)), Facing.FRONT, False),
                (_still_line((1030, 215), (985, 330), (930, 430), (850, 560), (760, 830)), Facing.REAR, True),
            ),
            (("right-kerb", _still_line((1105, 215), (1050, 330), (1000, 430), (940, 560), (870, 750)), 1),),
            (_still_line((900, 270), (780, 400), (640, 560), (520, 720)),),
            0.9, False,
        ),
        "north_street_petzhold": _Still(
            Lens(0.139, 10.8, 1.5),
            (
                (_still_line((275, 205), (350, 310), (420, 410), (540, 560), (700, 830)), Facing.REAR, True),
                (_still_line((225, 205), (270, 310), (310, 410), (380, 560), (460, 830)), Facing.FRONT, False),
            ),
            (("kerb", _still_line((300, 205), (425, 310), (534, 410), (700, 560), (860, 725)), 0),),
            (_still_line((380, 225), (560, 350), (760, 500), (1020, 715)),),
            0.6, True,
        ),
    }
)  # fmt: skip
"""Perspective and ways of the street stills, measured on people, bicycles and vehicles in them."""


def photographed_street(name: str, resolution_wh: tuple[int, int]) -> View:
    """A street still, enlarged to the picture, with its ways."""
    still = STILLS[name]
    lanes = tuple(Lane(*lane) for lane in still.lanes)
    kerbs = tuple(Kerb(zone, line, lanes[lane]) for zone, line, lane in still.kerbs)
    zones = tuple(Zone(k.zone, ZoneKind.NO_PARKING, strip(still.lens, k.line, KERB_HALF_M)) for k in kerbs)
    camera = Camera(name, zones, CHINA, resolution_wh)
    return View(name, camera, still.lens, lanes, kerbs, still.footways, f"{name}.jpg", still.dim, still.night)


def backdrop_of(view: View, resolution_wh: tuple[int, int], shared: Path | None, *, night: bool) -> Image:
    """The empty street, height x width x 3, BGR, uint8. Raises BadInput where a still cannot be read."""
    if isinstance(view.backdrop, Avenue):
        return _drawn(view.backdrop, resolution_wh, night)
    return _photographed((shared or Path()) / "footage" / "stills" / view.backdrop, resolution_wh)


@lru_cache(maxsize=2)
def _drawn(avenue: Avenue, resolution_wh: tuple[int, int], night: bool) -> Image:
    return draw_avenue(avenue, resolution_wh, night=night)


@lru_cache(maxsize=2)
def _photographed(file: Path, resolution_wh: tuple[int, int]) -> Image:
    still = cv2.imread(str(file)) if file.is_file() else None
    if still is None:
        raise BadInput(
            f"{file}: no such still; --shared names a folder with footage/stills and footage/sprites"
        )
    return enlarged(np.asarray(still, np.uint8), resolution_wh)


def enlarged(still: Image, resolution_wh: tuple[int, int]) -> Image:
    """A still at another size, with the fine grain that an enlarged picture lacks."""
    larger = still.shape[1] < resolution_wh[0]
    method = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    picture = cv2.resize(still, resolution_wh, interpolation=method)
    if not larger:
        return np.asarray(picture, np.uint8)
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.5)
    sharp = cv2.addWeighted(picture, 1.3, blurred, -0.3, 0)
    grain = np.random.default_rng(still.shape[0]).normal(0, 2.0, sharp.shape[:2]).astype(np.float32)
    grained = sharp + cv2.GaussianBlur(grain, (0, 0), 0.8)[..., None]
    return np.asarray(np.clip(grained, 0, 255), np.uint8)

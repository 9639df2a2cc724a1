"""A footway with a tactile path: goods that are piled on it, and what only looks like them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from detector.core.geometry import Polygon
from detector.core.values import Camera, Violation, Zone, ZoneKind
from detector.demo.bags import BAGS
from detector.demo.play import Foot, Random
from detector.demo.rubbish import END_S, HEIGHT, WIDTH, owned
from detector.demo.scene import Actor, Waypoint

LIMITS_S: Final[Mapping[Violation, float]] = MappingProxyType({Violation.PILED_GOODS: 150.0})
"""Shorter than the one that kerbwatch starts from, so that a case takes minutes."""

LARGE: Final = (3.2, 4.5)
"""Size of a heap, in sizes of a bag."""

SMALL: Final = (0.8, 1.2)


def _polygon(*corners: tuple[int, int]) -> Polygon:
    return tuple((x / WIDTH, y / HEIGHT) for x, y in corners)


CAMERA: Final = Camera(
    "piles",
    (
        Zone("road", ZoneKind.CARRIAGEWAY, _polygon((0, 205), (960, 190), (960, 325), (0, 340))),
        Zone("footway", ZoneKind.SIDEWALK, _polygon((0, 340), (960, 325), (960, 540), (0, 540))),
        Zone("tactile", ZoneKind.TACTILE_PATH, _polygon((0, 395), (960, 385), (960, 425), (0, 435))),
    ),
    ZoneInfo("Asia/Shanghai"),
    (WIDTH, HEIGHT),
)


def piled(random: Random) -> tuple[Actor, ...]:
    """Goods are put on the footway and stay."""
    return (_heap(random, _spot(random, (0.88, 0.95)), float(random.integers(150, 240)), END_S, LARGE),)


def on_tactile_path(random: Random) -> tuple[Actor, ...]:
    """Goods are put on the tactile path and stay."""
    return (_heap(random, _spot(random, (0.775, 0.785)), float(random.integers(150, 240)), END_S, LARGE),)


def cleared(random: Random) -> tuple[Actor, ...]:
    """Goods stand beyond the limit, and are taken away."""
    at_s = float(random.integers(150, 200))
    return (_heap(random, _spot(random, (0.88, 0.95)), at_s, at_s + float(random.integers(230, 300)), LARGE),)


def unloaded(random: Random) -> tuple[Actor, ...]:
    """Goods that are gone before the limit."""
    at_s = float(random.integers(150, 260))
    return (_heap(random, _spot(random, (0.88, 0.95)), at_s, at_s + float(random.integers(60, 100)), LARGE),)


def small(random: Random) -> tuple[Actor, ...]:
    """One bag: litter, and no piled goods."""
    return (_heap(random, _spot(random, (0.88, 0.95)), float(random.integers(150, 240)), END_S, SMALL),)


def attended(random: Random) -> tuple[Actor, ...]:
    """Luggage whose owner stays beside it."""
    return owned(random)


def _spot(random: Random, depth: tuple[float, float]) -> Foot:
    return float(random.uniform(0.3, 0.8)), float(random.uniform(*depth))


def _heap(random: Random, place: Foot, at_s: float, until_s: float, size: tuple[float, float]) -> Actor:
    """Something that is there over [at_s, until_s); it comes from the side, and leaves so."""
    path = [Waypoint(at_s - 8, -0.25, place[1]), Waypoint(at_s, *place), Waypoint(until_s, *place)]
    if until_s < END_S:
        path.append(Waypoint(until_s + 8, 1.25, place[1]))
    exempt = "small" if size is SMALL else ""
    name = f"bag-{int(random.integers(BAGS))}"
    return Actor(name, tuple(path), exempt=exempt, size=float(random.uniform(*size)))

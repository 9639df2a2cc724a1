"""A footway that is to be kept clean: what is left on it, by whom, and what only looks like it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from detector.core.geometry import Polygon
from detector.core.times import DailyHours
from detector.core.values import Camera, Violation, Zone, ZoneKind
from detector.demo.bags import BAGS
from detector.demo.play import CARS, PEOPLE, Foot, Random, visit
from detector.demo.scene import Actor, Waypoint

WIDTH, HEIGHT = 960, 540


def _polygon(*corners: tuple[int, int]) -> Polygon:
    return tuple((x / WIDTH, y / HEIGHT) for x, y in corners)


CAMERA: Final = Camera(
    "clean",
    (
        Zone("road", ZoneKind.CARRIAGEWAY, _polygon((0, 205), (960, 190), (960, 325), (0, 340))),
        Zone("footway", ZoneKind.SIDEWALK, _polygon((0, 340), (960, 325), (960, 540), (0, 540))),
        Zone("clean", ZoneKind.SANITATION, _polygon((0, 345), (960, 330), (960, 535), (0, 535))),
        Zone(
            "collection",
            ZoneKind.SANITATION,
            _polygon((60, 400), (300, 400), (300, 530), (60, 530)),
            (DailyHours.parse("00:00-24:00"),),
        ),
    ),
    ZoneInfo("Asia/Shanghai"),
    (WIDTH, HEIGHT),
)
"""At the collection point bags may lie at any hour, though the zone around it is to be clean."""

LIMITS_S: Final[Mapping[Violation, float]] = MappingProxyType({Violation.LITTER: 120.0})
"""Shorter than the one that kerbwatch starts from, so that a case takes minutes."""

END_S: Final = 1200.0
"""After the end of every scene."""

HAND: Final = 0.035
"""How far beside its carrier's feet a bag hangs, in picture widths."""


def left(random: Random) -> tuple[Actor, ...]:
    """Dropped by somebody who walks on."""
    return _dropped(random, _spot(random), float(random.integers(140, 260)), END_S)


def removed(random: Random) -> tuple[Actor, ...]:
    """Left beyond the limit, then somebody takes it away."""
    at_s = float(random.integers(140, 200))
    return _dropped(random, _spot(random), at_s, at_s + float(random.integers(180, 260)))


def fetched(random: Random) -> tuple[Actor, ...]:
    """Left, and fetched again before the limit."""
    at_s = float(random.integers(140, 260))
    return _dropped(random, _spot(random), at_s, at_s + float(random.integers(50, 85)))


def owned(random: Random) -> tuple[Actor, ...]:
    """Put down by somebody who stays beside it, and takes it along."""
    place, at_s = _spot(random), float(random.integers(130, 180))
    until_s = at_s + float(random.integers(260, 340))
    bag = _carried(random, place, at_s, until_s, exempt="owned")
    side = place[0] + HAND + 0.015
    way = [Waypoint(at_s - 14, -0.1 + HAND, place[1]), Waypoint(at_s, place[0] + HAND, place[1])]
    now_s = at_s + 2
    while now_s < until_s - 15:
        way.append(Waypoint(now_s, side + float(random.uniform(-0.004, 0.004)), place[1] + 0.005))
        now_s = min(until_s - 4.0, now_s + float(random.uniform(30, 60)))
        way.append(Waypoint(now_s, way[-1].x, way[-1].y))
        now_s += 1.5
    way += [Waypoint(until_s, place[0] + HAND, place[1]), Waypoint(until_s + 14, 1.1 + HAND, place[1])]
    return (Actor(_who(random), tuple(way)), bag)


def shadow(random: Random) -> tuple[Actor, ...]:
    """A shadow falls on the ground and stays."""
    place, at_s = _spot(random), float(random.integers(140, 220))
    return (Actor("shade", (Waypoint(at_s, *place), Waypoint(END_S, *place)), exempt="shadow"),)


def permitted(random: Random) -> tuple[Actor, ...]:
    """A bag beside the bin at the collection point."""
    place = (float(random.uniform(0.12, 0.26)), float(random.uniform(0.86, 0.93)))
    bin_ = Actor("bin", (Waypoint(-60.0, 0.2, 0.82), Waypoint(END_S, 0.2, 0.82)), exempt="bin")
    return (bin_, *_dropped(random, place, float(random.integers(140, 200)), END_S))


def taken_away(random: Random) -> tuple[Actor, ...]:
    """What always stood there, a bin, is taken away: the bare ground is new, and no litter."""
    place, at_s = _spot(random), float(random.integers(180, 260))
    path = (
        Waypoint(-60.0, *place), Waypoint(at_s, *place), Waypoint(at_s + 14, 1.2, place[1]),
    )  # fmt: skip
    return (Actor("bin", path, exempt="bin", size=0.7), _walks(random, place, at_s, 14.0, leaves=True))


def parked(random: Random) -> tuple[Actor, ...]:
    """Two vehicles stand on the footway for minutes; no part of them is litter."""
    return tuple(
        visit(CAMERA, CARS[int(random.integers(len(CARS)))], (x, 0.84), at_s, at_s + 270.0)
        for x, at_s in ((0.35, 120.0), (0.75, 160.0))
    )


def _spot(random: Random) -> Foot:
    """A place on the footway, away from the collection point."""
    return float(random.uniform(0.42, 0.9)), float(random.uniform(0.72, 0.93))


def _who(random: Random) -> str:
    return PEOPLE[int(random.integers(len(PEOPLE)))]


def _dropped(random: Random, place: Foot, at_s: float, until_s: float) -> tuple[Actor, ...]:
    """A bag left over [at_s, until_s), who brings it and, if it is fetched, who does."""
    bag = _carried(random, place, at_s, until_s)
    people = [_walks(random, place, at_s, 12.0, leaves=False)]
    if until_s < END_S:
        people.append(_walks(random, place, until_s, 14.0, leaves=True))
    return (*people, bag)


def _carried(random: Random, place: Foot, at_s: float, until_s: float, exempt: str = "") -> Actor:
    lifted = place[1] - 0.03
    path = [
        Waypoint(at_s - 14, -0.1, lifted), Waypoint(at_s - 0.5, place[0], lifted), Waypoint(at_s, *place),
        Waypoint(until_s, *place),
    ]  # fmt: skip
    if until_s < END_S:
        path += [Waypoint(until_s + 0.5, place[0], lifted), Waypoint(until_s + 14, 1.1, lifted)]
    name = f"bag-{int(random.integers(BAGS))}"
    return Actor(name, tuple(path), exempt=exempt, size=float(random.uniform(0.8, 1.3)))


def _walks(random: Random, place: Foot, at_s: float, took_s: float, *, leaves: bool) -> Actor:
    """Somebody who passes the place, a hand's breadth beside it, at a moment."""
    before_s, after_s = (took_s, 14.0) if leaves else (14.0, took_s)
    path = (
        Waypoint(at_s - before_s, -0.1 + HAND, place[1]), Waypoint(at_s, place[0] + HAND, place[1]),
        Waypoint(at_s + after_s, 1.1 + HAND, place[1]),
    )  # fmt: skip
    return Actor(_who(random), path)

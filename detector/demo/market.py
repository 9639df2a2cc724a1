"""A street with a wide footway, on which people vend, wait and rest and bikes stand: what its cases play."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from detector.core.geometry import Polygon
from detector.core.times import DailyHours
from detector.core.values import Camera, Violation, Zone, ZoneKind
from detector.demo.play import CARS, PEOPLE, Foot, Random, visit
from detector.demo.scene import Actor, Waypoint

WIDTH, HEIGHT = 960, 540


def _polygon(*corners: tuple[int, int]) -> Polygon:
    return tuple((x / WIDTH, y / HEIGHT) for x, y in corners)


CAMERA: Final = Camera(
    "market",
    (
        Zone("road", ZoneKind.CARRIAGEWAY, _polygon((0, 205), (960, 190), (960, 325), (0, 340))),
        Zone("footway", ZoneKind.SIDEWALK, _polygon((0, 340), (960, 325), (960, 540), (0, 540))),
        Zone("bikes", ZoneKind.PARKING_BAY, _polygon((20, 400), (440, 400), (440, 520), (20, 520))),
        Zone("stalls", ZoneKind.NO_VENDING, _polygon((460, 345), (950, 335), (950, 530), (460, 530))),
    ),
    ZoneInfo("Asia/Shanghai"),
    (WIDTH, HEIGHT),
)

EVENINGS: Final = replace(
    CAMERA,
    zones=(
        *CAMERA.zones[:-1],
        replace(CAMERA.zones[-1], permitted=(DailyHours.parse("18:00-23:30"),)),
    ),
)
"""The same street where vending is allowed in the evening, as at a night market."""

LIMITS_S: Final[Mapping[Violation, float]] = MappingProxyType(
    {Violation.STREET_VENDING: 240.0, Violation.DISORDERLY_BIKES: 300.0}
)
"""Shorter than those that kerbwatch starts from, so that a case takes minutes."""

BIKES: Final = ("bike-red", "bike-blue", "bike-green", "bike-yellow", "bike-silver")
END_S: Final = 900.0
"""After the end of every scene."""


def bikes(random: Random) -> tuple[Actor, ...]:
    """Five, brought within a minute and fetched within a minute, on the footway."""
    return tuple(_row(random, 0.58, 0.9, 60.0, 60.0 + float(random.integers(370, 450))))


def bikes_in_bay(random: Random) -> tuple[Actor, ...]:
    return tuple(_row(random, 0.12, 0.92, 60.0, 60.0 + float(random.integers(370, 450))))


def _row(random: Random, x: float, y: float, from_s: float, until_s: float) -> Iterator[Actor]:
    """Bikes side by side, some 0.06 of the picture's width apart."""
    for i, k in enumerate(random.permutation(len(BIKES))):
        foot = (x + 0.062 * i, y + 0.008 * (i % 2))
        comes_s, goes_s = from_s + float(random.uniform(0, 6)), until_s + float(random.uniform(0, 6))
        path = (
            Waypoint(comes_s - 12, foot[0] + 0.6, foot[1] - 0.1), Waypoint(comes_s, *foot), Waypoint(goes_s, *foot),
            Waypoint(goes_s + 12, foot[0] - 0.9, foot[1] - 0.1),
        )  # fmt: skip
        yield Actor(BIKES[k], path, facing_right=bool(random.integers(2)))


def van(random: Random) -> tuple[Actor, ...]:
    """Comes, sells and goes; two customers stop for less than a minute each."""
    return _selling(random, float(random.integers(40, 80)), float(random.integers(300, 420)))


def permitted(random: Random) -> tuple[Actor, ...]:
    return _selling(random, 40.0, 480.0)


def _selling(random: Random, from_s: float, lasts_s: float) -> tuple[Actor, ...]:
    foot = (float(random.uniform(0.7, 0.78)), float(random.uniform(0.84, 0.9)))
    vehicle = CARS[int(random.integers(len(CARS)))]
    wheels = visit(CAMERA, vehicle, foot, from_s, from_s + lasts_s, vends=True)
    side = foot[0] - 0.15
    vendor = _lingers(random, (side, foot[1] + 0.015), from_s + 6, from_s + lasts_s - 6)
    return (wheels, vendor, *_customers(random, (side - 0.06, foot[1] + 0.03), from_s, lasts_s))


def stall(random: Random) -> tuple[Actor, ...]:
    """Carried in and out; the vendor stands under it."""
    foot = (float(random.uniform(0.6, 0.8)), float(random.uniform(0.84, 0.9)))
    from_s, lasts_s = float(random.integers(40, 80)), float(random.integers(300, 420))
    path = (
        Waypoint(from_s - 15, 1.2, foot[1] - 0.05), Waypoint(from_s, *foot), Waypoint(from_s + lasts_s, *foot),
        Waypoint(from_s + lasts_s + 15, 1.2, foot[1] - 0.05),
    )  # fmt: skip
    vendor = _lingers(random, (foot[0] + 0.05, foot[1] + 0.01), from_s + 4, from_s + lasts_s - 4)
    others = _customers(random, (foot[0] - 0.06, foot[1] + 0.03), from_s, lasts_s)
    return (Actor("parasol", path, vends=True), vendor, *others)


def walkers(random: Random) -> tuple[Actor, ...]:
    """A van stands on the footway for long; who passes only passes."""
    foot = (float(random.uniform(0.65, 0.8)), float(random.uniform(0.84, 0.9)))
    return (visit(CAMERA, CARS[int(random.integers(len(CARS)))], foot, 30.0, 570.0),)


def waiting(random: Random) -> tuple[Actor, ...]:
    """Three places at a stop, each somebody else's every minute or two, and one person who waits throughout."""
    people = [_lingers(random, (0.85, 0.86), 20.0, 560.0)]
    for i in range(3):
        at_s = 10.0 + 20 * i
        while at_s < 480:
            until_s = at_s + float(random.integers(50, 110))
            place = (0.55 + 0.09 * i, 0.84 + 0.03 * float(random.uniform()))
            people.append(_person(random, place, at_s, until_s))
            at_s = until_s + float(random.integers(8, 30))
    return tuple(people)


def rest(random: Random) -> tuple[Actor, ...]:
    """The parasol belongs to the street; somebody sits under it for two minutes, and later somebody else."""
    foot = (float(random.uniform(0.6, 0.8)), float(random.uniform(0.84, 0.9)))
    parasol = Actor("parasol", (Waypoint(-60.0, *foot), Waypoint(END_S, *foot)), exempt="street furniture")
    first = _lingers(random, (foot[0] + 0.05, foot[1] + 0.01), 60.0, 180.0)
    second = _lingers(random, (foot[0] - 0.04, foot[1] + 0.01), 400.0, 520.0)
    return (parasol, first, second)


def _lingers(random: Random, place: Foot, from_s: float, until_s: float) -> Actor:
    """Somebody who comes on foot, stays about one place, a step this way or that, and goes."""
    way = [Waypoint(from_s - 8, place[0] + 0.02, place[1] - 0.12), Waypoint(from_s, *place)]
    at_s = from_s
    while (at_s := at_s + float(random.uniform(25, 50))) < until_s - 10:
        here = (
            place[0] + float(random.uniform(-0.012, 0.012)),
            place[1] + float(random.uniform(-0.01, 0.01)),
        )
        way += [Waypoint(at_s - 2, way[-1].x, way[-1].y), Waypoint(at_s, *here)]
    way += [Waypoint(until_s, way[-1].x, way[-1].y), Waypoint(until_s + 8, place[0] + 0.02, place[1] - 0.12)]
    return Actor(PEOPLE[int(random.integers(len(PEOPLE)))], tuple(way))


def _customers(random: Random, place: Foot, from_s: float, lasts_s: float) -> tuple[Actor, ...]:
    return tuple(
        _person(random, place, at_s, at_s + float(random.uniform(20, 50)))
        for at_s in (from_s + 0.25 * lasts_s, from_s + 0.6 * lasts_s)
    )


def _person(random: Random, place: Foot, from_s: float, until_s: float) -> Actor:
    """Somebody who comes along the footway, stands there and walks on."""
    path = (
        Waypoint(from_s - 10, -0.05, place[1]), Waypoint(from_s, *place), Waypoint(until_s, *place),
        Waypoint(until_s + 8, 1.05, place[1]),
    )  # fmt: skip
    return Actor(PEOPLE[int(random.integers(len(PEOPLE)))], path, facing_right=True)

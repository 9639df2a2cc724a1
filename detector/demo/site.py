"""A street on which a composed case plays: its view, light and weather, and what stands, drives and walks there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from detector.core.errors import BadInput
from detector.core.geometry import Box, contact_share
from detector.core.values import ZoneKind
from detector.demo.cast import WALKERS, Vehicle, vehicles
from detector.demo.drive import halt, through
from detector.demo.lens import Foot
from detector.demo.play import SURE_SHARE
from detector.demo.scene import Actor, Scene, Waypoint, light_at
from detector.demo.views import (
    CHINA,
    STILLS,
    Before,
    Facing,
    Kerb,
    View,
    across_street,
    along_street,
    photographed_street,
    with_approach,
)
from detector.demo.weather import Fair, Weather

Random = np.random.Generator

STILL: Final = (Waypoint(0.0, 0.0, 0.0), Waypoint(1.0, 0.0, 0.0))
"""A way that serves where only a size is asked for."""

NOISE: Final = 0.8
"""Strength of a picture's noise in grey levels by day: what is left of it after a camera's own noise reduction."""

TRIES: Final = 80
"""Maximum number of places to draw at random before a case fails."""

HIDDEN_SHARE: Final = 0.12
"""Two standing vehicles cover each other by at most this part of the smaller one."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where and when a case plays. `random` is the case's own source of chance."""

    view: View
    start: datetime
    duration_s: float
    resolution_wh: tuple[int, int]
    weather: Weather
    shared: Path | None
    random: Random
    seed: int

    def scene(self, actors: Sequence[Actor]) -> Scene:
        """The scene of these actors, with the limits that the program starts from."""
        return Scene(
            self.view.camera, self.start, self.duration_s, tuple(actors), (), self.seed, self.resolution_wh,
            noise=NOISE, shared=self.shared, lens=self.view.lens,
        )  # fmt: skip

    def width_px(self, actor: Actor, foot: Foot) -> float:
        """How wide something is in the picture."""
        box = self.scene(()).box_of(actor, *foot)
        return (box[2] - box[0]) * self.resolution_wh[0]

    def cast(self, facing: Facing) -> list[Vehicle]:
        """The vehicles that may be seen from one side, in an order drawn by lot. Raises BadInput where there is none."""
        found = [vehicle for vehicle in vehicles(self.shared) if vehicle.facing is facing]
        if not found:
            raise BadInput(
                f"no vehicle is seen from its {facing}; --shared names a folder with footage/sprites"
            )
        return [found[i] for i in self.random.permutation(len(found))]


class Ground(StrEnum):
    """What a case needs of its street."""

    STREET = "street"
    APPROACH = "approach"
    """A lane with a stop line, which vehicles may not block."""
    MARKET = "market"
    """An open pavement on which nobody may sell."""
    YARD = "yard"
    """A pavement that is to be kept clean, before a fence or hedge."""


class Conditions(StrEnum):
    """Light and weather of a case."""

    BY_LOT = "by lot"
    CLOUDS = "clouds"
    DRIFT = "drift"
    RAIN = "rain"
    WIND = "wind"
    NIGHT = "night"
    NIGHT_RAIN = "night rain"

    @property
    def night(self) -> bool:
        return self in (Conditions.NIGHT, Conditions.NIGHT_RAIN)


MARKET: Final = Before(ZoneKind.NO_VENDING, (6.0, 9.0), (32.0, 60.0))
YARD: Final = Before(ZoneKind.SANITATION, (3.8, 5.2), (32.0, 60.0), fenced=True)


def site_of(
    seed: int, resolution_wh: tuple[int, int], duration_s: float, *, rough: bool, shared: Path | None,
    ground: Ground = Ground.STREET, conditions: Conditions = Conditions.BY_LOT,
) -> Site:  # fmt: skip
    """A site by lot. By lot, `rough` is at night or in bad weather; else it is day and fair, or clouds pass."""
    random = np.random.default_rng([seed, 51])
    by_lot = conditions is Conditions.BY_LOT
    night = rough and bool(np.random.default_rng([seed, 52]).integers(2)) if by_lot else conditions.night
    views = _views(seed, resolution_wh, shared, ground, night=night)
    view = views[int(random.integers(len(views)))]()
    view = with_approach(view) if ground is Ground.APPROACH else view
    dark = night or view.night
    hour = int(random.integers(20, 29)) % 24 if dark else int(random.integers(8, 16))
    start = datetime(2026, 1, 8, hour, int(random.integers(60)), tzinfo=CHINA)
    weather = (
        _by_lot(random, seed, rough=rough, night=night) if by_lot else _weather_of(conditions, random, seed)
    )
    return Site(view, start, duration_s, resolution_wh, weather, shared, random, seed)


def _views(
    seed: int, resolution_wh: tuple[int, int], shared: Path | None, ground: Ground, *, night: bool
) -> list[Callable[[], View]]:
    if ground in (Ground.MARKET, Ground.YARD):
        before = MARKET if ground is Ground.MARKET else YARD
        return [lambda: across_street(seed, resolution_wh, before)]
    drawn: list[Callable[[], View]] = [lambda: across_street(seed, resolution_wh)]
    if shared is None:
        return drawn
    drawn.append(lambda: along_street(seed, resolution_wh))

    def still(name: str) -> Callable[[], View]:
        return lambda: photographed_street(name, resolution_wh)

    return drawn + [still(name) for name in STILLS if STILLS[name].night == night]


def _by_lot(random: Random, seed: int, *, rough: bool, night: bool) -> Weather:
    if not rough:
        return Weather(clouds=0.5, seed=seed) if random.random() < 0.25 else Fair
    if night:
        return Weather(rain=0.6, seed=seed) if random.random() < 0.3 else Fair
    kinds = (Conditions.RAIN, Conditions.CLOUDS, Conditions.WIND)
    return _weather_of(kinds[int(random.integers(len(kinds)))], random, seed)


def _weather_of(conditions: Conditions, random: Random, seed: int) -> Weather:
    strength = float(random.uniform(0.5, 1.0))
    return {
        Conditions.CLOUDS: Weather(clouds=strength, drift=0.08, seed=seed),
        Conditions.DRIFT: Weather(
            drift=0.12 + 0.15 * strength, drift_s=float(random.uniform(300, 1500)), seed=seed
        ),
        Conditions.RAIN: Weather(rain=strength, seed=seed),
        Conditions.WIND: Weather(sway=strength, drift=0.05, rain=0.3 * (seed % 2), seed=seed),
        Conditions.NIGHT_RAIN: Weather(rain=strength, seed=seed),
    }.get(conditions, Fair)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vehicle stands, on which kerb, and which vehicle."""

    kerb: Kerb
    foot: Foot
    vehicle: Vehicle

    def stand(self, site: Site, from_s: float, until_s: float) -> Actor:
        """Comes from its lane, stands over [from_s, until_s), and drives on."""
        lane = self.kerb.lane
        return halt(
            site.view.lens, lane.line, self.vehicle.sprite, self.foot, from_s, until_s, reverse=lane.reverse,
            size=self.vehicle.size, mirrored=lane.facing is Facing.SIDE and not lane.reverse,
        )  # fmt: skip


def place_of_width(site: Site, width_px: tuple[float, float], taken: Sequence[Box] = ()) -> Place | None:
    """A place at a kerb where a vehicle is as wide as that in the picture, and hides no other; None where none is found."""
    for _ in range(TRIES):
        kerb = site.view.kerbs[int(site.random.integers(len(site.view.kerbs)))]
        wide = float(np.exp(site.random.uniform(*np.log(width_px))))
        vehicle = site.cast(kerb.lane.facing)[0]
        foot = _foot(site, kerb, vehicle, wide)
        box = site.scene(()).box_of(Actor(vehicle.sprite, STILL, size=vehicle.size), *foot)
        shown = (box[2] - box[0]) * site.resolution_wh[0]
        if not width_px[0] <= shown <= min(width_px[1], vehicle.widest_px):
            continue
        if box[0] < 0.005 or box[2] > 0.995 or box[1] < 0.01 or box[3] > 0.99:
            continue
        zone = next(z for z in site.view.camera.zones if z.id == kerb.zone)
        if contact_share(box, zone.polygon) < SURE_SHARE:
            continue
        if all(covered(box, other) < HIDDEN_SHARE for other in taken):
            return Place(kerb, foot, vehicle)
    return None


def _foot(site: Site, kerb: Kerb, vehicle: Vehicle, width_px: float) -> Foot:
    """On the kerb's line where the vehicle is so wide; anywhere on a level one."""
    if kerb.line.level:
        return float(site.random.uniform(0.06, 0.94)), kerb.line.points[0][1]
    first, last = kerb.line.range_y
    y = site.view.lens.y_of(width_px, vehicle.width_m, site.resolution_wh[1])
    return kerb.line.at(min(last, max(first, y)))


def covered(a: Box, b: Box) -> float:
    """The shared part of two boxes, of the smaller one."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))


def recast(site: Site, place: Place) -> Iterator[Place]:
    """The same place with other vehicles, shown about as wide; those that would be a blur are left out."""
    shown = site.width_px(Actor(place.vehicle.sprite, STILL, size=place.vehicle.size), place.foot)
    for vehicle in site.cast(place.kerb.lane.facing):
        wide = shown * vehicle.width_m / place.vehicle.width_m
        if vehicle != place.vehicle and wide <= vehicle.widest_px and 0.8 < wide / shown < 1.25:
            yield replace(place, vehicle=vehicle)


def traffic(site: Site, *, vehicles_per_min: float, people_per_min: float) -> Iterator[Actor]:
    """Vehicles and people that only pass, at all distances, from before the start to the end."""
    random, view = site.random, site.view
    quiet = 0.4 if light_at(site.start).night else 1.0
    for at_s in _moments(site, quiet * vehicles_per_min):
        lane = view.lanes[int(random.integers(len(view.lanes)))]
        vehicle = site.cast(lane.facing)[0]
        yield through(
            view.lens, lane.line, vehicle.sprite, at_s, reverse=lane.reverse, size=vehicle.size,
            speed_m_s=float(random.uniform(6, 13)), mirrored=lane.facing is Facing.SIDE and not lane.reverse,
        )  # fmt: skip
    for at_s in _moments(site, quiet * people_per_min) if view.footways else ():
        way = view.footways[int(random.integers(len(view.footways)))]
        sprite, reverse = WALKERS[int(random.integers(len(WALKERS)))], bool(random.integers(2))
        speed = float(random.uniform(1.0, 1.6))
        yield through(view.lens, way, sprite, at_s, reverse=reverse, speed_m_s=speed, mirrored=not reverse)


def _moments(site: Site, per_min: float) -> Iterator[float]:
    at_s = -60.0
    while (
        per_min > 0
        and (at_s := at_s + max(1.5, float(site.random.exponential(60 / per_min)))) < site.duration_s
    ):
        yield round(at_s, 2)


def middle_of(site: Site, actor: Actor) -> float:
    """The middle of an actor's longest stand, in seconds from the start."""
    from_s, until_s, _, _ = max(actor.stands(), key=lambda stand: stand[1] - stand[0])
    return (max(0.0, from_s) + min(site.duration_s, until_s)) / 2

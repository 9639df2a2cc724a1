"""A made scene: what stands and moves on a street and when, its pictures, and what is true of it.

A scene is a frozen value; the same scene gives the same picture at the same moment, whatever was drawn before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from detector.core.errors import BadInput
from detector.core.geometry import Box, contact_share
from detector.core.values import Camera, Image, Violation, Zone, ZoneKind
from detector.demo.lens import Lens
from detector.demo.sprites import METRES, Kind, Sprite, wardrobe
from detector.demo.street import horizon, street

PARKING_LIMITS_S: Final[Mapping[Violation, float]] = {
    Violation.ILLEGAL_PARKING: 180.0,
    Violation.SIDEWALK_PARKING: 180.0,
}
PLACES: Final[Mapping[ZoneKind, Violation]] = MappingProxyType(
    {ZoneKind.NO_PARKING: Violation.ILLEGAL_PARKING, ZoneKind.SIDEWALK: Violation.SIDEWALK_PARKING}
)
Limit = Callable[[Violation, Zone, datetime], float | None]
"""The limit in seconds of a violation in a zone at a local time; None where it is none. As `RuleSet.limit_s`."""

BIKES_TOGETHER: Final = 3
"""So many bikes together outside bays are disorderly, as in the rules that kerbwatch starts from."""

IN_ZONE_SHARE: Final = 0.5
"""From this part of its ground contact on, a vehicle stands in a zone. Made scenes keep well away from it."""

TACTILE_SHARE: Final = 0.2
"""The same of goods on a tactile path, which is narrow."""

VAN_WIDTH: Final = 0.25
"""Width of a van in picture widths where its wheels touch the lower edge of the picture."""

NOISE_MARGIN: Final = 64


@dataclass(frozen=True, slots=True)
class Waypoint:
    """Where an actor's foot, the middle of its lower edge, is at a moment; x and y in [0, 1], may lie outside."""

    at_s: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Actor:
    """One object and its way: straight from waypoint to waypoint, absent before the first and from the last on.

    Two waypoints in a row at one place are a stand. `exempt` says why a stand is no violation (a queue at a
    red light) though place and time would make it one. `facing_right` mirrors the cut-out.
    """

    sprite: str
    path: tuple[Waypoint, ...]
    facing_right: bool = False
    exempt: str = ""
    size: float = 1.0
    vends: bool = False
    """A vendor stays beside it wherever it stands."""

    def __post_init__(self) -> None:
        if len(self.path) < 2 or any(b.at_s <= a.at_s for a, b in pairwise(self.path)):
            raise ValueError(f"a way needs two waypoints or more, each later than the last, got {self.path}")

    def at(self, at_s: float) -> tuple[float, float, bool] | None:
        """Foot x and y and whether it moves; None where it is absent."""
        for a, b in pairwise(self.path):
            if a.at_s <= at_s < b.at_s:
                part = (at_s - a.at_s) / (b.at_s - a.at_s)
                return a.x + part * (b.x - a.x), a.y + part * (b.y - a.y), (a.x, a.y) != (b.x, b.y)
        return None

    def stands(self) -> Iterator[tuple[float, float, float, float]]:
        """Each stand: from and until in seconds, and the foot."""
        start: Waypoint | None = None
        for a, b in pairwise((*self.path, Waypoint(float("inf"), -9, -9))):
            if start is None and (a.x, a.y) == (b.x, b.y):
                start = a
            elif start is not None and (a.x, a.y) != (b.x, b.y):
                yield start.at_s, a.at_s, a.x, a.y
                start = None


class FaultKind(StrEnum):
    """What is wrong with a camera."""

    FROZEN = "frozen"
    DARK = "dark"
    BLOCKED = "blocked"
    MOVED = "moved"
    BLURRED = "blurred"


@dataclass(frozen=True, slots=True)
class CameraFault:
    """A fault of the camera over [from_s, until_s)."""

    what: FaultKind
    from_s: float
    until_s: float


class Stamp(StrEnum):
    """What the clock in the picture shows."""

    DATE_AND_TIME = "%Y-%m-%d %H:%M:%S"
    TIME = "%H:%M:%S"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Photo:
    """A part of a still, xyxy in its pixels, in the drawn street's place; cut-outs look `dim` times as bright on it."""

    still: Path
    crop: tuple[int, int, int, int] | None = None
    dim: float = 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A camera's view from `start`, in the camera's local time, for `duration_s`.

    `seed` draws the street and its noise; `noise` is its strength in grey levels by day. `shared` adds the
    vehicles of that folder and `photo` puts a still in the drawn street's place. Light follows the hour, but
    for a photo, which has its own.
    """

    camera: Camera
    start: datetime
    duration_s: float
    actors: tuple[Actor, ...] = ()
    faults: tuple[CameraFault, ...] = ()
    seed: int = 0
    resolution_wh: tuple[int, int] = (960, 540)
    stamp: Stamp = Stamp.DATE_AND_TIME
    noise: float = 1.6
    limits_s: Mapping[Violation, float] = field(default_factory=lambda: PARKING_LIMITS_S)
    shared: Path | None = None
    photo: Photo | None = None
    lens: Lens | None = None
    """The perspective; where None, sizes follow from the camera's zones."""

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None or self.duration_s <= 0:
            raise ValueError(
                f"a scene needs an aware start and a duration, got {self.start}, {self.duration_s}"
            )
        object.__setattr__(self, "start", self.start.astimezone(self.camera.timezone))

    def on(self, camera: Camera, start: datetime) -> Scene:
        """The same play before another camera at another time."""
        return replace(self, camera=camera, start=start)

    def limit_s(self, violation: Violation, zone: Zone, local: datetime) -> float | None:
        """The limit by the scene's own table; None in the zone's permitted hours."""
        if any(hours.holds_at(local) for hours in zone.permitted):
            return None
        return zone.limits_s.get(violation, self.limits_s.get(violation))

    def box_of(self, actor: Actor, x: float, y: float) -> Box:
        """Where an actor is in the picture when its foot is at (x, y): xyxy in [0, 1], not clipped."""
        sprite = wardrobe(self.shared)[actor.sprite]
        if self.lens is None:
            return box_at(self.camera, sprite, x, y, size=actor.size, shape=self.resolution_wh)
        tall = self.lens.scale(y) * METRES * sprite.span * actor.size
        half = tall * self.resolution_wh[1] / self.resolution_wh[0] / 2
        return (x - half, y - tall * sprite.aspect, x + half, y)


def box_at(
    camera: Camera,
    sprite: Sprite,
    x: float,
    y: float,
    *,
    size: float = 1.0,
    shape: tuple[int, int] = (960, 540),
) -> Box:
    """The box of a cut-out whose foot is at (x, y): xyxy in [0, 1]; further down is nearer and larger."""
    far = horizon(camera) - 0.25
    width = VAN_WIDTH * sprite.span * size * max(0.05, y - far) / (1 - far)
    height = width * sprite.aspect * shape[0] / shape[1]
    return (x - width / 2, y - height, x + width / 2, y)


@dataclass(frozen=True, slots=True)
class Event:
    """A violation that is true of a scene: seconds from its start, the box xyxy in pixels of its pictures."""

    violation: Violation
    zone: str
    from_s: float
    until_s: float
    box: tuple[int, int, int, int]
    what: str


def truth(scene: Scene, limit: Limit | None = None) -> tuple[Event, ...]:
    """Every stand longer than its limit, of a vehicle, a stall or bikes together, cut to the scene's own time.

    In order of beginning. `limit` is the scene's own table where None. A stand through which the limit changes
    counts by the limit at its middle: made scenes keep away from such hours.
    """
    limit = limit or scene.limit_s
    events = [*_vehicle_events(scene, limit), *_stall_events(scene, limit), *_bike_events(scene, limit)]
    events += [*_litter_events(scene, limit), *_pile_events(scene, limit)]
    return tuple(sorted(events, key=lambda event: (event.from_s, event.box)))


def _stands(scene: Scene, actor: Actor) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """From and until within the scene, and the foot, of each stand that is not exempt."""
    for from_s, until_s, x, y in () if actor.exempt else actor.stands():
        if (stand := (max(0.0, from_s), min(scene.duration_s, until_s))) and stand[0] < stand[1]:
            yield stand, (x, y)


def _vehicle_events(scene: Scene, limit: Limit) -> Iterator[Event]:
    sprites = wardrobe(scene.shared)
    for actor in scene.actors:
        if sprites[actor.sprite].kind is Kind.VEHICLE:
            for stand, foot in _stands(scene, actor):
                if found := _event(scene, actor, stand, foot, limit):
                    yield found


def _stall_events(scene: Scene, limit: Limit) -> Iterator[Event]:
    for actor in scene.actors:
        for stand, foot in _stands(scene, actor) if actor.vends else ():
            box = scene.box_of(actor, *foot)
            zones = [zone for zone in scene.camera.zones if zone.kind is ZoneKind.NO_VENDING]
            inside = [zone for zone in zones if contact_share(box, zone.polygon) >= IN_ZONE_SHARE]
            for zone in inside[:1]:
                if _too_long(scene, Violation.STREET_VENDING, zone, stand, limit):
                    pixels = _pixel_box(box, scene.resolution_wh)
                    yield Event(Violation.STREET_VENDING, zone.id, *stand, pixels, actor.sprite)


def _litter_events(scene: Scene, limit: Limit) -> Iterator[Event]:
    """Bags that lie where it is to be clean; a collection point inside such a zone exempts."""
    sprites = wardrobe(scene.shared)
    clean = [zone for zone in scene.camera.zones if zone.kind is ZoneKind.SANITATION]
    for actor in scene.actors:
        for stand, foot in _stands(scene, actor) if sprites[actor.sprite].kind is Kind.RUBBISH else ():
            box = scene.box_of(actor, *foot)
            inside = [zone for zone in clean if contact_share(box, zone.polygon) >= IN_ZONE_SHARE]
            if inside and all(_too_long(scene, Violation.LITTER, zone, stand, limit) for zone in inside):
                pixels = _pixel_box(box, scene.resolution_wh)
                yield Event(Violation.LITTER, inside[0].id, *stand, pixels, actor.sprite)


def _pile_events(scene: Scene, limit: Limit) -> Iterator[Event]:
    """Heaps on a footway, or with TACTILE_SHARE of their ground contact on a tactile path, which goes first."""
    sprites = wardrobe(scene.shared)
    least = {ZoneKind.TACTILE_PATH: TACTILE_SHARE, ZoneKind.SIDEWALK: IN_ZONE_SHARE}
    for actor in scene.actors:
        for stand, foot in _stands(scene, actor) if sprites[actor.sprite].kind is Kind.RUBBISH else ():
            box = scene.box_of(actor, *foot)
            zones = [
                zone
                for kind, share in least.items()
                for zone in scene.camera.zones
                if zone.kind is kind and contact_share(box, zone.polygon) >= share
            ]
            if zones and _too_long(scene, Violation.PILED_GOODS, zones[0], stand, limit):
                pixels = _pixel_box(box, scene.resolution_wh)
                yield Event(Violation.PILED_GOODS, zones[0].id, *stand, pixels, actor.sprite)


def _bike_events(scene: Scene, limit: Limit) -> Iterator[Event]:
    """The stretches in which BIKES_TOGETHER or more stand in one zone outside bays; made scenes put them together."""
    sprites = wardrobe(scene.shared)
    by_zone: dict[str, list[tuple[tuple[float, float], Box]]] = {}
    zones = {zone.id: zone for zone in scene.camera.zones}
    for actor in scene.actors:
        if sprites[actor.sprite].kind is Kind.BIKE:
            for stand, foot in _stands(scene, actor):
                box = scene.box_of(actor, *foot)
                if zone := _forbidden(scene, box):
                    by_zone.setdefault(zone.id, []).append((stand, box))
    for zone_id, bikes in by_zone.items():
        for from_s, until_s in _stretches_of(BIKES_TOGETHER, [stand for stand, _ in bikes]):
            if _too_long(scene, Violation.DISORDERLY_BIKES, zones[zone_id], (from_s, until_s), limit):
                x1, y1, x2, y2 = zip(*(b for s, b in bikes if s[0] < until_s and s[1] > from_s), strict=True)
                box = (min(x1), min(y1), max(x2), max(y2))
                pixels = _pixel_box(box, scene.resolution_wh)
                yield Event(Violation.DISORDERLY_BIKES, zone_id, from_s, until_s, pixels, "bicycles")


def _stretches_of(count: int, stands: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The stretches during which so many of the stands last at once."""
    began: float | None = None
    for at_s in sorted({edge for stand in stands for edge in stand}):
        enough = sum(from_s <= at_s < until_s for from_s, until_s in stands) >= count
        if enough and began is None:
            began = at_s
        elif began is not None and not enough:
            yield began, at_s
            began = None


def _forbidden(scene: Scene, box: Box) -> Zone | None:
    """The zone in which something on the ground may not stand; None in a bay, or nowhere."""
    places: list[tuple[float, Zone]] = []
    for zone in scene.camera.zones:
        share = contact_share(box, zone.polygon)
        if share >= IN_ZONE_SHARE and zone.kind is ZoneKind.PARKING_BAY:
            return None
        if share >= IN_ZONE_SHARE and zone.kind in PLACES:
            places.append((share, zone))
    return max(places, key=lambda place: place[0])[1] if places else None


def _too_long(
    scene: Scene, violation: Violation, zone: Zone, stand: tuple[float, float], limit: Limit
) -> bool:
    limit_s = limit(violation, zone, scene.start + timedelta(seconds=sum(stand) / 2))
    return limit_s is not None and stand[1] - stand[0] > limit_s


def _event(
    scene: Scene, actor: Actor, stand: tuple[float, float], foot: tuple[float, float], limit: Limit
) -> Event | None:
    """The violation of one stand, in the zone that it fills most; None in a bay or within the limit."""
    box = scene.box_of(actor, *foot)
    zone = _forbidden(scene, box)
    if zone is None or not _too_long(scene, PLACES[zone.kind], zone, stand, limit):
        return None
    return Event(PLACES[zone.kind], zone.id, *stand, _pixel_box(box, scene.resolution_wh), actor.sprite)


def _pixel_box(box: Box, resolution_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    (w, h), (x1, y1, x2, y2) = resolution_wh, (min(1.0, max(0.0, v)) for v in box)
    return round(x1 * w), round(y1 * h), round(x2 * w), round(y2 * h)


def labels(scene: Scene, file: str | tuple[str, ...], what: str) -> dict[str, Any]:
    """One clip's entry in the form that `kerbwatch evaluate` reads; several files are consecutive recordings."""
    w, h = scene.resolution_wh
    return {
        **({"file": file} if isinstance(file, str) else {"files": list(file)}),
        "starts_at": scene.start.isoformat(),
        "what": what,
        "composed": True,
        "resolution_wh": [w, h],
        "zones": [
            {
                "id": zone.id, "kind": str(zone.kind),
                "polygon": [[round(x * w), round(y * h)] for x, y in zone.polygon],
                **({"permitted": [str(hours) for hours in zone.permitted]} if zone.permitted else {}),
            }
            for zone in scene.camera.zones
        ],
        "limits": {str(violation): {"dwell_s": limit} for violation, limit in scene.limits_s.items()},
        "events": [
            {
                "violation": str(event.violation), "zone": event.zone, "from_s": event.from_s,
                "until_s": event.until_s, "box": list(event.box), "what": event.what,
            }
            for event in truth(scene)
        ],
        "faults": [
            {"from_s": fault.from_s, "until_s": fault.until_s, "what": str(fault.what)} for fault in scene.faults
        ],
        "view": _view(scene),
    }  # fmt: skip


def _view(scene: Scene) -> str:
    """'unusable' where faults, which do not overlap, fill more than half of the time."""
    bad_s = sum(min(f.until_s, scene.duration_s) - max(f.from_s, 0.0) for f in scene.faults)
    return "unusable" if bad_s > scene.duration_s / 2 else "ok"


@dataclass(frozen=True, slots=True)
class Light:
    """How bright the street is: a gain of blue, green and red in [0, 1], and lamps where `lamps` is above 0."""

    gain: tuple[float, float, float]
    lamps: float

    @property
    def night(self) -> bool:
        return self.lamps > 0.3


def light_at(local: datetime) -> Light:
    """The light of an hour of the day, in steps of five minutes: night, a warm dawn, noon, dusk, night."""
    hour = (local.hour * 60 + local.minute) // 5 * 5 / 60
    sun = np.sin(np.pi * (hour - 6) / 12.5) if 6 < hour < 18.5 else 0.0
    day = float(min(1.0, 2.5 * sun))
    warm = 0.22 * day * (1 - day) * 4
    level = 0.30 + 0.70 * day
    return Light((level * (1 - warm), level * (1 - warm / 3), level), 0.55 * (1 - day))


class Stage:
    """Draws one scene's pictures quickly: what does not change is drawn once. Holds only what it has derived."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._sprites = wardrobe(scene.shared)
        unknown = sorted({actor.sprite for actor in scene.actors} - self._sprites.keys())
        if unknown:
            raise BadInput(f"no such cut-out: {', '.join(unknown)}")
        self._street = _backdrop(scene)
        self._noise = noise_bank(scene)
        self._lit: tuple[Light, Image | None] | None = None
        self._cuts: dict[tuple[str, bool, int], tuple[Image, Image]] = {}

    def frame(self, at_s: float) -> Image:
        """The picture `at_s` seconds after the scene's start: height x width x 3, BGR, uint8."""
        kinds = {fault.what: fault for fault in self.scene.faults if fault.from_s <= at_s < fault.until_s}
        if FaultKind.FROZEN in kinds:
            at_s = kinds[FaultKind.FROZEN].from_s
        picture = self._lighted(self._street.copy(), at_s)
        if FaultKind.MOVED in kinds:
            picture = _moved(picture)
        if FaultKind.BLURRED in kinds:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), picture.shape[0] / 135), np.uint8)
        if FaultKind.BLOCKED in kinds:
            picture = _blocked(picture)
        if FaultKind.DARK in kinds:
            picture = np.asarray(cv2.convertScaleAbs(picture, alpha=0.04), np.uint8)
        self._add_noise(picture, at_s)
        stamp_clock(picture, self.scene, at_s)
        return picture

    def _lighted(self, picture: Image, at_s: float) -> Image:
        scene = self.scene
        present = [(actor, place) for actor in scene.actors if (place := actor.at(at_s))]
        for actor, (x, y, _) in sorted(present, key=lambda pair: pair[1][1]):
            self._draw(picture, actor, x, y)
        light = light_at(scene.start + timedelta(seconds=at_s))
        if self._lit is None or self._lit[0] != light:
            self._lit = (light, light_map(light, scene))
        if self._lit[1] is not None and scene.photo is None:
            picture = np.asarray(cv2.multiply(picture, self._lit[1], dst=picture, scale=1 / 255), np.uint8)
        if light.night:
            for actor, (x, y, moves) in present:
                if moves:
                    self._headlights(picture, actor, x, y)
        return picture

    def _draw(self, picture: Image, actor: Actor, x: float, y: float) -> None:
        height, width = picture.shape[:2]
        x1, _, x2, y2 = self.scene.box_of(actor, x, y)
        cut = self._cut(actor.sprite, actor.facing_right, max(2, round((x2 - x1) * width)))
        foot_y = round(y2 * height) + round(SHADOW * cut[0].shape[0])
        blend(picture, cut, round(x * width) - cut[0].shape[1] // 2, foot_y - cut[0].shape[0])

    def _cut(self, name: str, mirrored: bool, width: int) -> tuple[Image, Image]:
        """A scaled cut-out with the shadow below it: its premultiplied colours and what it leaves of the ground."""
        key = (name, mirrored, width)
        if key not in self._cuts:
            if len(self._cuts) > 400:
                self._cuts.clear()
            sprite = self._sprites[name]
            self._cuts[key] = scaled_sprite(sprite.mirrored() if mirrored else sprite, width)
            if self.scene.photo is not None:
                colours, left = self._cuts[key]
                self._cuts[key] = (_dimmed(colours, self.scene.photo.dim), left)
        return self._cuts[key]

    def _headlights(self, picture: Image, actor: Actor, x: float, y: float) -> None:
        sprite = self._sprites[actor.sprite]
        if sprite.front is None:
            return
        height, width = picture.shape[:2]
        x1, y1, x2, y2 = self.scene.box_of(actor, x, y)
        side = 1 - sprite.front[0] if actor.facing_right else sprite.front[0]
        light = glow(max(8, round((x2 - x1) * width * 0.5)))
        centre = (round((x1 + side * (x2 - x1)) * width), round((y1 + sprite.front[1] * (y2 - y1)) * height))
        left = np.full_like(light, 255)
        blend(picture, (light, left), centre[0] - light.shape[1] // 2, centre[1] - light.shape[0] // 2)

    def _add_noise(self, picture: Image, at_s: float) -> None:
        height, width = picture.shape[:2]
        tick = round(at_s * 1000) * 2_654_435_761 + self.scene.seed
        dx, dy = (tick >> 8) % NOISE_MARGIN, (tick >> 16) % NOISE_MARGIN
        brighter, darker = (bank[dy : dy + height, dx : dx + width] for bank in self._noise)
        cv2.add(picture, brighter, dst=picture)
        cv2.subtract(picture, darker, dst=picture)


def render(scene: Scene, at_s: float) -> Image:
    """One picture of a scene: height x width x 3, BGR, uint8. For many pictures keep a `Stage`."""
    return Stage(scene).frame(at_s)


SHADOW: Final = 0.06
"""How far the shadow reaches below the wheels, in heights of the cut-out."""


def _backdrop(scene: Scene) -> Image:
    photo = scene.photo
    if photo is None:
        return street(scene.camera, scene.resolution_wh, scene.seed)
    picture = cv2.imread(str(photo.still))
    if picture is None:
        raise BadInput(f"{photo.still}: not a picture")
    if photo.crop is not None:
        x1, y1, x2, y2 = photo.crop
        picture = picture[y1:y2, x1:x2]
    larger = picture.shape[1] < scene.resolution_wh[0]
    method = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, scene.resolution_wh, interpolation=method), np.uint8)


def _dimmed(colours: Image, dim: float) -> Image:
    return np.asarray(cv2.convertScaleAbs(colours, alpha=dim), np.uint8)


def noise_bank(scene: Scene) -> tuple[Image, Image]:
    """What noise adds and what it takes away, larger than the picture so that a shift makes it new."""
    width, height = scene.resolution_wh
    random = np.random.default_rng([scene.seed, 7])
    strength = scene.noise * (1.5 if light_at(scene.start).night else 1.0)
    grain = random.normal(0, strength, (height + NOISE_MARGIN, width + NOISE_MARGIN, 1))
    bank = np.repeat(np.round(grain), 3, axis=2)
    return np.clip(bank, 0, 255).astype(np.uint8), np.clip(-bank, 0, 255).astype(np.uint8)


def light_map(light: Light, scene: Scene) -> Image | None:
    """What the light leaves of each pixel, 255 for all; None where it leaves everything."""
    if min(light.gain) > 0.99 and not light.lamps:
        return None
    width, height = scene.resolution_wh
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    level = np.empty((height, width, 3), np.float32)
    level[:] = light.gain
    for i, foot in enumerate((0.1, 0.42, 0.74, 1.02)):
        centre = (foot * width, (0.42 + 0.22 * (i % 2)) * height)
        pool = np.exp(-(((x - centre[0]) / (0.2 * width)) ** 2) - ((y - centre[1]) / (0.3 * height)) ** 2)
        level += light.lamps * pool[..., None] * np.array((0.72, 0.92, 1.0), np.float32)
    return np.clip(level * 255, 0, 255).astype(np.uint8)


def scaled_sprite(sprite: Sprite, width: int) -> tuple[Image, Image]:
    """The cut-out at a width in pixels, with a soft shadow below and beside its wheels."""
    height = max(2, round(width * sprite.aspect))
    foot = max(1, round(SHADOW * height))
    shadow = np.zeros((height + foot, width + 4 * foot), np.uint8)
    middle = (shadow.shape[1] // 2, height - foot // 2)
    cv2.ellipse(shadow, middle, (width // 2, max(1, foot)), 0, 0, 360, 130, -1)
    shadow = np.asarray(cv2.GaussianBlur(shadow, (0, 0), max(0.8, foot / 2.5)), np.uint8)
    body = np.zeros((*shadow.shape, 4), np.uint8)
    body[:height, 2 * foot : 2 * foot + width] = cv2.resize(
        sprite.pixels, (width, height), interpolation=cv2.INTER_AREA
    )
    part = body[..., 3:].astype(np.uint16)
    colours = (body[..., :3] * part // 255).astype(np.uint8)
    left = ((255 - shadow[..., None].astype(np.uint16)) * (255 - part) // 255).astype(np.uint8)
    return colours, np.repeat(left, 3, axis=2)


def blend(picture: Image, cut: tuple[Image, Image], x: int, y: int) -> None:
    """Put a premultiplied cut-out with its upper left corner at (x, y), in place; what lies outside is dropped."""
    height, width = picture.shape[:2]
    high, wide = cut[0].shape[:2]
    x1, y1, x2, y2 = max(0, x), max(0, y), min(width, x + wide), min(height, y + high)
    if x1 >= x2 or y1 >= y2:
        return
    colours, left = (layer[y1 - y : y2 - y, x1 - x : x2 - x] for layer in cut)
    ground = picture[y1:y2, x1:x2]
    picture[y1:y2, x1:x2] = cv2.add(cv2.multiply(ground, left, scale=1 / 255), colours)


@lru_cache(maxsize=64)
def glow(side: int) -> Image:
    """A round light fading to nothing, side x side x 3."""
    reach = np.linspace(-1, 1, side, dtype=np.float32)
    fade = np.exp(-7 * (reach[:, None] ** 2 + reach[None, :] ** 2)) * 235
    light: Image = (fade[..., None] * np.array((0.82, 0.95, 1.0), np.float32)).astype(np.uint8)
    return light


def _moved(picture: Image) -> Image:
    """The view after somebody turned the camera."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 7, 1.15)
    turn[:, 2] += (0.16 * width, -0.12 * height)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _blocked(picture: Image) -> Image:
    """Something close before the lens: nearly all of the picture one blurred brown."""
    height, width = picture.shape[:2]
    cover = np.zeros((height, width), np.float32)
    cv2.ellipse(
        cover,
        (int(0.45 * width), int(0.55 * height)),
        (int(0.75 * width), int(0.8 * height)),
        12,
        0,
        360,
        1,
        -1,
    )
    soft = cv2.GaussianBlur(cover, (0, 0), height / 22)[..., None]
    brown = np.array((48, 62, 80), np.float32)
    return np.asarray(picture * (1 - soft) + brown * soft, np.uint8)


@lru_cache(maxsize=1)
def _font() -> Any:  # noqa: ANN401 - cv2 5 has no stubs for FontFace
    return cv2.FontFace("uni")


@lru_cache(maxsize=16)
def _clock(text: str, size: int) -> tuple[Image, Image]:
    """White text with a dark rim, premultiplied."""
    canvas: npt.NDArray[np.uint8] = np.zeros((size * 2, size * len(text), 3), np.uint8)
    cv2.putText(canvas, text, (size // 2, int(size * 1.4)), (255, 255, 255), _font(), size)
    rim = cv2.dilate(canvas, np.ones((3, 3), np.uint8))
    return canvas, np.asarray(255 - rim, np.uint8)


def stamp_clock(picture: Image, scene: Scene, at_s: float) -> None:
    if scene.stamp is not Stamp.NONE:
        shown = (scene.start + timedelta(seconds=at_s)).strftime(scene.stamp)
        size = max(10, picture.shape[0] // 25)
        blend(picture, _clock(shown, size), size // 2, size // 4)

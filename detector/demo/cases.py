"""Hard cases by name: made scenes in which an easy rule is wrong, each with its truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from detector.core.errors import BadInput
from detector.core.geometry import Polygon
from detector.core.values import Camera, Violation, Zone, ZoneKind
from detector.demo import market, piles, rubbish
from detector.demo.photos import photographed
from detector.demo.play import CARS, Random, passing, spot, traffic, visit
from detector.demo.record import record
from detector.demo.scene import PARKING_LIMITS_S, Actor, CameraFault, FaultKind, Scene, Waypoint, labels

WIDTH, HEIGHT = 960, 540


def _polygon(*corners: tuple[int, int]) -> Polygon:
    return tuple((x / WIDTH, y / HEIGHT) for x, y in corners)


CAMERA: Final = Camera(
    "case",
    (
        Zone("road", ZoneKind.CARRIAGEWAY, _polygon((0, 235), (960, 180), (960, 415), (0, 470))),
        Zone("far-kerb", ZoneKind.NO_PARKING, _polygon((0, 235), (960, 180), (960, 245), (0, 300))),
        Zone("bay", ZoneKind.PARKING_BAY, _polygon((60, 228), (330, 212), (330, 282), (60, 298))),
        Zone("near-kerb", ZoneKind.NO_PARKING, _polygon((0, 395), (960, 340), (960, 415), (0, 470))),
        Zone("footway", ZoneKind.SIDEWALK, _polygon((0, 470), (960, 415), (960, 540), (0, 540))),
    ),
    ZoneInfo("Asia/Shanghai"),
    (WIDTH, HEIGHT),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A hard case: what it tries, how its scene follows from chance, and where its recordings are cut."""

    what: str
    build: Callable[[Random], tuple[tuple[Actor, ...], tuple[CameraFault, ...]]]
    duration_s: float = 480.0
    clock: str = ""
    """Local time of the start; any hour of the day where empty."""
    cut_at_s: float | None = None
    vehicles_per_min: float = 3.0
    """Vehicles that only pass; none where all lanes stand."""
    people_per_min: float = 2.0
    camera: Camera = CAMERA
    limits_s: Mapping[Violation, float] = field(default_factory=lambda: PARKING_LIMITS_S)
    drawn: bool = False
    """Needs the drawn street: its light changes meanwhile."""


def make_scene(name: str, seed: int, *, night: bool = False, shared: Path | None = None) -> Scene:
    """A case's scene, the same for the same seed. Raises BadInput for a name that is none.

    `night` puts it twelve hours later, where the case has no hour of its own. `shared` plays it on a photographed
    street with the vehicles of that folder, where the case does not need its own street.
    """
    case = _case(name)
    random = np.random.default_rng([seed, sum(map(ord, name))])
    actors, faults = case.build(random)
    hour, minute = int(random.integers(8, 17)), int(random.integers(60))
    clock = case.clock or f"{(hour + 12 * night) % 24:02d}:{minute:02d}"
    start = datetime.fromisoformat(f"2026-01-08T{clock}").replace(tzinfo=case.camera.timezone)
    quiet = 0.3 if start.hour in (22, 23) else 1.0
    others = traffic(
        case.camera,
        random,
        case.duration_s,
        vehicles_per_min=quiet * case.vehicles_per_min,
        people_per_min=quiet * case.people_per_min,
    )
    scene = Scene(
        case.camera, start, case.duration_s, (*actors, *others), faults, seed, limits_s=case.limits_s
    )
    return photographed(scene, shared) if shared and not case.drawn else scene


def make_case(
    name: str, seed: int, folder: Path, *, fps: float = 4.0, night: bool = False, shared: Path | None = None
) -> Path:
    """Write a case's recordings to `folder / clips` and its truth to `folder / labels.json`, whose path it returns."""
    case, scene = _case(name), make_scene(name, seed, night=night, shared=shared)
    ends = (0.0, *([case.cut_at_s] if case.cut_at_s else []), case.duration_s)
    parts = list(pairwise(ends))
    stem = f"{name}-{seed}{'-night' if night else ''}{'-photo' if shared else ''}"
    files = tuple(f"clips/{stem}{f'-{i}' if len(parts) > 1 else ''}.mp4" for i in range(len(parts)))
    for file, (from_s, until_s) in zip(files, parts, strict=True):
        record(scene, folder / file, fps=fps, from_s=from_s, until_s=until_s)
    content = {
        "about": f"Made footage with known answers: kerbwatch demo make {name}, seed {seed}.",
        "clips": [labels(scene, files if len(files) > 1 else files[0], case.what)],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def _case(name: str) -> Case:
    if name not in CASES and name not in STRETCHES:
        raise BadInput(f"no such case: {name!r}; there are {', '.join(CASES)}")
    return CASES.get(name) or STRETCHES[name]


def _cars(random: Random, count: int) -> list[str]:
    """As many different vehicles."""
    return [CARS[i] for i in random.permutation(len(CARS))[:count]]


def _clear(random: Random) -> str:
    """A vehicle that the detector is sure of from afar."""
    return [car for car in CARS if car.startswith("minibus")][int(random.integers(6))]


def _x(random: Random) -> float:
    return float(random.uniform(0.4, 0.75))


def _near(x: float) -> tuple[float, float]:
    """A foot well inside the near no-parking strip."""
    return x, (460 - 55 * x) / HEIGHT


def _far(x: float) -> tuple[float, float]:
    return x, (292 - 55 * x) / HEIGHT


Built = tuple[tuple[Actor, ...], tuple[CameraFault, ...]]


def _parked(random: Random) -> Built:
    from_s = float(random.integers(20, 60))
    until_s = from_s + float(random.integers(220, 380))
    return (visit(CAMERA, _cars(random, 1)[0], _near(_x(random)), from_s, until_s),), ()


def _short_stop(random: Random) -> Built:
    from_s = float(random.integers(20, 200))
    until_s = from_s + float(random.integers(60, 140))
    return (visit(CAMERA, _cars(random, 1)[0], _near(_x(random)), from_s, until_s),), ()


def _same_spot(random: Random) -> Built:
    foot, at_s, actors = _near(_x(random)), 10.0, []
    for car in _cars(random, 5):
        until_s = at_s + float(random.integers(60, 100))
        actors.append(visit(CAMERA, car, foot, at_s, until_s, turning_s=2.0))
        at_s = until_s + float(random.integers(2, 5))
    return tuple(actors), ()


def _jam(random: Random) -> Built:
    """Both lanes and the kerb's own stand for longer than the limit, then all drive on."""
    from_s, until_s = 30.0, 30.0 + float(random.integers(200, 280))
    cars = _cars(random, 8)
    places = [
        (0.16, 0.0),
        (0.42, 0.0),
        (0.68, 0.0),
        (0.92, 0.0),
        (0.2, 0.2),
        (0.44, 0.2),
        (0.66, 0.2),
        (0.88, 0.2),
    ]
    return tuple(
        visit(
            CAMERA, car, (x, (435 - 55 * x) / HEIGHT - up), from_s + 3 * i, until_s + 2 * i, exempt="jam", rightward=False
        )
        for i, (car, (x, up)) in enumerate(zip(cars, places, strict=True))
    ), ()  # fmt: skip


def _jam_and_parked(random: Random) -> Built:
    """A vehicle that came to park while a jam formed around it, and still stands beyond the limit when that has cleared."""
    jam, _ = _jam(random)
    clears_s = max(actor.path[2].at_s for actor in jam)
    used = {actor.sprite for actor in jam}
    car = next(name for name in _cars(random, len(CARS)) if name not in used)
    others = tuple(actor for i, actor in enumerate(jam) if i != 1)
    stays = visit(CAMERA, car, _near(0.42), 36.0, clears_s + float(random.integers(215, 260)))
    return (*others, stays), ()


def _parked_row(random: Random) -> Built:
    """Five vehicles parked in a row, each for a time of its own, while traffic passes."""
    spots = (0.14, 0.34, 0.54, 0.74)
    actors = [
        visit(
            CAMERA, car, _near(x), float(random.integers(20, 80)) + 15 * i,
            float(random.integers(300, 340)) + 45 * i,
        )
        for i, (car, x) in enumerate(zip(_cars(random, 4), spots, strict=True))
    ]  # fmt: skip
    return (*actors, visit(CAMERA, _clear(random), _far(0.6), 40.0, 290.0)), ()


def _red_light(random: Random) -> Built:
    """Every two minutes other vehicles queue for a minute, in the same places."""
    actors = []
    for cycle in range(4):
        for i, car in enumerate(_cars(random, 3)):
            from_s = 15.0 + 120 * cycle + 3 * i
            foot = _near(0.25 + 0.26 * i)
            actors.append(
                visit(
                    CAMERA, car, foot, from_s, 85.0 + 120 * cycle + 2 * i, turning_s=3.0, exempt="red light"
                )
            )
    return tuple(actors), ()


def _occlusion(random: Random) -> Built:
    """A bus stands before the parked vehicle for 90 s."""
    x = _x(random)
    foot = _far(x)
    at_s = float(random.integers(140, 220))
    parked = visit(CAMERA, _clear(random), foot, 20.0, 400.0)
    bus = visit(CAMERA, "bus-blue", (x, foot[1] + 0.11), at_s, at_s + 90.0, exempt="bus stop")
    return (parked, bus, passing(CAMERA, "man-beige", 60, side=0.0, rightward=True, took_s=30)), ()


def _two_cars(random: Random) -> Built:
    """One vehicle beyond the limit, and after it another in the very same place: two violations."""
    first, second = _cars(random, 2)
    foot = _near(_x(random))
    gap_s = float(random.integers(6, 15))
    return (
        visit(CAMERA, first, foot, 10.0, 222.0, turning_s=2.5),
        visit(CAMERA, second, foot, 222.0 + gap_s, 460.0, turning_s=2.5),
    ), ()


def _half_on_footway(random: Random) -> Built:
    """Two wheels up on the footway: the larger part of the contact, some two thirds, decides."""
    x, edge = _x(random), (497, 483)[int(random.integers(2))]
    return (visit(CAMERA, _cars(random, 1)[0], (x, (edge - 55 * x) / HEIGHT), 25.0, 400.0),), ()


def _bay(random: Random) -> Built:
    """One vehicle in its bay, exempt, and another beside it, outside."""
    inside, outside = _cars(random, 1)[0], _clear(random)
    foot = spot([CAMERA], inside, ZoneKind.PARKING_BAY, random)
    return (
        Actor(inside, (Waypoint(-60.0, *foot), Waypoint(900.0, *foot))),
        visit(CAMERA, outside, _far(float(random.uniform(0.55, 0.8))), 30.0, 330.0),
    ), ()


def _frozen(random: Random) -> Built:
    """A short stop that a frozen picture shows for five minutes more."""
    car = visit(CAMERA, _cars(random, 1)[0], _near(_x(random)), 60.0, 130.0)
    return (car,), (CameraFault(FaultKind.FROZEN, 110.0, 410.0),)


def _faulty(what: FaultKind) -> Callable[[Random], Built]:
    """A short stop, and later five minutes in which the view is no use."""

    def build(random: Random) -> Built:
        car = visit(CAMERA, _cars(random, 1)[0], _near(_x(random)), 20.0, 70.0)
        return (car,), (CameraFault(what, 120.0, 420.0),)

    return build


def _rubbish(
    what: str, build: Callable[[Random], tuple[Actor, ...]], *, clock: str = "", people_per_min: float = 2.0
) -> Case:
    """A case of litter, on a footway that is to be kept clean."""
    return Case(
        what,
        lambda random: (build(random), ()),
        duration_s=600.0,
        clock=clock,
        people_per_min=people_per_min,
        camera=rubbish.CAMERA,
        limits_s=rubbish.LIMITS_S,
    )


def _pile(what: str, build: Callable[[Random], tuple[Actor, ...]], *, people_per_min: float = 2.0) -> Case:
    """A case of piled goods, on a footway with a tactile path."""
    return Case(
        what,
        lambda random: (build(random), ()),
        duration_s=600.0,
        people_per_min=people_per_min,
        camera=piles.CAMERA,
        limits_s=piles.LIMITS_S,
    )


def _market(what: str, build: Callable[[Random], tuple[Actor, ...]], *, people_per_min: float = 2.0) -> Case:
    """A case of bikes or vending, on a street with a wide footway."""
    return Case(
        what,
        lambda random: (build(random), ()),
        duration_s=600.0,
        people_per_min=people_per_min,
        camera=market.CAMERA,
        limits_s=market.LIMITS_S,
    )


CASES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        "parked": Case("one vehicle beyond the limit, traffic and people pass", _parked),
        "short-stop": Case("a vehicle that leaves before the limit", _short_stop),
        "same-spot": Case("five vehicles one after another in one place, none up to the limit", _same_spot),
        "jam": Case("all lanes stand for longer than the limit and then drive on", _jam, vehicles_per_min=0),
        "jam-and-parked": Case(
            "a vehicle that still stands when the jam around it has cleared",
            _jam_and_parked,
            duration_s=600.0,
            vehicles_per_min=0,
        ),
        "parked-row": Case("five vehicles parked in a row, traffic passes", _parked_row, duration_s=540.0),
        "red-light": Case(
            "other vehicles queue in the same places at every red light", _red_light, vehicles_per_min=0
        ),
        "occlusion": Case("a bus stands before a parked vehicle for 90 s", _occlusion),
        "two-cars": Case("two vehicles one after another, each beyond the limit", _two_cars),
        "half-on-footway": Case("a vehicle half on the footway", _half_on_footway),
        "bay": Case("a bay inside a no-parking strip: one vehicle in it, one beside it", _bay),
        "over-midnight": Case("a stay over midnight", _parked, clock="23:56"),
        "two-recordings": Case("a stay over two recordings", _parked, cut_at_s=200.0),
        "dark": Case("five minutes without light", _faulty(FaultKind.DARK)),
        "blocked": Case("five minutes with something before the lens", _faulty(FaultKind.BLOCKED)),
        "moved": Case("five minutes with the camera turned", _faulty(FaultKind.MOVED)),
        "blurred": Case("five minutes out of focus", _faulty(FaultKind.BLURRED)),
        "frozen": Case("a frozen picture that shows a short stop for minutes", _frozen),
        "night": Case(
            "a vehicle without lights at night, others with headlights pass", _parked, clock="22:30"
        ),
        "bikes": _market("bicycles left together on the footway", market.bikes),
        "bikes-in-bay": _market("as many bicycles in their bay", market.bikes_in_bay),
        "vending-van": _market("a van comes, its vendor sells beside it, customers come and go", market.van),
        "vending-stall": _market("a vendor puts up a parasol and stays under it", market.stall),
        "vending-walkers": _market(
            "a van with nobody beside it on a busy footway", market.walkers, people_per_min=8.0
        ),
        "vending-waiting": _market("people wait for a bus, without goods", market.waiting),
        "vending-rest": _market(
            "a parasol that is always there; people rest under it for 2 min", market.rest
        ),
        "vending-permitted": replace(
            _market("vending in a night market's hours", market.permitted),
            camera=market.EVENINGS,
            clock="19:30",
        ),
        "piled": _pile("goods are put on a footway and stay", piles.piled),
        "piled-tactile": _pile("goods are put on a tactile path and stay", piles.on_tactile_path),
        "piled-crowd": _pile("the same on a busy footway", piles.piled, people_per_min=8.0),
        "piled-cleared": _pile("goods stand beyond the limit, then they are taken away", piles.cleared),
        "piled-unloaded": _pile("goods that are gone before the limit", piles.unloaded),
        "piled-small": _pile("one bag, which is litter", piles.small),
        "piled-attended": _pile("luggage whose owner stays beside it", piles.attended),
        "litter": _rubbish("a bag dropped by somebody who walks on", rubbish.left),
        "litter-crowd": _rubbish("the same on a busy footway", rubbish.left, people_per_min=8.0),
        "litter-night": _rubbish("the same at night", rubbish.left, clock="22:30"),
        "litter-removed": _rubbish("a bag left beyond the limit, then taken away", rubbish.removed),
        "litter-fetched": _rubbish("a bag left and fetched before the limit", rubbish.fetched),
        "litter-owned": _rubbish("a bag put down by somebody who stays beside it", rubbish.owned),
        "litter-shadow": _rubbish("a shadow falls and stays", rubbish.shadow),
        "litter-permitted": _rubbish("a bag beside the bin of a collection point", rubbish.permitted),
        "litter-taken-away": _rubbish("a bin that always stood there is taken away", rubbish.taken_away),
        "litter-parked": _rubbish("vehicles stand on a clean footway", rubbish.parked),
        "litter-dusk": replace(
            _rubbish("the lamps come on; nothing is left", lambda _: (), clock="17:50"), drawn=True
        ),
    }
)

EVERY_LIMIT_S: Final = MappingProxyType({**PARKING_LIMITS_S, **market.LIMITS_S, Violation.LITTER: 900.0})

STRETCHES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        "long-street": Case(
            "an hour in which all only pass", lambda _: ((), ()), duration_s=3600.0, limits_s=EVERY_LIMIT_S
        ),
        "long-footway": Case(
            "an hour of people passing on a wide footway",
            lambda _: ((), ()),
            duration_s=3600.0,
            people_per_min=6.0,
            camera=market.CAMERA,
            limits_s=EVERY_LIMIT_S,
        ),
    }
)
"""Long stretches without a violation: what is raised in them is a false alarm. Scoring fills its hours with them."""

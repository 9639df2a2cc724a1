"""Composed cases on streets in perspective, by kind, with exact labels: what the cases of `cases.py` lack.

Seeds: 1-4999 are for tuning, 5000-9999 for tests, 10000 and above for figures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from detector.core.errors import BadInput
from detector.core.values import Violation
from detector.demo import far, pavement
from detector.demo.builder import Builder
from detector.demo.cast import vehicles
from detector.demo.outdoor import USUAL, Encoding, Play, record_play
from detector.demo.scene import PARKING_LIMITS_S, Actor, Event, Scene, labels, light_at, truth
from detector.demo.site import Conditions, Ground, site_of, traffic
from detector.inference.detector import Detector

HD: Final = (1280, 720)
FULL_HD: Final = (1920, 1080)
ULTRA_HD: Final = (3840, 2160)

Built = Iterable[Actor]


@dataclass(frozen=True, slots=True)
class Street:
    """A case on a street in perspective: its kind, what it tries and what builds it."""

    kind: str
    what: str
    build: Callable[[Builder], Built]
    resolution_wh: tuple[int, int] = FULL_HD
    duration_s: float = 480.0
    encoding: Encoding = USUAL
    vehicles_per_min: float = 4.0
    people_per_min: float = 2.0
    ground: Ground = Ground.STREET
    conditions: Conditions = Conditions.BY_LOT
    limits_s: Mapping[Violation, float] = field(default_factory=lambda: PARKING_LIMITS_S)


def _nobody(_: Builder) -> Built:
    """All only pass."""
    return ()


def _weather(name: Conditions, what: str) -> Street:
    """Half an hour of weather in which nothing stands: what is reported is a false alarm."""
    return Street(
        "weather", what, _nobody, resolution_wh=HD, duration_s=1800.0, conditions=name, limits_s=EVERY_LIMIT_S,
        encoding=Encoding(fps=0.5),
    )  # fmt: skip


QUEUE_LIMITS_S: Final = MappingProxyType({Violation.ILLEGAL_PARKING: 100.0})
"""Above the longest red light of a case."""

STRETCH_GROUNDS: Final = (Ground.STREET, Ground.MARKET, Ground.YARD)
"""Of weather, in turn by the seed: where parking, selling and litter could be reported in vain."""

VENDING_LIMITS_S: Final = MappingProxyType({Violation.STREET_VENDING: pavement.VENDING_LIMIT_S})
LITTER_LIMITS_S: Final = MappingProxyType({Violation.LITTER: pavement.LITTER_LIMIT_S})
EVERY_LIMIT_S: Final = MappingProxyType(
    {**PARKING_LIMITS_S, Violation.STREET_VENDING: 300.0, Violation.LITTER: 900.0}
)


def _queue(what: str, build: Callable[[Builder], Built]) -> Street:
    return Street(
        "two_wheelers", what, build, ground=Ground.APPROACH, vehicles_per_min=0.0, limits_s=QUEUE_LIMITS_S
    )


def _stall(what: str, build: Callable[[Builder], Built]) -> Street:
    return Street(
        "stalls",
        what,
        build,
        duration_s=1200.0,
        resolution_wh=HD,
        ground=Ground.MARKET,
        limits_s=VENDING_LIMITS_S,
    )


def _litter(what: str, build: Callable[[Builder], Built]) -> Street:
    return Street(
        "litter",
        what,
        build,
        duration_s=720.0,
        resolution_wh=HD,
        ground=Ground.YARD,
        limits_s=LITTER_LIMITS_S,
    )


STREETS: Final[Mapping[str, Street]] = MappingProxyType(
    {
        "far-1080p": Street("far", "vehicles 24-220 px wide beyond the limit, 1080p", far.far),
        "far-4k": Street(
            "far", "vehicles 24-220 px wide beyond the limit, 4K", far.far, resolution_wh=ULTRA_HD,
            encoding=Encoding(fps=0.5),
        ),
        "red-light-bikes": _queue("vehicles and two-wheelers queue at every red light", far.queue),
        "red-light-parked": _queue(
            "the same, while one vehicle stands at the kerb beyond the limit", far.queue_and_parked
        ),
        "fixtures": Street(
            "fixtures", "street furniture that is there at all times, brief stops beside it", far.fixtures,
            duration_s=900.0,
        ),
        "crowd": Street(
            "crowds", "people hide a parked vehicle for up to half of its stay", far.crowd, duration_s=540.0
        ),
        "stall-unnamed": _stall("people stay beside a stall that COCO has no name for", pavement.stall),
        "stall-unattended": _stall("the same things with nobody beside them", pavement.unattended),
        "litter-fence": _litter("a bag left by its owner before a fence or hedge, on cobbles", pavement.litter),
        "litter-fence-owned": _litter("a bag whose owner stays and takes it along", pavement.owned),
        "clouds": _weather(Conditions.CLOUDS, "the shadows of clouds move over the street"),
        "slow-light": _weather(Conditions.DRIFT, "the light rises and falls slowly"),
        "rain": _weather(Conditions.RAIN, "rain and wet ground"),
        "wind": _weather(Conditions.WIND, "trees and poles sway"),
        "night-traffic": _weather(Conditions.NIGHT, "headlights pass at night"),
        "night-rain": _weather(Conditions.NIGHT_RAIN, "headlights on wet ground at night"),
        "night-still": replace(
            _weather(Conditions.NIGHT, "a night at a low rate in which next to nothing changes"),
            encoding=Encoding(fps=0.5, kbit_s=40), vehicles_per_min=0.15, people_per_min=0.05,
        ),
    }
)  # fmt: skip

KINDS: Final = tuple(dict.fromkeys(street.kind for street in STREETS.values()))


def of_kinds(kinds: Sequence[str]) -> dict[str, Street]:
    """The cases of these kinds. Raises BadInput for a kind that is none."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise BadInput(f"no such kind: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    return {name: street for name, street in STREETS.items() if street.kind in kinds}


def make_play(
    name: str, seed: int, *, rough: bool = False, shared: Path | None = None, sees: Detector | None = None
) -> tuple[Play, Builder]:
    """A case's play, the same for the same arguments. Raises BadInput for a name that is none.

    `rough` plays it at night or in bad weather. `shared` adds its street stills and vehicles. With `sees`, a standing
    vehicle that this detector does not see in a native crop is replaced by another where one is seen.
    """
    if name not in STREETS:
        raise BadInput(f"no such case: {name!r}; there are {', '.join(STREETS)}")
    street = STREETS[name]
    site = site_of(
        seed, street.resolution_wh, street.duration_s, rough=rough, shared=shared, ground=_ground(street, seed),
        conditions=street.conditions,
    )  # fmt: skip
    site = replace(site, random=np.random.default_rng([seed, sum(map(ord, name))]))
    builder = Builder(site, sees)
    actors = [*street.build(builder)]
    actors += traffic(site, vehicles_per_min=street.vehicles_per_min, people_per_min=street.people_per_min)
    scene = replace(site.scene(actors), limits_s=street.limits_s)
    facings = {vehicle.sprite: vehicle.facing for vehicle in vehicles(shared)}
    return Play(scene, site.view, site.weather, street.encoding, facings), builder


def _ground(street: Street, seed: int) -> Ground:
    return STRETCH_GROUNDS[seed % len(STRETCH_GROUNDS)] if street.kind == "weather" else street.ground


def make_street(
    name: str,
    seed: int,
    folder: Path,
    *,
    rough: bool = False,
    shared: Path | None = None,
    sees: Detector | None = None,
) -> Path:
    """Write a case's recording to `folder / clips` and its truth to `folder / labels.json`, whose path it returns."""
    play, builder = make_play(name, seed, rough=rough, shared=shared, sees=sees)
    stem = f"{name}-{seed}{'-rough' if rough else ''}"
    record_play(play, folder / f"clips/{stem}.mp4")
    content = {
        "about": f"Composed footage with known answers: kerbwatch demo make {name}, seed {seed}.",
        "clips": [_labels(play, f"clips/{stem}.mp4", STREETS[name], builder)],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def _labels(play: Play, file: str, street: Street, builder: Builder) -> dict[str, Any]:
    """A clip's entry with its light, kind of camera and, where it was checked, how surely each vehicle is seen."""
    entry = labels(play.scene, file, f"{street.what}; view: {play.view.name}")
    entry["light"] = light_of(play)
    if builder.sees is not None:
        for event, label in zip(truth(play.scene), entry["events"], strict=True):
            actor = _actor_of(play.scene, event)
            if actor is not None:
                label["native_confidence"] = round(builder.confidence(actor, [actor]), 3)
    return entry


def light_of(play: Play) -> str:
    """'day', 'night' or 'rain'."""
    if play.weather.rain:
        return "rain"
    return "night" if play.view.night or light_at(play.scene.start).night else "day"


def _actor_of(scene: Scene, event: Event) -> Actor | None:
    """The vehicle that an event of parking is about."""
    if event.violation not in PARKING_LIMITS_S:
        return None
    for actor in scene.actors:
        if actor.sprite == event.what and any(
            max(0.0, from_s) == event.from_s for from_s, *_ in actor.stands()
        ):
            return actor
    return None

"""Composed cases on streets in perspective, by kind, with exact labels: what the cases of `cases.py` lack.

Seeds: 1-4999 are for tuning, 5000-9999 for tests, 10000 and above for figures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from detector.core.errors import BadInput
from detector.core.geometry import Box
from detector.core.values import Violation
from detector.demo.cast import vehicles
from detector.demo.native import SURE, native_confidence
from detector.demo.outdoor import USUAL, Encoding, OutdoorStage, Play, record_play
from detector.demo.scene import PARKING_LIMITS_S, Actor, Event, Scene, labels, light_at, truth
from detector.demo.site import Place, Site, middle_of, place_of_width, recast, site_of, traffic
from detector.inference.detector import Detector

FULL_HD: Final = (1920, 1080)
ULTRA_HD: Final = (3840, 2160)

RECASTS: Final = 5
"""So many other vehicles are tried where the detector does not see the first one in a native crop."""

Built = Iterable[Actor]


@dataclass(frozen=True, slots=True)
class Builder:
    """What builds a case's actors. `sees` checks that a standing vehicle is seen; None checks nothing."""

    site: Site
    sees: Detector | None

    def sure(self, place: Place, from_s: float, until_s: float) -> Actor:
        """A stand at a place, with a vehicle that is seen in a native crop where one is found."""
        first = place.stand(self.site, from_s, until_s)
        if self.sees is None:
            return first
        best, best_seen = first, self.confidence(first, [first])
        for other, _ in zip(recast(self.site, place), range(RECASTS), strict=False):
            if best_seen >= SURE + 0.05:
                break
            actor = other.stand(self.site, from_s, until_s)
            seen = self.confidence(actor, [actor])
            if seen > best_seen:
                best, best_seen = actor, seen
        return best

    def confidence(self, actor: Actor, shown: Sequence[Actor]) -> float:
        """How surely a standing actor is seen in the middle of its stay among those shown, in [0, 1]."""
        assert self.sees is not None
        scene = self.site.scene(shown)
        at_s = middle_of(self.site, actor)
        place = actor.at(at_s)
        if place is None:
            return 0.0
        stage = OutdoorStage(Play(scene, self.site.view, self.site.weather))
        return native_confidence(stage.frame(at_s), scene.box_of(actor, place[0], place[1]), self.sees)


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
    limits_s: Mapping[Violation, float] = field(default_factory=lambda: PARKING_LIMITS_S)


WIDTHS_PX: Final = ((24.0, 40.0), (40.0, 64.0), (64.0, 110.0), (90.0, 150.0), (150.0, 220.0))
"""Widths in source pixels at which vehicles stand in the far cases."""

WIDTH_WEIGHTS: Final = (0.1, 0.3, 0.25, 0.2, 0.15)


def _far(builder: Builder) -> Iterator[Actor]:
    """One to three vehicles beyond the limit at different distances, and one that stops briefly."""
    site = builder.site
    random = site.random
    scene = site.scene(())
    taken: list[Box] = []
    count = int(random.integers(2, 5))
    for index in range(count):
        place = _place(site, taken)
        if place is None:
            continue
        from_s = float(random.integers(15, 90))
        brief = bool(taken) and index == count - 1
        until_s = from_s + float(random.integers(50, 130) if brief else random.integers(220, 330))
        actor = builder.sure(place, from_s, until_s)
        taken.append(scene.box_of(actor, *place.foot))
        yield actor


def _place(site: Site, taken: Sequence[Box]) -> Place | None:
    """A place of a width by lot; of any width where this view has none such."""
    width = WIDTHS_PX[int(site.random.choice(len(WIDTHS_PX), p=WIDTH_WEIGHTS))]
    return place_of_width(site, width, taken) or place_of_width(
        site, (WIDTHS_PX[0][0], WIDTHS_PX[-1][1]), taken
    )


STREETS: Final[Mapping[str, Street]] = MappingProxyType(
    {
        "far-1080p": Street("far", "vehicles 24-220 px wide beyond the limit, 1080p", _far),
        "far-4k": Street(
            "far",
            "vehicles 24-220 px wide beyond the limit, 4K",
            _far,
            resolution_wh=ULTRA_HD,
            encoding=Encoding(fps=0.5),
        ),
    }
)

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
    site = site_of(seed, street.resolution_wh, street.duration_s, rough=rough, shared=shared)
    site = replace(site, random=np.random.default_rng([seed, sum(map(ord, name))]))
    builder = Builder(site, sees)
    actors = [*street.build(builder)]
    actors += traffic(site, vehicles_per_min=street.vehicles_per_min, people_per_min=street.people_per_min)
    scene = replace(site.scene(actors), limits_s=street.limits_s)
    facings = {vehicle.sprite: vehicle.facing for vehicle in vehicles(shared)}
    return Play(scene, site.view, site.weather, street.encoding, facings), builder


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

"""Made scenes on photographed streets, with vehicles cut out of real traffic, where a folder of both is given.

The program ships neither: whoever has street stills and cut-outs with alpha names their folder, laid out as
`footage/stills/*.jpg` and `footage/sprites/vehicle_*.png`. A made street's zones are laid over a part of a still that is
nearly all ground, so that the same cases can be played on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from detector.core.errors import BadInput
from detector.demo.play import CARS
from detector.demo.scene import Actor, Photo, Scene, light_at
from detector.demo.sprites import Kind, wardrobe

Crop = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class View:
    """A part of a still, xyxy in its pixels, and how bright a cut-out looks there beside full daylight."""

    still: str
    crop: Crop
    dim: float
    night: bool
    people: bool = False
    """People stand in the photo: as good as vendors and as owners of what is left beside them."""


VIEWS: Final = (
    View("other.jpg", (520, 380, 1120, 718), 1.0, night=False, people=True),
    View("south_street_cityhall.jpg", (720, 380, 1240, 672), 0.95, night=False),
    View("north_street_petzhold.jpg", (440, 478, 867, 718), 0.7, night=True),
)

SURE: Final = ("02", "03", "06", "07", "08", "11", "12", "13", "14", "15")
"""Cut-outs to which yolov8n gives 0.4 or more in nine tenths of ten places and poses on the views; the others only pass."""


def photographed(scene: Scene, shared: Path) -> Scene:
    """The same play on a photographed street by day or by night, its cars recast one by one; chosen by the seed.

    Raises BadInput where `shared` does not hold the stills and cut-outs.
    """
    night = light_at(scene.start).night
    sprites = wardrobe(shared)
    owners_matter = any(
        (kind := sprites[a.sprite].kind) is Kind.RUBBISH or (kind is Kind.PERSON and _stands(a))
        for a in scene.actors
    )
    views = [v for v in VIEWS if v.night == night and not (v.people and owners_matter)]
    view = views[scene.seed // 2 % len(views)]
    still = shared / "footage" / "stills" / view.still
    if not still.is_file():
        raise BadInput(
            f"{still}: no such still; --shared names a folder with footage/stills and footage/sprites"
        )
    cast = _cast(scene, [name for name in sprites if name.startswith("shared-")])
    actors = tuple(replace(actor, sprite=cast.get(actor.sprite, actor.sprite)) for actor in scene.actors)
    return replace(scene, actors=actors, shared=shared, photo=Photo(still, view.crop, view.dim))


def _stands(actor: Actor) -> bool:
    return next(actor.stands(), None) is not None


def _cast(scene: Scene, names: Sequence[str]) -> Mapping[str, str]:
    """Which cut-out plays which vehicle: different ones for different ones, those that stand by sure ones."""
    random = np.random.default_rng([scene.seed, 11])
    sure = [name for name in names if name.removeprefix("shared-") in SURE]
    if len(sure) < len(CARS):
        raise BadInput(f"{len(sure)} vehicles to cast, {len(CARS)} are needed")
    order = random.permutation(len(sure))
    cast = {car: sure[order[i]] for i, car in enumerate(CARS)}
    others = sorted({a.sprite for a in scene.actors} - cast.keys())
    passing = [o for o in others if o.startswith(("van", "minibus"))]
    return {**cast, **{name: names[int(random.integers(len(names)))] for name in passing}}

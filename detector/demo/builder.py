"""Builds the actors of a case on a street in perspective, with vehicles that a detector can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detector.demo.native import SURE, native_confidence
from detector.demo.outdoor import OutdoorStage, Play
from detector.demo.scene import Actor
from detector.demo.site import Place, Site, middle_of, recast
from detector.inference.detector import Detector

RECASTS: Final = 5
"""Number of other vehicles to try if the detector does not see the first one in a native crop."""


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

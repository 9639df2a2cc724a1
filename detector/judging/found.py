"""A suspect that needs no more than its stay, its zone and some words: enough for most rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from detector.config.rules import RuleSet
from detector.core.values import Camera, Incident, Point, Stay, Violation
from detector.judging.force import incident_of, longest_possible_s, parts_in_force, zone_named


@dataclass(frozen=True, slots=True)
class Found:
    """An object or a state in a zone of a rule, before limits and hours are asked."""

    stay: Stay
    violation: Violation
    zone_id: str
    share: float
    """Which part of the ground contact lies in the zone, in [0, 1]."""
    note: str = ""
    """What it is, for the explanation, where the violation alone does not say it."""
    note_zh: str = ""

    def incidents(self, point: Point, camera: Camera, rules: RuleSet, cadence_s: float) -> Iterator[Incident]:
        """The parts of the stay that may have lasted beyond the limit; samples are `cadence_s` apart."""
        zone = zone_named(camera, self.zone_id)
        for part, limit_s in parts_in_force(self.stay, self.violation, zone, point, camera, rules):
            if part.seen_s > 0 and longest_possible_s(part, cadence_s) > limit_s:
                incident = incident_of(
                    part, self.violation, point, zone.id, limit_s=limit_s, share=self.share
                )
                yield replace(incident, note=self.note, note_zh=self.note_zh)

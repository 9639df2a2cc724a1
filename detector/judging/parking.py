"""illegal_parking 机动车违停 and sidewalk_parking 人行道违停: a vehicle that stands on forbidden ground beyond its limit.

A vehicle is on a zone by the part of its ground contact inside, not by one point of its box. Bays are exempt,
and so are a zone's permitted hours. One vehicle is one incident, whichever zones it touches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import contact_share
from detector.core.times import Interval, subtract
from detector.core.values import (
    Camera,
    Incident,
    Point,
    Stay,
    Violation,
    Zone,
)
from detector.judging.force import incident_of, longest_possible, parts_in_force, zone_named
from detector.judging.jam import Jams, jams_around, traffic_of

PARKING = (Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING)

SURE_CONFIDENCE = 0.4
"""A vehicle is seen so surely at one of its looks at least. What never is, look after look, is a wall beside one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stay stands: the violation and zone that hold the largest part of its ground contact."""

    violation: Violation
    zone: Zone
    share: float


@dataclass(frozen=True, slots=True)
class Parked:
    """A vehicle's stay on ground where a rule of parking may hold, before limits and hours are asked."""

    stay: Stay
    violation: Violation
    zone_id: str
    share: float
    jams: Jams

    def incidents(self, point: Point, camera: Camera, rules: RuleSet, cadence_s: float) -> Iterator[Incident]:
        """The parts of the stay that may have lasted beyond the limit. Time in a queue or a jam does not count."""
        zone = zone_named(camera, self.zone_id)
        for part, limit_s in parts_in_force(self.stay, self.violation, zone, point, camera, rules):
            sure = max(s.confidence for s in part.sightings) >= SURE_CONFIDENCE
            if sure and part.seen_s > 0 and _longest_possible_s(part, self.jams.sure, cadence_s) > limit_s:
                incident = incident_of(
                    part, self.violation, point, zone.id, limit_s=limit_s, share=self.share
                )
                if self.jams != Jams():
                    incident = replace(incident, excused=self.jams.sure, queues=self.jams.unsure)
                yield incident


def parked(
    stays: Sequence[Stay], looks: Sequence[datetime], camera: Camera, rules: RuleSet, cadence_s: float
) -> Iterator[Parked]:
    """The stays that may be violations, whatever the limits and hours.

    `looks` are the moments of all looks, `cadence_s` the time between them; a stay may have lasted up to the looks
    before and after its own.
    """
    traffic = traffic_of(stays, looks, camera, cadence_s)
    for stay in stays:
        place = _place(stay, camera, rules)
        if place is None or stay.seen_s <= 0:
            continue
        rule = rules.rules[place.violation]
        in_jam = stay.seen_s <= rule.jam_limit_s and len(stay.sightings) > 1
        jams = jams_around(stay, traffic, rule.jam_others) if in_jam else Jams()
        yield Parked(stay, place.violation, place.zone.id, place.share, jams)


def _place(stay: Stay, camera: Camera, rules: RuleSet) -> Place | None:
    box = stay.box
    shares = {zone.id: contact_share(box, zone.polygon) for zone in camera.zones}
    best: Place | None = None
    for violation in PARKING:
        rule = rules.rules.get(violation)
        if rule is None or not rule.enabled or _exempt(rule, camera, shares):
            continue
        for zone in camera.zones:
            share = shares[zone.id]
            if zone.kind in rule.zones and share >= rule.min_share and (best is None or share > best.share):
                best = Place(violation, zone, share)
    return best


def _exempt(rule: RuleSettings, camera: Camera, shares: dict[str, float]) -> bool:
    return any(zone.kind in rule.exempt_zones and shares[zone.id] >= 0.5 for zone in camera.zones)


def _longest_possible_s(stay: Stay, excused: Sequence[Interval], cadence_s: float) -> float:
    """How long a stay may have lasted, what is excused left out."""
    longest = longest_possible(stay, cadence_s)
    return sum(stretch.duration_s for stretch in subtract(longest, excused))

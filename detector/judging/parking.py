"""illegal_parking 机动车违停 and sidewalk_parking 人行道违停: a vehicle that stands on forbidden ground beyond its limit.

A vehicle is on a zone by the part of its ground contact inside, not by one point of its box. Bays are exempt,
and so are a zone's permitted hours. One vehicle is one incident, whichever zones it touches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import contact_share, is_same_object
from detector.core.times import Interval, subtract
from detector.core.values import (
    Camera,
    Incident,
    LabelGroup,
    Point,
    Stay,
    Violation,
    Zone,
)
from detector.judging.force import incident_of, longest_possible, parts_in_force, zone_named
from detector.judging.jam import Jams, Traffic, count_two_wheelers, jams_around, traffic_of
from detector.judging.stays import find_stays
from detector.judging.suspects import Looks

PARKING = (Violation.ILLEGAL_PARKING, Violation.SIDEWALK_PARKING)

SURE_CONFIDENCE = 0.4
"""A stay that the model names with this confidence at one sample is a candidate."""

WEAK_EVIDENCE = 0.08
"""So is a stay whose confidence, averaged over all samples of its time, reaches this: samples without a sighting count
as 0. Verification then decides at native resolution (see `detector.proving.naming`)."""

FAINT_PRESENCE = 0.5
"""A stay that is never named with SURE_CONFIDENCE is seen at this share of the samples of its time or more."""

SAME_TIME_SHARE = 0.5
"""Two stays whose boxes are nested are of one vehicle where they share this part of the shorter one's time."""


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
            if part.seen_s > 0 and _longest_possible_s(part, self.jams.sure, cadence_s) > limit_s:
                incident = incident_of(
                    part, self.violation, point, zone.id, limit_s=limit_s, share=self.share
                )
                if self.jams != Jams():
                    incident = replace(incident, excused=self.jams.sure, queues=self.jams.unsure)
                yield incident


def find_parked(looks: Looks) -> Iterator[Parked]:
    """The vehicles that may stand where a rule of parking forbids it."""
    clear, faint = (
        find_stays(looks.observations, LabelGroup.VEHICLE, mistaken=True, faint=faint)
        for faint in (False, True)
    )
    gathered = count_two_wheelers(looks.observations, looks.camera)
    traffic = traffic_of(clear, looks.moments, looks.camera, looks.cadence_s, gathered=gathered)
    return parked(faint, looks.moments, looks.camera, looks.rules, traffic)


def parked(
    stays: Sequence[Stay], looks: Sequence[datetime], camera: Camera, rules: RuleSet, traffic: Traffic
) -> Iterator[Parked]:
    """The stays that may be violations, whatever the limits and hours.

    `stays` include faint sightings; `looks` are the moments of all samples in rising order; `traffic` holds the queues
    and jams in which a vehicle may have stood.
    """
    for stay in _one_each([stay for stay in stays if is_candidate(stay, looks)]):
        place = _place(stay, camera, rules)
        if place is None or stay.seen_s <= 0:
            continue
        rule = rules.rules[place.violation]
        in_jam = stay.seen_s <= rule.jam_limit_s and len(stay.sightings) > 1
        jams = jams_around(stay, traffic, rule.jam_others) if in_jam else Jams()
        yield Parked(stay, place.violation, place.zone.id, place.share, jams)


def is_candidate(stay: Stay, looks: Sequence[datetime]) -> bool:
    """Whether the samples of a stay name a vehicle well enough to verify it."""
    if max(sighting.confidence for sighting in stay.sightings) >= SURE_CONFIDENCE:
        return True
    present = len(stay.sightings) >= FAINT_PRESENCE * _samples(stay, looks)
    return present and mean_confidence(stay, looks) >= WEAK_EVIDENCE


def mean_confidence(stay: Stay, looks: Sequence[datetime]) -> float:
    """The confidence of a stay in [0, 1], averaged over all samples of its time; those without a sighting count as 0."""
    return sum(sighting.confidence for sighting in stay.sightings) / _samples(stay, looks)


def _samples(stay: Stay, looks: Sequence[datetime]) -> int:
    return max(1, bisect_right(looks, stay.seen[1]) - bisect_left(looks, stay.seen[0]))


def _one_each(stays: Sequence[Stay]) -> list[Stay]:
    """The stays in their order, of those whose boxes are nested at one time only the one with the most evidence."""
    kept: list[Stay] = []
    for stay in sorted(stays, key=lambda s: -sum(sighting.confidence for sighting in s.sightings)):
        if not any(_is_one_vehicle(stay, other) for other in kept):
            kept.append(stay)
    return sorted(kept, key=lambda stay: (stay.sightings[0].at, stay.sightings[0].box))


def _is_one_vehicle(stay: Stay, other: Stay) -> bool:
    first, last = max(stay.seen[0], other.seen[0]), min(stay.seen[1], other.seen[1])
    shared_s = (last - first).total_seconds()
    if shared_s <= 0 or shared_s < SAME_TIME_SHARE * min(stay.seen_s, other.seen_s):
        return False
    return is_same_object(stay.box, other.box)


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

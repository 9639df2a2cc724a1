"""disorderly_bikes 非机动车乱停放: bicycles and motorcycles that stand outside their bays, by number and time.

Bikes packed together flicker as detections: now two boxes for three, now a box over two. So a cluster is judged,
not each bike: the place where bikes stand close to each other, and how many are seen in it look by look. One
cluster is one incident, whose box is the cluster's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TypeVar

from detector.config.rules import RuleSet, RuleSettings
from detector.core.geometry import Box, contact_share
from detector.core.values import (
    Camera,
    Incident,
    LabelGroup,
    Observation,
    Point,
    Sighting,
    Stay,
    Violation,
    Zone,
)
from detector.judging.force import incident_of, longest_possible_s, parts_in_force, zone_named
from detector.judging.stays import LOOKS_MISSED, find_stays, one_box_each
from detector.judging.suspects import Looks

_T = TypeVar("_T")

APART_WIDTHS = 1.0
"""Bikes no further apart than so many widths of a bike stand together."""

APART_IN_A_LOOK = 2.0
"""In a single look those between them may be missed."""

IN_BAY_SHARE = 0.5
"""A bike with so much of its ground contact in an exempt zone is where it belongs."""

SEEN_TWICE = 2
"""A number of bikes counts from when it is seen so often in the looks around: one rider who passes adds none."""


@dataclass(frozen=True, slots=True)
class _Bike:
    """One bike in one look, and the zone that holds most of it."""

    box: Box
    confidence: float
    zone: Zone
    share: float


@dataclass(frozen=True, slots=True)
class _Stand:
    """A bike's stay by its box and the looks [begins, ends]."""

    box: Box
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Bikes that stand together outside their bays, before limits and hours are asked."""

    stay: Stay
    counts: tuple[int, ...]
    """How many bikes each sighting shows."""
    zone_id: str
    share: float

    def incidents(self, point: Point, camera: Camera, rules: RuleSet, cadence_s: float) -> Iterator[Incident]:
        """The parts of the stay that may have lasted beyond the limit; looks are `cadence_s` apart."""
        zone = zone_named(camera, self.zone_id)
        violation = Violation.DISORDERLY_BIKES
        for part, limit_s in parts_in_force(self.stay, violation, zone, point, camera, rules):
            if part.seen_s > 0 and longest_possible_s(part, cadence_s) > limit_s:
                yield _incident(part, self._count(part), zone, self.share, limit_s, point)

    def _count(self, part: Stay) -> int:
        """How many stood there: the number seen at half of the looks or more."""
        start, end = part.seen
        seen = zip(self.stay.sightings, self.counts, strict=True)
        counts = sorted(count for sighting, count in seen if start <= sighting.at <= end)
        return counts[len(counts) // 2]


def find_clusters(looks: Looks) -> Iterator[Cluster]:
    """The bicycles that may stand in disorder."""
    return clusters(looks.observations, looks.point, looks.camera, looks.rules)


def clusters(
    observations: Sequence[Observation], point: Point, camera: Camera, rules: RuleSet
) -> Iterator[Cluster]:
    """What may be a violation among one camera's observations, in rising order of time."""
    rule = rules.rules[Violation.DISORDERLY_BIKES].at(point.category)
    seen = [_outside(observation, camera, rule) for observation in observations]
    moments = [o.at for o in observations]
    standing = [
        _Stand(stay.box, *(bisect_left(moments, at) for at in stay.seen))
        for stay in find_stays(observations, LabelGroup.BIKE, min_confidence=rule.min_confidence)
        if stay.seen_s > 0 and _placed(stay.box, 1.0, camera, rule)
    ]
    for group in _grouped(standing, _meet):
        place = _union([stand.box for stand in group])
        first_look = max(0, min(stand.begins for stand in group) - LOOKS_MISSED)
        last_look = max(stand.ends for stand in group) + LOOKS_MISSED
        around = observations[first_look : last_look + 1]
        there = [
            _largest([bike for bike in bikes if _overlap(bike.box, place)])
            for bikes in seen[first_look : last_look + 1]
        ]
        zone, share = _zone_of(there)
        if zone is None:
            continue
        for first, last in _stretches([len(bikes) for bikes in there], rule.min_count):
            stay = _stay(around, there, first, last)
            counts = tuple(len(bikes) for bikes in there[first : last + 1] if bikes)
            if stay.seen_s > 0:
                yield Cluster(stay, counts, zone.id, share)


def _grouped(items: Sequence[_T], joined: Callable[[_T, _T], bool]) -> list[list[_T]]:
    """The items in groups, each chained by a symmetric relation, in order of their first items."""
    groups: list[list[int]] = []
    for i, item in enumerate(items):
        near = [group for group in groups if any(joined(items[k], item) for k in group)]
        groups = [group for group in groups if group not in near]
        groups.append(sorted([i, *(k for group in near for k in group)]))
    return [[items[i] for i in group] for group in sorted(groups)]


def _meet(a: _Stand, b: _Stand) -> bool:
    """Whether two bikes stood together for some time."""
    return a.begins <= b.ends and b.begins <= a.ends and _together(a.box, b.box)


def _largest(bikes: Sequence[_Bike]) -> list[_Bike]:
    """Of the bikes of one look the most that stand together."""
    return max(_grouped(bikes, lambda a, b: _together(a.box, b.box, APART_IN_A_LOOK)), key=len, default=[])


def _outside(observation: Observation, camera: Camera, rule: RuleSettings) -> list[_Bike]:
    """The bikes of one look that are on the rule's ground and in no bay."""
    found = one_box_each(observation.detections.of(LabelGroup.BIKE))
    placed = []
    for row, confidence in zip(found.boxes, found.confidences, strict=True):
        x1, y1, x2, y2 = (float(v) for v in row)
        if confidence >= rule.min_confidence:
            placed.append(_placed((x1, y1, x2, y2), float(confidence), camera, rule))
    return [bike for bike in placed if bike]


def _placed(box: Box, confidence: float, camera: Camera, rule: RuleSettings) -> _Bike | None:
    shares = [(contact_share(box, zone.polygon), zone) for zone in camera.zones]
    if any(zone.kind in rule.exempt_zones and share >= IN_BAY_SHARE for share, zone in shares):
        return None
    forbidden = [pair for pair in shares if pair[1].kind in rule.zones and pair[0] >= rule.min_share]
    if not forbidden:
        return None
    share, zone = max(forbidden, key=lambda pair: pair[0])
    return _Bike(box, confidence, zone, share)


def _together(a: Box, b: Box, widths: float = APART_WIDTHS) -> bool:
    """Whether two bikes stand at most so many widths apart and not one behind the other across a street."""
    width, height = min(a[2] - a[0], b[2] - b[0]), min(a[3] - a[1], b[3] - b[1])
    apart = max(a[0], b[0]) - min(a[2], b[2])
    return apart <= widths * width and abs(a[3] - b[3]) <= height


def _overlap(box: Box, place: Box) -> bool:
    """Whether the middle of a bike's foot lies in a place."""
    x, y = (box[0] + box[2]) / 2, box[3]
    margin = 0.25 * (box[3] - box[1])
    return place[0] <= x <= place[2] and place[1] <= y <= place[3] + margin


def _union(boxes: Sequence[Box]) -> Box:
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return (min(x1), min(y1), max(x2), max(y2))


def _zone_of(there: Sequence[Sequence[_Bike]]) -> tuple[Zone | None, float]:
    """The zone that holds most of a place's bikes, and the part of their ground contact in it, in [0, 1]."""
    shares: dict[str, list[float]] = {}
    zones = {bike.zone.id: bike.zone for bikes in there for bike in bikes}
    for bikes in there:
        for bike in bikes:
            shares.setdefault(bike.zone.id, []).append(bike.share)
    if not shares:
        return None, 0.0
    best = max(shares, key=lambda zone_id: sum(shares[zone_id]))
    return zones[best], median(shares[best])


def _stretches(counts: Sequence[int], min_count: int) -> Iterator[tuple[int, int]]:
    """The first and last look of each stretch in which so many bikes stand, flicker bridged.

    A look counts when so many are seen at SEEN_TWICE of the looks at most LOOKS_MISSED away from it, and a stretch
    begins and ends with a look that itself shows as many.
    """
    enough = [count >= min_count for count in counts]
    first: int | None = None
    last = 0
    for index in range(len(counts) + 1):
        around = enough[max(0, index - LOOKS_MISSED) : index + LOOKS_MISSED + 1]
        if index < len(counts) and sum(around) >= SEEN_TWICE:
            if enough[index]:
                first, last = index if first is None else first, index
        elif first is not None:
            yield first, last
            first = None


def _stay(
    observations: Sequence[Observation], there: Sequence[Sequence[_Bike]], first: int, last: int
) -> Stay:
    """A cluster over the looks [first, last]: at each that shows a bike the box of all that were seen in that time."""
    box = _union([bike.box for bikes in there[first : last + 1] for bike in bikes])
    sightings = tuple(
        Sighting(observations[i].at, box, max(bike.confidence for bike in there[i]), "bicycle")
        for i in range(first, last + 1)
        if there[i]
    )
    before = observations[first - 1].at if first else None
    after = observations[last + 1].at if last + 1 < len(observations) else None
    return Stay(observations[first].camera_id, LabelGroup.BIKE, sightings, before, after)


def _incident(part: Stay, count: int, zone: Zone, share: float, limit_s: float, point: Point) -> Incident:
    bicycles = "bicycle or motorcycle" if count == 1 else "bicycles or motorcycles"
    incident = incident_of(part, Violation.DISORDERLY_BIKES, point, zone.id, limit_s=limit_s, share=share)
    return replace(
        incident,
        note=f"{count} {bicycles} outside the bays",
        note_zh=f"停车位外非机动车{count}辆",
    )

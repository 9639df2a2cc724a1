"""Where and when a rule is in force along a stay, and how long a stay may have lasted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from detector.config.rules import RuleSet
from detector.core.times import Interval
from detector.core.values import Camera, Incident, Point, Sighting, Stay, Violation, Zone


def parts_in_force(
    stay: Stay, violation: Violation, zone: Zone, point: Point, camera: Camera, rules: RuleSet
) -> Iterator[tuple[Stay, float]]:
    """The stretches of a stay in which the rule is in force in the zone, each with its limit in seconds."""
    in_force = rules.in_force(violation, point.category, zone)
    if in_force is None:
        return
    first, last = (at.astimezone(camera.timezone) for at in stay.seen)
    if not in_force.may_change(first, last):
        limit_s = in_force.limit_at(first)
        if limit_s is not None:
            yield stay, limit_s
        return
    run: list[Sighting] = []
    run_limit_s: float | None = None
    before = stay.absent_before
    for sighting in stay.sightings:
        limit_s = in_force.limit_at(sighting.at.astimezone(camera.timezone))
        if run and limit_s != run_limit_s:
            if run_limit_s is not None:
                yield (
                    replace(stay, sightings=tuple(run), absent_before=before, absent_after=None),
                    run_limit_s,
                )
            before, run = None, []
        run_limit_s = limit_s
        run.append(sighting)
    if run and run_limit_s is not None:
        yield replace(stay, sightings=tuple(run), absent_before=before), run_limit_s


def zone_named(camera: Camera, zone_id: str) -> Zone:
    """Raises KeyError."""
    for zone in camera.zones:
        if zone.id == zone_id:
            return zone
    raise KeyError(zone_id)


def longest_possible(stay: Stay, cadence_s: float) -> Interval:
    """A stay may have lasted from the look before its first to the look after its last, `cadence_s` away."""
    first, last = stay.seen
    reach = timedelta(seconds=cadence_s)
    return Interval(stay.absent_before or first - reach, stay.absent_after or last + reach)


def longest_possible_s(stay: Stay, cadence_s: float) -> float:
    return longest_possible(stay, cadence_s).duration_s


def incident_of(
    part: Stay, violation: Violation, point: Point, zone_id: str, *, limit_s: float, share: float
) -> Incident:
    """The suspicion that a part of a stay raises."""
    return Incident(
        violation=violation,
        point_id=point.id,
        camera_id=part.camera_id,
        zone_id=zone_id,
        interval=Interval(*part.seen),
        limit_s=limit_s,
        box=part.box,
        share=share,
        confidence=max(s.confidence for s in part.sightings),
        stay=part,
    )

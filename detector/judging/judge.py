"""The one way from observations to suspicions, used by scan, judge, check and evaluate alike."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Protocol

import numpy as np

from detector.config.rules import RuleSet
from detector.core.times import Interval
from detector.core.values import Camera, Incident, LabelGroup, Observation, Point, Stay, Violation
from detector.judging.bikes import clusters
from detector.judging.camera_fault import ViewFault, fault_incidents, view_faults
from detector.judging.jam import count_two_wheelers, traffic_of
from detector.judging.litter import lying
from detector.judging.parking import PARKING, parked
from detector.judging.stays import find_stays
from detector.judging.vending import stalls

DEFAULT_CADENCE_S = 60.0


class Suspect(Protocol):
    """A stay that some rule may forbid, as far as looks and the rule's ground tell, whatever its limit and hours."""

    @property
    def stay(self) -> Stay: ...

    def incidents(
        self, point: Point, camera: Camera, rules: RuleSet, cadence_s: float
    ) -> Iterator[Incident]: ...


class Family(StrEnum):
    """The rules that are judged by the same suspects."""

    PARKING = "parking"
    LITTER = "litter"
    BIKES = "bikes"
    VENDING = "vending"


VIOLATIONS = {
    Family.PARKING: PARKING,
    Family.LITTER: (Violation.LITTER,),
    Family.BIKES: (Violation.DISORDERLY_BIKES,),
    Family.VENDING: (Violation.STREET_VENDING,),
}


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that one camera's observations amount to before a limit or an hour is asked: other limits need no more."""

    looks: int
    cadence_s: float
    """The usual time between looks."""
    faults: tuple[ViewFault, ...]
    suspects: Mapping[Family, tuple[Suspect, ...]]
    """Of every family with a rule that is enabled."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one camera's observations amount to."""

    incidents: tuple[Incident, ...]
    faults: tuple[ViewFault, ...]


def judge(
    observations: Sequence[Observation],
    point: Point,
    camera: Camera,
    rules: RuleSet,
    *,
    earlier: Sequence[Observation] = (),
    unseen: Sequence[Interval] = (),
) -> Judgement:
    """Suspected incidents of one camera, from its observations in order of time.

    Observations within a stretch whose view cannot be judged are left out of every other rule. `earlier` looks, from
    before the period, say what the camera's view is like; `unseen` is recorded time of which no picture was had.
    """
    return judge_each(observations, point, camera, [rules], earlier=earlier, unseen=unseen)[0]


def judge_each(
    observations: Sequence[Observation],
    point: Point,
    camera: Camera,
    rule_sets: Iterable[RuleSet],
    *,
    earlier: Sequence[Observation] = (),
    unseen: Sequence[Interval] = (),
) -> list[Judgement]:
    """As `judge`, by each rule set; what several of them gather alike is gathered once."""
    gathered: list[tuple[RuleSet, Gathered]] = []
    for rules in rule_sets:
        known = {
            family: suspects
            for like, by_like in gathered
            for family, suspects in by_like.suspects.items()
            if ground_of(rules, family) == ground_of(like, family)
        }
        new = gather(
            observations,
            point,
            camera,
            rules,
            earlier=earlier,
            unseen=unseen,
            families=[family for family in Family if family not in known],
        )
        gathered.append((rules, replace(new, suspects={**known, **new.suspects})))
    return [decide(suspected, point, camera, rules) for rules, suspected in gathered]


def gather(
    observations: Sequence[Observation],
    point: Point,
    camera: Camera,
    rules: RuleSet,
    *,
    earlier: Sequence[Observation] = (),
    unseen: Sequence[Interval] = (),
    families: Iterable[Family] = tuple(Family),
) -> Gathered:
    """The part of judging that takes time: see `judge`."""
    cadence_s = cadence_of(observations)
    faults: list[ViewFault] = []
    if enabled(rules, Violation.CAMERA_FAULT):
        faults = view_faults(observations, cadence_s, earlier=earlier, unseen=unseen)
    usable = [o for o in observations if not any(o.at in fault.interval for fault in faults)]
    suspects = {
        family: tuple(_suspects(family, usable, point, camera, rules, cadence_s))
        for family in families
        if any(enabled(rules, violation) for violation in VIOLATIONS[family])
    }
    return Gathered(len(observations), cadence_s, tuple(faults), suspects)


def _suspects(
    family: Family,
    usable: Sequence[Observation],
    point: Point,
    camera: Camera,
    rules: RuleSet,
    cadence_s: float,
) -> Iterable[Suspect]:
    match family:
        case Family.PARKING:
            moments = [o.at for o in usable]
            clear, faint = (
                find_stays(usable, LabelGroup.VEHICLE, mistaken=True, faint=faint) for faint in (False, True)
            )
            traffic = traffic_of(
                clear,
                moments,
                camera,
                cadence_s,
                gathered=count_two_wheelers(usable, camera),
            )
            return parked(faint, moments, camera, rules, traffic)
        case Family.LITTER:
            return lying(usable, camera, rules)
        case Family.BIKES:
            return clusters(usable, point, camera, rules)
        case Family.VENDING:
            return stalls(usable, point, camera, rules)


def decide(gathered: Gathered, point: Point, camera: Camera, rules: RuleSet) -> Judgement:
    """The suspicions under these limits and hours; in all else the rules must be those that were gathered by.

    Zones that nobody has confirmed are judged by no rule; faults of the camera are.
    """
    own = rules.at(point.category)
    incidents = [
        incident
        for suspects in (gathered.suspects.values() if camera.zones_judged else ())
        for suspect in suspects
        for incident in suspect.incidents(point, camera, own, gathered.cadence_s)
    ]
    incidents += fault_incidents(gathered.faults, point, camera)
    incidents.sort(key=lambda incident: (incident.interval.start, incident.violation, incident.fingerprint))
    return Judgement(tuple(incidents), gathered.faults)


def ground_of(rules: RuleSet, family: Family) -> str:
    """All of a family's rules that decides who its suspects are, which is everything but limits and hours."""
    own = [(v, rules.rules.get(v)) for v in VIOLATIONS[family]]
    content = [
        {**asdict(rule), "dwell_s": None, "hours": None, "by_category": None}
        for _, rule in own
        if rule is not None and rule.enabled
    ]
    return json.dumps([content, enabled(rules, Violation.CAMERA_FAULT)], sort_keys=True)


def least_limit_s(rules: RuleSet, family: Family, point: Point, camera: Camera) -> float:
    """No limit of the family is shorter for this camera, at whatever hour; inf where no rule is in force."""
    limits_s = [math.inf]
    for violation in VIOLATIONS[family]:
        rule = rules.rules.get(violation)
        if rule is not None and rule.enabled and rule.at(point.category).enabled:
            dwell_s = rule.at(point.category).dwell_s
            limits_s += [dwell_s, *(zone.limits_s.get(violation, dwell_s) for zone in camera.zones)]
    return min(limits_s)


def reach_s(suspect: Suspect, cadence_s: float) -> float:
    """No part of the suspect's stay is taken to have lasted longer."""
    stay = suspect.stay
    first, last = stay.seen
    before_s = (first - stay.absent_before).total_seconds() if stay.absent_before else 0.0
    after_s = (stay.absent_after - last).total_seconds() if stay.absent_after else 0.0
    return stay.seen_s + max(cadence_s, before_s) + max(cadence_s, after_s)


def cadence_of(observations: Sequence[Observation]) -> float:
    """The usual time between looks, in seconds."""
    if len(observations) < 2:
        return DEFAULT_CADENCE_S
    times = np.array([o.at.timestamp() for o in observations])
    return float(np.median(np.diff(times)))


def enabled(rules: RuleSet, violation: Violation) -> bool:
    rule = rules.rules.get(violation)
    return rule is not None and rule.enabled

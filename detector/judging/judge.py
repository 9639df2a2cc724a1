"""The one way from observations to suspicions, used by scan, judge, check and evaluate alike."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from detector.config.rules import RuleSet
from detector.config.violations import families, function_of
from detector.core.times import Interval
from detector.core.values import Camera, Incident, Observation, Point, Violation
from detector.judging.camera_fault import ViewFault, fault_incidents, view_faults
from detector.judging.suspects import Looks, Suspect

DEFAULT_CADENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that one camera's observations amount to before a limit or an hour is asked: other limits need no more."""

    looks: int
    cadence_s: float
    """The usual time between looks."""
    faults: tuple[ViewFault, ...]
    suspects: Mapping[str, tuple[Suspect, ...]]
    """Of every family with a rule that is enabled; a family is named by its function of candidates."""


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
            only=[family for family in families() if family not in known],
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
    only: Iterable[str] | None = None,
) -> Gathered:
    """The part of judging that takes time: see `judge`. Of all families of rules, or of those named in `only`."""
    cadence_s = cadence_of(observations)
    faults: list[ViewFault] = []
    if enabled(rules, Violation.CAMERA_FAULT):
        faults = view_faults(observations, cadence_s, earlier=earlier, unseen=unseen)
    usable = [o for o in observations if not any(o.at in fault.interval for fault in faults)]
    looks = Looks(usable, point, camera, rules, cadence_s)
    only = None if only is None else tuple(only)
    suspects = {
        family: tuple(function_of(family)(looks))
        for family, violations in families().items()
        if (only is None or family in only) and any(enabled(rules, violation) for violation in violations)
    }
    return Gathered(len(observations), cadence_s, tuple(faults), suspects)


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


def ground_of(rules: RuleSet, family: str) -> str:
    """All of a family's rules that decides who its suspects are, which is everything but limits and hours."""
    own = [(v, rules.rules.get(v)) for v in families()[family]]
    content = [
        {**asdict(rule), "dwell_s": None, "hours": None, "by_category": None}
        for _, rule in own
        if rule is not None and rule.enabled
    ]
    return json.dumps([content, enabled(rules, Violation.CAMERA_FAULT)], sort_keys=True)


def least_limit_s(rules: RuleSet, family: str, point: Point, camera: Camera) -> float:
    """No limit of the family is shorter for this camera, at whatever hour; inf where no rule is in force."""
    limits_s = [math.inf]
    for violation in families()[family]:
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

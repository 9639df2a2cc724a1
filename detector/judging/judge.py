"""The one way from observations to suspicions, used by scan, judge, check and evaluate alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.config.rules import RuleSet
from detector.core.times import Interval
from detector.core.values import Camera, Incident, LabelGroup, Observation, Point, Violation
from detector.judging.bikes import bike_incidents
from detector.judging.camera_fault import ViewFault, fault_incidents, view_faults
from detector.judging.litter import litter_incidents
from detector.judging.parking import PARKING, parking_incidents
from detector.judging.stays import find_stays
from detector.judging.vending import vending_incidents

DEFAULT_CADENCE_S = 60.0


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
    cadence_s = cadence_of(observations)
    faults: list[ViewFault] = []
    if _enabled(rules, Violation.CAMERA_FAULT):
        faults = view_faults(observations, cadence_s, earlier=earlier, unseen=unseen)
    usable = [o for o in observations if not any(o.at in fault.interval for fault in faults)]
    incidents: list[Incident] = []
    if any(_enabled(rules, violation) for violation in PARKING):
        stays = find_stays(usable, LabelGroup.VEHICLE, mistaken=True)
        incidents += parking_incidents(stays, [o.at for o in usable], point, camera, rules, cadence_s)
    if _enabled(rules, Violation.LITTER):
        incidents += litter_incidents(usable, point, camera, rules, cadence_s)
    if _enabled(rules, Violation.DISORDERLY_BIKES):
        incidents += bike_incidents(usable, point, camera, rules, cadence_s)
    if _enabled(rules, Violation.STREET_VENDING):
        incidents += vending_incidents(usable, point, camera, rules, cadence_s)
    incidents += fault_incidents(faults, point, camera)
    incidents.sort(key=lambda incident: (incident.interval.start, incident.violation, incident.fingerprint))
    return Judgement(tuple(incidents), tuple(faults))


def cadence_of(observations: Sequence[Observation]) -> float:
    """The usual time between looks, in seconds."""
    if len(observations) < 2:
        return DEFAULT_CADENCE_S
    times = np.array([o.at.timestamp() for o in observations])
    return float(np.median(np.diff(times)))


def _enabled(rules: RuleSet, violation: Violation) -> bool:
    rule = rules.rules.get(violation)
    return rule is not None and rule.enabled

"""overflowing_bin 垃圾满溢: a street container that the classifier calls dirty beyond its limit, until it is emptied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from detector.core.geometry import Box, bounds, covered_share, iou
from detector.core.values import LabelGroup, Observation, Sighting, Stay, Violation, Zone
from detector.judging.found import Found
from detector.judging.suspects import Looks

SAME_ZONE_IOU = 0.7
"""An answer of the classifier is about a zone whose bounds overlap its box by this IoU."""

HIDDEN_SHARE = 0.3
"""A container is hidden where a person or vehicle covers this share of its zone; such a sample is left out."""

CLEAN_SAMPLES = 2
"""Number of clean samples in a row that end a stay: one alone may be a mistake of the classifier."""

DIRTY_SHARE = 0.7
"""A stay is a candidate where this share of its samples is dirty."""


@dataclass(frozen=True, slots=True)
class _State:
    """What one sample says of a container."""

    at: datetime
    probability: float
    dirty: bool


def find_overflowing(looks: Looks) -> Iterator[Found]:
    """The containers that may overflow."""
    rule = looks.rules.rules[Violation.OVERFLOWING_BIN].at(looks.point.category)
    for zone in looks.camera.zones:
        if zone.kind in rule.zones:
            states = _states(looks.observations, bounds(zone.polygon), rule.min_confidence)
            for stay in _stays(states, zone, looks.camera.id):
                yield Found(stay, Violation.OVERFLOWING_BIN, zone.id, 1.0)


def _states(observations: Sequence[Observation], container: Box, min_confidence: float) -> list[_State]:
    """The samples at which the classifier was asked about a container that nothing hid."""
    states = []
    for observation in observations:
        answers = observation.detections.of(LabelGroup.BIN)
        about = [
            float(p)
            for p, box in zip(answers.confidences, answers.boxes.astype(float), strict=True)
            if iou((box[0], box[1], box[2], box[3]), container) >= SAME_ZONE_IOU
        ]
        if about and not _is_hidden(observation, container):
            states.append(_State(observation.at, about[0], about[0] >= min_confidence))
    return states


def _is_hidden(observation: Observation, container: Box) -> bool:
    return any(
        covered_share(container, (x1, y1, x2, y2)) >= HIDDEN_SHARE
        for group in (LabelGroup.PERSON, LabelGroup.VEHICLE)
        for x1, y1, x2, y2 in observation.detections.of(group).boxes.astype(float).tolist()
    )


def _stays(states: Sequence[_State], zone: Zone, camera_id: str) -> Iterator[Stay]:
    """From the first dirty sample to the last before CLEAN_SAMPLES clean ones in a row."""
    first = 0
    while first < len(states):
        if not states[first].dirty:
            first += 1
            continue
        end = _end(states, first)
        run = states[first:end]
        if len(run) > 1 and sum(state.dirty for state in run) >= DIRTY_SHARE * len(run):
            before = states[first - 1].at if first else None
            after = states[end].at if end < len(states) else None
            yield _stay(run, zone, camera_id, before, after)
        first = end


def _end(states: Sequence[_State], first: int) -> int:
    """The index after the last dirty sample of the stay that begins at `first`."""
    last = first
    for index in range(first + 1, len(states)):
        if states[index].dirty:
            last = index
        elif index - last >= CLEAN_SAMPLES:
            break
    return last + 1


def _stay(
    run: Sequence[_State], zone: Zone, camera_id: str, before: datetime | None, after: datetime | None
) -> Stay:
    box, confidence = bounds(zone.polygon), fmean(state.probability for state in run)
    sightings = tuple(Sighting(state.at, box, confidence, "bin") for state in run if state.dirty)
    return Stay(camera_id, LabelGroup.BIN, sightings, before, after)

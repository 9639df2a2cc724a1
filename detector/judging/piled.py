"""piled_goods 乱堆物料 / 占用盲道: an object without a name, above litter size, that stands on a footway with nobody beside it.

The pictures kept of samples are compared before and after, as for litter and unnamed stalls: what came or left is an object. Its
size is stated relative to the people who pass near it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from detector.config.rules import RuleSettings
from detector.core.geometry import Box, contact_share, covered_share, iou, within_reach
from detector.core.values import Camera, LabelGroup, Observation, Stay, Violation, Zone, ZoneKind
from detector.judging.found import Found
from detector.judging.litter import standing_things
from detector.judging.suspects import Looks

MOST_PICTURES = 150
"""Of more kept pictures only so many, evenly apart, are compared: goods stand for long, and comparing takes time."""

WIDTHS = (0.02, 0.4)
"""Width of an object, in picture widths."""

LEAST_PERSONS = 0.5
"""Height or width of an object above litter size, in heights of a person who stands near it."""

LEAST_WIDTH = 0.06
"""Width of an object above litter size, in picture widths, where nobody passes to compare it with."""

NEAR_FEET = 0.12
"""People whose feet lie within this share of the picture's height of the object's lower edge are as far away as it is."""

FEWEST_PEOPLE = 3
"""Number of sightings of people that a comparison needs."""

PERSON_CONFIDENCE = 0.4
"""Confidence in [0, 1] from which a person is measured."""

ATTENDED_SHARE = 0.5
"""An object with somebody within reach at this share of its samples is a stall or luggage."""

NAMED_SHARE = 0.2
"""An object that a vehicle or bicycle covers at this share of its samples is one, or a part of one."""

NAMED_IOU = 0.3
NAMED_COVER = 0.6
"""A vehicle or bicycle is the object from this IoU on, or where it covers this share of the object."""

TACTILE_SHARE = 0.2
"""An object stands on a tactile path, which is narrow, where this share of its ground contact lies on it."""


@dataclass(frozen=True, slots=True)
class _Size:
    """Of an object, in heights of a person near it; None where nobody was seen there."""

    high: float | None
    wide: float | None


def find_piled(looks: Looks) -> Iterator[Found]:
    """The objects that may be piled goods."""
    rule = looks.rules.rules[Violation.PILED_GOODS].at(looks.point.category)
    zones = [zone for zone in looks.camera.zones if zone.kind in rule.zones]
    if not zones:
        return
    for stay in standing_things(_spaced(looks.observations), looks.camera, zones, WIDTHS):
        zone, share = _place(stay.box, zones, rule)
        if zone is None or stay.seen_s <= 0 or _is_exempt(stay.box, looks.camera, rule):
            continue
        during = _during(looks.observations, stay)
        size = _size(stay.box, looks.observations, looks.camera)
        if (
            _is_large(stay.box, size)
            and not _is_attended(stay.box, during)
            and not _is_named(stay.box, during)
        ):
            note, note_zh = _words(size, zone)
            yield Found(stay, Violation.PILED_GOODS, zone.id, share, note, note_zh)


def _spaced(observations: Sequence[Observation]) -> list[Observation]:
    """The samples with a kept picture; of more than MOST_PICTURES those that are evenly apart in time."""
    kept = [observation for observation in observations if observation.picture is not None]
    if len(kept) <= MOST_PICTURES:
        return kept
    spacing_s = (kept[-1].at - kept[0].at).total_seconds() / MOST_PICTURES
    chosen = kept[:1]
    for observation in kept:
        if (observation.at - chosen[-1].at).total_seconds() >= spacing_s:
            chosen.append(observation)
    return chosen


def _place(box: Box, zones: Sequence[Zone], rule: RuleSettings) -> tuple[Zone | None, float]:
    """The zone that the object stands on, a tactile path before others, and the share of its ground contact there."""
    shares = [
        (zone.kind is ZoneKind.TACTILE_PATH, share, zone)
        for zone in zones
        if (share := contact_share(box, zone.polygon)) >= _least_share(zone, rule)
    ]
    if not shares:
        return None, 0.0
    _, share, zone = max(shares, key=lambda one: one[:2])
    return zone, share


def _least_share(zone: Zone, rule: RuleSettings) -> float:
    return min(TACTILE_SHARE, rule.min_share) if zone.kind is ZoneKind.TACTILE_PATH else rule.min_share


def _is_exempt(box: Box, camera: Camera, rule: RuleSettings) -> bool:
    return any(
        zone.kind in rule.exempt_zones and contact_share(box, zone.polygon) >= rule.min_share
        for zone in camera.zones
    )


def _during(observations: Sequence[Observation], stay: Stay) -> Sequence[Observation]:
    """The samples from the first sighting of a stay to the last."""
    first, last = stay.seen
    return observations[
        bisect_left(observations, first, key=lambda o: o.at) : bisect_right(
            observations, last, key=lambda o: o.at
        )
    ]


def _size(box: Box, observations: Sequence[Observation], camera: Camera) -> _Size:
    heights = [
        y2 - y1
        for observation in observations
        for confidence, (_, y1, _, y2) in _boxes(observation, LabelGroup.PERSON)
        if confidence >= PERSON_CONFIDENCE and abs(y2 - box[3]) <= NEAR_FEET
    ]
    if len(heights) < FEWEST_PEOPLE:
        return _Size(None, None)
    person, aspect = median(heights), camera.resolution_wh[0] / camera.resolution_wh[1]
    return _Size((box[3] - box[1]) / person, (box[2] - box[0]) * aspect / person)


def _is_large(box: Box, size: _Size) -> bool:
    if size.high is None or size.wide is None:
        return box[2] - box[0] >= LEAST_WIDTH
    return max(size.high, size.wide) >= LEAST_PERSONS


def _is_attended(box: Box, during: Sequence[Observation]) -> bool:
    """Whether somebody is within reach at a good part of the samples."""
    near = sum(
        any(within_reach(box, person) for _, person in _boxes(observation, LabelGroup.PERSON))
        for observation in during
    )
    return near >= ATTENDED_SHARE * len(during)


def _is_named(box: Box, during: Sequence[Observation]) -> bool:
    """Whether a vehicle or bicycle, even a faint one, is the object or covers it at some of the samples."""
    named = sum(
        any(
            iou(box, other) >= NAMED_IOU or covered_share(box, other) >= NAMED_COVER
            for group in (LabelGroup.VEHICLE, LabelGroup.BIKE)
            for _, other in _boxes(observation, group)
        )
        for observation in during
    )
    return named >= NAMED_SHARE * len(during)


def _boxes(observation: Observation, group: LabelGroup) -> list[tuple[float, Box]]:
    """The confidences and boxes of one group."""
    found = observation.detections.of(group, faint=True)
    rows = zip(found.confidences.tolist(), found.boxes.astype(float).tolist(), strict=True)
    return [(confidence, (x1, y1, x2, y2)) for confidence, (x1, y1, x2, y2) in rows]


def _words(size: _Size, zone: Zone) -> tuple[str, str]:
    """What the explanation says of the object, in English and in Chinese."""
    where, where_zh = (
        ("on the tactile path", "占用盲道")
        if zone.kind is ZoneKind.TACTILE_PATH
        else ("on the footway", "占用人行道")
    )
    if size.high is None or size.wide is None:
        return (
            f"goods {where}, nobody passed to compare their size with",
            f"乱堆物料, {where_zh}, 附近无行人可比较大小",
        )
    return (
        f"goods {where}, {size.high:.1f} of a person's height high and {size.wide:.1f} wide",
        f"乱堆物料, {where_zh}, 高约为人身高的{size.high:.1f}倍, 宽约{size.wide:.1f}倍",
    )

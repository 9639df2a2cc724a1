"""Stays: one object in one place over sparse observations, as far as boxes can tell.

At a minute between looks there is nothing to track: an object that stands fills the same box again, one that
moves does not. Whether it was the same object all along is for `proving` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from detector.core.geometry import Box, FloatArray, contained_matrix, iou_matrix, median_box
from detector.core.values import Detections, LabelGroup, Observation, Sighting, Stay

SAME_STAY_IOU = 0.55
"""Two boxes that overlap at least so much are in one place."""

ONE_OBJECT_IOU = 0.6
"""Two boxes of one group in one picture that overlap at least so much are one object seen twice."""

NESTED_SHARE = 0.9
"""A box that lies inside another of its group by this share of its area, in [0, 1], may be a second box of one object."""

PART_AREA = 0.35
"""A nested box that is smaller than this share of the outer box, and that both are seen clearly, is an object of its own:
a car in front of a coach."""

OWN_OBJECT_CONFIDENCE = 0.4
"""Confidence in [0, 1] from which such a small nested box is an object of its own."""

LOOKS_MISSED = 3
"""A stay outlives so many looks in a row without its object: passers-by hide it, the model misses it."""

HIDDEN_S = 120.0
"""A stay outlives being hidden for so long, however dense the looks are."""

UNSEEN_S = 1200.0
"""Nothing is known of a place that nobody looked at for so long: what stands there afterwards is another stay. It is
longer than any two looks of one plan are apart."""

ANCHOR_SIGHTINGS = 5
"""A stay's place is the median of its last sightings, so that one odd box does not move it."""


@dataclass(slots=True)
class _Open:
    sightings: list[Sighting]
    absent_before: datetime | None
    recent: list[Box] = field(default_factory=list)
    looks_missed: int = 0
    absent_since: datetime | None = None
    anchor: Box = (0.0, 0.0, 0.0, 0.0)
    """Its place, as soon as it has a sighting."""

    def add(self, sighting: Sighting) -> None:
        self.sightings.append(sighting)
        self.recent = [*self.recent, sighting.box][-ANCHOR_SIGHTINGS:]
        self.anchor = median_box(self.recent)
        self.looks_missed = 0
        self.absent_since = None


def one_box_each(detections: Detections, *, nested: bool = False) -> Detections:
    """The detections of one group with double boxes left out: the more confident box of each object stays.

    Two boxes are of one object where they overlap by ONE_OBJECT_IOU and, where `nested` is set, where one contains the
    other. Then the labels of a group share one object's evidence, too: its confidence is the probability that one of
    them is right.
    """
    if len(detections) < 2:
        return detections
    confidences, boxes = detections.confidences, detections.boxes
    one = iou_matrix(boxes, boxes) >= ONE_OBJECT_IOU
    if nested:
        one |= _are_nested(confidences, boxes)
    kept: list[int] = []
    joined = confidences.astype(np.float64).copy()
    seen_as: dict[int, set[str]] = {}
    for index in (int(i) for i in np.argsort(-confidences, kind="stable")):
        owner = next((other for other in kept if one[index, other]), None)
        if owner is None:
            kept.append(index)
            seen_as[index] = {detections.labels[index]}
        elif nested and detections.labels[index] not in seen_as[owner]:
            seen_as[owner].add(detections.labels[index])
            joined[owner] = 1 - (1 - joined[owner]) * (1 - confidences[index])
    kept.sort()
    return Detections(
        tuple(detections.labels[i] for i in kept), joined[kept].astype(np.float32), detections.boxes[kept]
    )


def _are_nested(confidences: FloatArray, boxes: FloatArray) -> npt.NDArray[np.bool_]:
    """Which pairs of boxes are of one object because one contains the other, shape (n, n)."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    smaller = np.minimum(areas[:, None], areas[None, :])
    is_part = smaller < PART_AREA * np.maximum(areas[:, None], areas[None, :])
    clear = np.minimum(confidences[:, None], confidences[None, :]) >= OWN_OBJECT_CONFIDENCE
    return np.asarray((contained_matrix(boxes, boxes) >= NESTED_SHARE) & ~(is_part & clear), np.bool_)


def find_stays(
    observations: Sequence[Observation],
    group: LabelGroup,
    *,
    min_confidence: float = 0.0,
    mistaken: bool = False,
    faint: bool = False,
) -> list[Stay]:
    """The stays of one camera, in order of their first sighting; a single sighting is a stay too.

    `observations` are of one camera in rising order of time. A look in which nothing was wanted breaks nothing:
    a stay ends when its object was missed in more than LOOKS_MISSED looks and for longer than HIDDEN_S, or when
    there was no look for longer than UNSEEN_S. What the group is `mistaken` for counts where that is asked, and so do
    `faint` detections of vehicles.
    """
    still_open: list[_Open] = []
    done: list[_Open] = []
    previous: datetime | None = None
    for observation in observations:
        if previous is not None and (observation.at - previous).total_seconds() > UNSEEN_S:
            done += still_open
            still_open, previous = [], None
        wanted = observation.detections.of(group, mistaken=mistaken, faint=faint)
        found = one_box_each(_confident(wanted, min_confidence), nested=group is LabelGroup.VEHICLE)
        seen = [
            Sighting(observation.at, _box(found.boxes[i]), float(found.confidences[i]), found.labels[i])
            for i in range(len(found))
        ]
        matched = _match(still_open, found.boxes)
        for index, sighting in enumerate(seen):
            if index in matched:
                still_open[matched[index]].add(sighting)
            else:
                begun = _Open([], previous)
                begun.add(sighting)
                still_open.append(begun)
        still_open = _close_the_gone(still_open, observation.at, done)
        previous = observation.at
    camera_id = observations[0].camera_id if observations else ""
    stays = [
        Stay(camera_id, group, tuple(s.sightings), s.absent_before, s.absent_since) for s in done + still_open
    ]
    return sorted(stays, key=lambda stay: (stay.sightings[0].at, stay.sightings[0].box))


def _match(still_open: Sequence[_Open], boxes: FloatArray) -> dict[int, int]:
    """Which open stay each box belongs to: the best overlaps first, each stay and each box once."""
    if not still_open or not len(boxes):
        return {}
    overlaps = iou_matrix(boxes, np.array([s.anchor for s in still_open], dtype=np.float32))
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        box, stay = np.unravel_index(flat, overlaps.shape)
        if overlaps[box, stay] < SAME_STAY_IOU:
            break
        if int(box) not in matched and int(stay) not in taken:
            matched[int(box)] = int(stay)
            taken.add(int(stay))
    return matched


def _close_the_gone(still_open: Iterable[_Open], now: datetime, done: list[_Open]) -> list[_Open]:
    """Those that may go on; the others are moved to `done`."""
    going_on: list[_Open] = []
    for stay in still_open:
        last = stay.sightings[-1].at
        if last != now:
            stay.looks_missed += 1
            stay.absent_since = stay.absent_since or now
        gone = stay.looks_missed > LOOKS_MISSED and (now - last).total_seconds() > HIDDEN_S
        (done if gone else going_on).append(stay)
    return going_on


def _confident(detections: Detections, min_confidence: float) -> Detections:
    if min_confidence <= 0 or not len(detections):
        return detections
    keep = np.flatnonzero(detections.confidences >= min_confidence)
    return Detections(
        tuple(detections.labels[i] for i in keep), detections.confidences[keep], detections.boxes[keep]
    )


def _box(row: FloatArray) -> Box:
    x1, y1, x2, y2 = (float(v) for v in row)
    return (x1, y1, x2, y2)

"""Proof or dismissal of a suspicion of vending: the thing stands there, and its vendor is there nearly all the time.

At a minute between looks three people who pass in turn look like one who stays; closer together they do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from detector.core.geometry import Box
from detector.core.values import LABEL_GROUPS, Incident, LabelGroup, Proof
from detector.inference.detector import Detector
from detector.proving.looker import Looker, Seen
from detector.proving.models import Models
from detector.proving.prove import NEARBY_SHARE, Dropped, came_or_left, prove

LOOKS = 24
"""So many looks are spread over the time for which the vendor is said to be there."""

FEWEST_LOOKS = 6

VENDOR_SHARE = 0.7
"""Somebody is in the vendor's place at this part of them or more. Of people who pass at half of the looks, 24 looks
show so many in three cases of a hundred; a vendor is hidden or missed at some."""

SAME_PLACE_HEIGHTS = 0.75
"""The vendor's place reaches so many of the vendor's heights about the usual foot."""


def prove_stall(incident: Incident, looker: Looker, models: Models) -> Proof | Dropped:
    """The proof for vending, by the general detector."""
    return prove_vending(incident, looker, models.detector)


def prove_vending(incident: Incident, looker: Looker, detector: Detector) -> Proof | Dropped:
    """Look closer at a suspicion whose `beside` is the vendor's usual box; without one only the thing is looked at."""
    if incident.beside is not None:
        looks = [_somebody_at(incident.beside, seen, detector) for seen in _looks(incident, looker)]
        there = sum(looks)
        if len(looks) >= FEWEST_LOOKS and there < VENDOR_SHARE * len(looks):
            return Dropped(incident, f"people pass it, nobody stays: {there} of {len(looks)} looks show one")
    verdict = prove(incident, looker, detector)
    if isinstance(verdict, Proof) and _unnamed(incident) and not came_or_left(verdict, looker):
        return Dropped(incident, "no label names it, and it was seen neither to come nor to leave")
    return verdict


def _unnamed(incident: Incident) -> bool:
    assert incident.stay is not None
    return all(LABEL_GROUPS.get(sighting.label) is None for sighting in incident.stay.sightings)


def _looks(incident: Incident, looker: Looker) -> Iterator[Seen]:
    step_s = incident.interval.duration_s / LOOKS
    start = incident.interval.start
    moments = [start + timedelta(seconds=(k + 0.5) * step_s) for k in range(LOOKS)]
    return looker.each(moments, step_s * NEARBY_SHARE)


def _somebody_at(place: Box, seen: Seen, detector: Detector) -> bool:
    """Whether a person's foot is within reach of the vendor's usual foot."""
    height, width = seen.frame.image.shape[:2]
    reach = SAME_PLACE_HEIGHTS * (place[3] - place[1])
    people = detector.detect([seen.frame.image])[0].of(LabelGroup.PERSON).boxes.astype(float)
    return any(
        (((x1 + x2 - place[0] - place[2]) / 2 * width / height) ** 2 + (y2 - place[3]) ** 2) ** 0.5 <= reach
        for x1, _, x2, y2 in people
    )

"""Proof or dismissal of a suspicion of piled goods: the object stands, came or left, and no label names it."""

from __future__ import annotations

from detector.core.geometry import Box, iou
from detector.core.values import Image, Incident, LabelGroup, Proof
from detector.proving.looker import Looker
from detector.proving.models import Models
from detector.proving.naming import vehicle_certainty
from detector.proving.prove import Dropped, came_or_left, prove

NAMED_IOU = 0.4
"""A detection that overlaps the object by this IoU names it."""

OTHERS = (LabelGroup.PERSON, LabelGroup.VEHICLE, LabelGroup.BIKE)
"""What the object must not be."""

VEHICLE_CERTAINTY = 0.25
"""Certainty in [0, 1] from which the object is taken for a vehicle."""


def prove_piled(incident: Incident, looker: Looker, models: Models) -> Proof | Dropped:
    """Look closer at a suspicion of piled goods."""
    verdict = prove(incident, looker, models.detector)
    if isinstance(verdict, Dropped):
        return verdict
    if not came_or_left(verdict, looker):
        return Dropped(incident, "no label names it, and it was seen neither to come nor to leave")
    pictures = [(still.frame.image, still.box) for still in verdict.stills if still.box is not None]
    named = sum(_is_named(image, box, models) for image, box in pictures)
    if 2 * named >= len(pictures):
        return Dropped(incident, f"a person, vehicle or bicycle in {named} of {len(pictures)} pictures")
    certainty = vehicle_certainty([image for image, _ in pictures], pictures[0][1], models.detector)
    if certainty >= VEHICLE_CERTAINTY:
        return Dropped(incident, f"a vehicle: certainty {certainty:.2f}")
    return verdict


def _is_named(image: Image, box: Box, models: Models) -> bool:
    found = models.detector.detect([image])[0]
    return any(
        iou(box, (x1, y1, x2, y2)) >= NAMED_IOU
        for group in OTHERS
        for x1, y1, x2, y2 in found.of(group).boxes.astype(float).tolist()
    )

"""Whether what stands in a place is the object that stood there before a gap in the recordings.

Only the appearance can tell, and only where light and colour allow it: what is alike in black and white, or under other
light, may still be another vehicle.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from detector.proving.likeness import Place, likeness, paint_apart

ALIKE_OVER_GAP = 0.7
"""Two pictures show one object when so much of each is found again in the other: more than within one recording."""

UNLIKE = 0.35
"""They show two when so little is, in the same light."""

LIGHT_RATIO = 1.6
"""Mean grey levels of two whole pictures further apart than this ratio are of another light."""

DARK = 45.0
"""Mean grey level below which a picture is too dark to tell one vehicle's paint from another's."""

PAINT_APART = 1.0
"""See `paint_apart`: from there on paint differs by more than noise and compression."""


class Same(StrEnum):
    """What pictures from both sides of a gap say."""

    SAME = "same"
    OTHER = "other"
    UNDECIDED = "undecided"


def compare(a: Place, b: Place) -> Same:
    """Two pictures of one place; the order does not matter."""
    scores = likeness(a, b), likeness(b, a)
    if not _same_light(a, b):
        return Same.UNDECIDED
    if max(scores) < UNLIKE:
        return Same.OTHER
    # Without colours two vehicles of one make may look the same.
    if min(scores) < ALIKE_OVER_GAP or not (a.colourful and b.colourful):
        return Same.UNDECIDED
    return Same.SAME if max(paint_apart(a, b), paint_apart(b, a)) < PAINT_APART else Same.UNDECIDED


def compare_all(before: Sequence[Place], after: Sequence[Place]) -> Same:
    """Pictures of one stretch against those of another: most pairs that decide must say the same."""
    decided = [same for a in before for b in after if (same := compare(a, b)) is not Same.UNDECIDED]
    pairs = len(before) * len(after)
    alike = sum(same is Same.SAME for same in decided)
    if alike * 2 >= max(1, pairs):
        return Same.SAME
    return Same.OTHER if decided and not alike and len(decided) * 2 >= pairs else Same.UNDECIDED


def _same_light(a: Place, b: Place) -> bool:
    if a.colourful != b.colourful or min(a.surroundings, b.surroundings) < DARK:
        return False
    return 1 / LIGHT_RATIO <= a.surroundings / b.surroundings <= LIGHT_RATIO

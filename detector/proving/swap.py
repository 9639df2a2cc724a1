"""Another object of the same make in the same place: told by its paint, and by the moment between the two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from detector.proving.alignment import AlignedPlace
from detector.proving.likeness import Place, likeness, paint_apart, place_of
from detector.proving.looker import Looker

APART = 1.0
"""Paint so far apart at two looks (see `paint_apart`) asks for a closer look at what happened between them."""

LONGEST_S = 600.0
"""Between looks further apart than this light changes too much; paint then says nothing."""

EMPTY = 0.3
"""Between two vehicles there is a moment at which no more than this part of either is to be seen."""

RESOLUTION_S = 0.25


@dataclass(frozen=True, slots=True)
class Swap:
    """A moment at which neither object was there, and how far apart their paint is."""

    at: datetime
    apart: float


def swapped(
    before: tuple[datetime, Place], after: tuple[datetime, Place], aligned: AlignedPlace, looker: Looker
) -> Swap | None:
    """Whether what a place shows at two looks, alike in structure, are two objects; the looks in any order of time.

    Light changes paint, too, but while only the light changes the object is always to be seen. One vehicle that makes
    room for another is not: bisecting for the change of paint comes upon a moment that shows neither.
    """
    (a, first), (b, second) = before, after
    if abs((b - a).total_seconds()) > LONGEST_S or (apart := paint_apart(first, second)) < APART:
        return None
    while abs((b - a).total_seconds()) > RESOLUTION_S:
        middle = a + (b - a) / 2
        seen = looker.look(middle)
        if seen is None:
            return None
        place = place_of(seen.frame.image, aligned.box_in(seen.frame.image))
        if max(likeness(first, place), likeness(second, place)) <= EMPTY:
            return Swap(seen.at, apart)
        if paint_apart(first, place) <= paint_apart(second, place):
            a = middle
        else:
            b = middle
    return None

"""The sampling plan: a cadence from the shortest limit in force, on a grid that does not depend on where a period is cut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from detector.core.times import Interval

LOOKS_PER_LIMIT = 3
"""A stay as long as its limit is looked at so often at least."""

TOLERANCE_SHARE = 1 / 15
LARGEST_TOLERANCE_SHARE = 1 / 10
KEYFRAMES_S = 4.0
"""A picture may be early, so that a keyframe can serve: by the first part of the time between two pictures, or, where that
is less than recorders leave between two keyframes, by so much, as far as it is not above the second part.
"""

IDLE_CADENCE_S = 600.0
"""How often a camera is looked at where no rule is in force, for its health alone."""

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cadence:
    """A look every `every_s`, each picture at most `tolerance_s` early.

    Two pictures are therefore at most `every_s + tolerance_s` apart.
    """

    every_s: float
    tolerance_s: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which the shortest limit in force is the same; None where no rule is in force."""

    interval: Interval
    limit_s: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """One moment to look at, and how early its picture may be."""

    at: datetime
    tolerance_s: float


def cadence_for(limit_s: float | None) -> Cadence:
    """The slowest cadence that looks at a stay of `limit_s` seconds three times, wherever it starts.

    Pictures at most limit/3 apart: any half-open window of the limit's length holds three of them.
    """
    if limit_s is None:
        return Cadence(IDLE_CADENCE_S, _tolerance_s(IDLE_CADENCE_S))
    if limit_s <= 0:
        raise ValueError(f"a limit must be above 0 s, got {limit_s}")
    apart_s = min(limit_s / LOOKS_PER_LIMIT, IDLE_CADENCE_S)
    tolerance_s = _tolerance_s(apart_s)
    return Cadence(apart_s - tolerance_s, tolerance_s)


def _tolerance_s(apart_s: float) -> float:
    return max(TOLERANCE_SHARE * apart_s, min(KEYFRAMES_S, LARGEST_TOLERANCE_SHARE * apart_s))


def looks(stretches: Iterable[Stretch]) -> Iterator[Look]:
    """The moments to look at within the stretches, in order."""
    before: Stretch | None = None
    for stretch in stretches:
        cadence = cadence_for(stretch.limit_s)
        seam = before is not None and cadence_for(before.limit_s) != cadence
        yield from looks_at(stretch.interval, cadence, seam=seam)
        before = stretch


def looks_at(interval: Interval, cadence: Cadence, *, seam: bool = False) -> Iterator[Look]:
    """The moments of an interval at one cadence.

    They lie on a grid counted from 2000-01-01 UTC, so that an interval cut in two gives the same moments as the whole.
    Where another cadence goes before (`seam`), the interval's start is looked at too: no two looks are further apart
    than the wider of the two cadences.
    """
    # One early: rounded to a microsecond, the moment before may fall on the interval's start.
    index = math.ceil((interval.start - EPOCH).total_seconds() / cadence.every_s) - 1
    while (at := EPOCH + timedelta(seconds=index * cadence.every_s)) < interval.end:
        if at in interval:
            if seam and at > interval.start:
                yield Look(interval.start, cadence.tolerance_s)
            seam = False
            yield Look(at, cadence.tolerance_s)
        index += 1
    if seam:
        yield Look(interval.start, cadence.tolerance_s)

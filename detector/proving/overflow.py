"""Proof or dismissal of a suspicion that a container overflows: the classifier is asked again, more often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import fmean

from detector.core.errors import BadInput
from detector.core.geometry import Box
from detector.core.times import Interval
from detector.core.values import Incident, Proof, Still
from detector.core.wording import duration_en, duration_zh
from detector.inference.detector import Detector
from detector.inference.second import BinJudge
from detector.proving.looker import Looker, Seen
from detector.proving.models import Models
from detector.proving.prove import STILLS, Dropped, is_hidden

LOOKS = 16
"""Number of pictures, spread over the suspicion, in which the classifier is asked."""

DIRTY_SHARE = 0.7
"""Share of the pictures that nothing hides in which the container must be dirty."""

RESOLUTION_S = 20.0
"""The moments at which the container became dirty and was emptied are bisected until they are known so well, in seconds."""

NEARBY_S = 4.0
"""A keyframe so many seconds before a moment serves for it."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the classifier says of a container at one moment; the picture serves as a still."""

    seen: Seen
    probability: float


@dataclass(frozen=True, slots=True)
class _Asking:
    """How the state of one container at a moment is found."""

    box: Box
    looker: Looker
    detector: Detector
    judge: BinJudge

    def at(self, moment: datetime) -> _Reading | None:
        """None where there is no picture, or something hides the container."""
        seen = self.looker.look(moment, NEARBY_S)
        if seen is None or is_hidden(seen, self.box, self.detector):
            return None
        try:
            return _Reading(seen, self.judge.dirty(seen.frame.image, self.box))
        except BadInput:
            return None

    def is_dirty(self, reading: _Reading) -> bool:
        return reading.probability >= self.judge.threshold


def prove_overflowing(incident: Incident, looker: Looker, models: Models) -> Proof | Dropped:
    """Look closer at a suspicion that a container overflows."""
    if models.second.bins is None or incident.box is None or incident.stay is None:
        return Dropped(incident, "there is no classifier of containers to ask (model.bin_weights)")
    asking = _Asking(incident.box, looker, models.detector, models.second.bins)
    readings = [r for at in _moments(incident.interval) if (r := asking.at(at)) is not None]
    dirty = [reading for reading in readings if asking.is_dirty(reading)]
    if len(dirty) < 3 or len(dirty) < DIRTY_SHARE * len(readings):
        return Dropped(incident, f"the container is dirty in {len(dirty)} of {len(readings)} pictures")
    start, start_uncertainty_s = _edge(asking, dirty[0].seen.at, incident.stay.absent_before, -1)
    end, end_uncertainty_s = _edge(asking, dirty[-1].seen.at, incident.stay.absent_after, 1)
    refined = replace(incident, interval=Interval(start, end), confidence=fmean(r.probability for r in dirty))
    if refined.dwell_s <= incident.limit_s:
        return Dropped(refined, f"dirty for {refined.dwell_s:.0f} s, the limit is {incident.limit_s:.0f} s")
    stills = _stills(asking, dirty, refined)
    if len(stills) < 3 or (stills[-1].at - stills[0].at).total_seconds() <= incident.limit_s:
        return Dropped(refined, "too few pictures show it further apart than the limit")
    words = _words(refined, len(dirty), len(readings))
    similarity = min(reading.probability for reading in dirty)
    return Proof(refined, stills, start_uncertainty_s, end_uncertainty_s, similarity, *words)


def _moments(interval: Interval) -> list[datetime]:
    return [interval.start + (interval.end - interval.start) * k / (LOOKS - 1) for k in range(LOOKS)]


def _edge(asking: _Asking, dirty: datetime, clean: datetime | None, side: int) -> tuple[datetime, float]:
    """When the container became dirty (side -1) or was emptied (side 1), and how far off that may be in seconds.

    `clean` is the nearest sample at which it was not dirty. Without one the search goes to the end of the recordings.
    """
    run = asking.looker.run_of(dirty)
    if run is None:
        return dirty, math.inf
    away = min(max(clean or (run.start if side < 0 else run.end), run.start), run.end)
    if clean is None and _is_dirty_at(asking, away, side):
        return away, math.inf
    there = dirty
    while abs((there - away).total_seconds()) > RESOLUTION_S:
        middle = there + (away - there) / 2
        if _is_dirty_at(asking, middle, side):
            there = middle
        else:
            away = middle
    return there, abs((there - away).total_seconds())


def _is_dirty_at(asking: _Asking, at: datetime, side: int) -> bool:
    """The state at a moment, or, where something hides the container then, a little nearer to the stay."""
    for step_s in (0.0, 5.0, 15.0):
        reading = asking.at(at - side * timedelta(seconds=step_s))
        if reading is not None:
            return asking.is_dirty(reading)
    return False


def _stills(asking: _Asking, dirty: Sequence[_Reading], refined: Incident) -> tuple[Still, ...]:
    """The first and the last dirty picture, and some between, in order."""
    ends = [
        r
        for at in (refined.interval.start, refined.interval.end)
        if (r := asking.at(at)) is not None and asking.is_dirty(r)
    ]
    by_moment = {reading.seen.at: reading.seen for reading in (*dirty, *ends)}
    moments = sorted(by_moment)
    chosen = sorted({moments[round(k * (len(moments) - 1) / (STILLS - 1))] for k in range(STILLS)})
    return tuple(Still(at, by_moment[at].recording, by_moment[at].frame, refined.box) for at in chosen)


def _words(incident: Incident, dirty: int, asked: int) -> tuple[str, str]:
    lasted, limit = incident.dwell_s, incident.limit_s
    return (
        f"overflowing for {duration_en(lasted)}, in {dirty} of {asked} pictures, limit {duration_en(limit)}",
        f"满溢{duration_zh(lasted)}, {asked}张画面中{dirty}张可见, 时限{duration_zh(limit)}",
    )

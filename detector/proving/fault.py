"""When a camera's fault began and ended, and the pictures that show it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from detector.core.times import Interval
from detector.core.values import EDGES_WH, Incident, Proof, Still, ViewState
from detector.decoding.view import picture_distance, shows_card, structure_likeness, view_state
from detector.proving.explain import explanation, explanation_zh
from detector.proving.looker import Looker, Seen

STILLS = 4
RESOLUTION_S = 1.0
"""Beginning and end are bisected until they are known this well."""

STEPS_S = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
"""So far beyond the looks that showed the fault a picture without it is searched."""

STILL_DARK = 1.5
STILL_BLURRED = 1.5
"""A picture shows the fault still while its brightness or sharpness is below so many times that of the stretch."""

STILL_THERE = 0.8
"""Correlation with the picture that something blocks."""

STILL_MOVED = 0.3
STILL_FROZEN_RMS = 0.8
"""Grey levels, see `judging.camera_fault`."""

_Shows = Callable[[ViewState], bool]


def prove_fault(incident: Incident, looker: Looker) -> Proof | None:
    """The fault with its interval refined to a second and pictures of it; None where no picture can be had.

    Of a stretch without pictures those right before and after it are shown.
    """
    refined, uncertainty_s = _refined(incident, looker)
    interval = refined.interval
    moments = [interval.start + (interval.end - interval.start) * k / STILLS for k in range(STILLS)]
    seen = [s for at in moments if (s := looker.look_anyway(at))]
    if not seen and incident.fault and incident.fault.what == "no_picture":
        second = timedelta(seconds=1)
        seen = [s for at in (interval.start - second, interval.end + second) if (s := looker.look_anyway(at))]
    if not seen:
        return None
    return Proof(
        incident=refined,
        stills=tuple(Still(s.at, s.recording, s.frame, None) for s in {s.at: s for s in seen}.values()),
        start_uncertainty_s=uncertainty_s[0],
        end_uncertainty_s=uncertainty_s[1],
        similarity=1.0,
        explanation=explanation(refined, looker.recorded_s(refined.interval)),
        explanation_zh=explanation_zh(refined, looker.recorded_s(refined.interval)),
    )


def _refined(incident: Incident, looker: Looker) -> tuple[Incident, tuple[float, float]]:
    unknown = (math.inf, math.inf)
    fault = incident.fault
    if fault is None or fault.last is None:
        return incident, unknown
    middle = looker.look_anyway(fault.interval.start + (fault.last - fault.interval.start) / 2)
    first, last = looker.look_anyway(fault.interval.start), looker.look_anyway(fault.last)
    if first is None or last is None:
        return incident, unknown
    # Between two recordings of one fault there is no picture.
    shows = _test(fault.what, view_state((middle or first).frame.image))
    if shows is None:
        return incident, unknown
    start, start_s = _edge(fault.interval.start, -1, looker, shows)
    end, end_s = _edge(fault.last, 1, looker, shows)
    if end <= start:
        return incident, unknown
    return replace(incident, interval=Interval(start, end)), (start_s, end_s)


def _test(what: str, bad: ViewState) -> _Shows | None:
    """Whether a picture shows the same fault as that of the stretch; None where that cannot be told by one picture."""
    everywhere = np.ones(EDGES_WH[::-1], np.bool_)
    tests: dict[str, _Shows] = {
        "no_picture": lambda v: (
            shows_card(v)
            or (v.sharpness < max(0.5, STILL_BLURRED * bad.sharpness) and v.signature.std() < 2.0)
        ),
        "dark": lambda v: v.brightness < max(12.0, STILL_DARK * bad.brightness),
        "blurred": lambda v: v.sharpness < STILL_BLURRED * bad.sharpness,
        "blocked": lambda v: _correlation(v, bad) >= STILL_THERE,
        "moved": lambda v: (
            structure_likeness(bad.edges.astype(np.float32), v.edges, everywhere) >= STILL_MOVED
        ),
        "frozen": lambda v: picture_distance(v, bad) <= STILL_FROZEN_RMS,
    }
    return tests.get(what)


def _edge(at: datetime, side: int, looker: Looker, shows: _Shows) -> tuple[datetime, float]:
    """The outermost moment that shows the fault, from a look that does, and how far off that may be in seconds."""

    def bad(moment: datetime) -> bool:
        seen: Seen | None = looker.look_anyway(moment)
        return seen is not None and shows(view_state(seen.frame.image))

    there, run = at, looker.run_of(at)
    if run is None:
        return at, math.inf
    for step_s in STEPS_S:
        away = min(max(at + side * timedelta(seconds=step_s), run.start), run.end)
        if not bad(away):
            break
        there = away
        if away in (run.start, run.end):
            return away, math.inf
    else:
        return there, math.inf
    while (gap_s := abs((away - there).total_seconds())) > RESOLUTION_S:
        middle = there + (away - there) / 2
        if bad(middle):
            there = middle
        else:
            away = middle
    return there, gap_s


def _correlation(a: ViewState, b: ViewState) -> float:
    x, y = (v.signature.astype(np.float32) - v.signature.mean() for v in (a, b))
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float((x * y).sum() / size) if size > 0 else 1.0

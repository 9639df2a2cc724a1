"""Matching incidents with labelled events, and the figures that follow. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from detector.config.labels import LabelledEvent
from detector.core.geometry import Box, iou
from detector.core.values import Violation

DUPLICATE_IOU = 0.3
"""An unmatched incident that overlaps a matched one's event so much, in place and time, doubles it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An incident of a clip: seconds from the clip's first picture, box in [0, 1]."""

    violation: Violation
    zone_id: str | None
    from_s: float
    until_s: float
    box: Box | None


@dataclass(frozen=True, slots=True)
class Matching:
    """Which finding answers which event, by their places in the two lists; and the findings that double an event."""

    pairs: tuple[tuple[int, int], ...]
    duplicates: tuple[int, ...]

    @property
    def matched(self) -> set[int]:
        return {finding for finding, _ in self.pairs}


def match(findings: Sequence[Finding], events: Sequence[LabelledEvent]) -> Matching:
    """One to one, as many as possible, the better boxes first.

    A finding may answer an event when violation and zone agree and the two intervals overlap
    (`about` in shared/footage/labels.json).
    """
    if not findings or not events:
        return Matching((), ())
    gains = np.array([[_gain(finding, event) for event in events] for finding in findings])
    rows, columns = linear_sum_assignment(-gains)
    pairs = tuple((int(r), int(c)) for r, c in zip(rows, columns, strict=True) if gains[r, c] > 0)
    taken = {finding for finding, _ in pairs}
    duplicates = tuple(
        index
        for index, finding in enumerate(findings)
        if index not in taken and any(_doubles(finding, events[column]) for _, column in pairs)
    )
    return Matching(pairs, duplicates)


def _gain(finding: Finding, event: LabelledEvent) -> float:
    """Zero where they may not match; otherwise a match counts for more than any quality of its box."""
    if finding.violation != event.violation or finding.zone_id != event.zone_id:
        return 0.0
    if finding.from_s >= event.until_s or event.from_s >= finding.until_s:
        return 0.0
    shared_s = min(finding.until_s, event.until_s) - max(finding.from_s, event.from_s)
    whole_s = max(finding.until_s, event.until_s) - min(finding.from_s, event.from_s)
    overlap = iou(finding.box, event.box) if finding.box and event.box else 0.0
    return 10.0 + overlap + shared_s / whole_s


def _doubles(finding: Finding, event: LabelledEvent) -> bool:
    if _gain(finding, event) <= 0:
        return False
    return not (finding.box and event.box) or iou(finding.box, event.box) >= DUPLICATE_IOU


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one violation, or of all; errors in seconds, finding minus event."""

    events: int = 0
    incidents: int = 0
    matched: int = 0
    duplicates: int = 0
    start_errors_s: tuple[float, ...] = ()
    end_errors_s: tuple[float, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.events + other.events,
            self.incidents + other.incidents,
            self.matched + other.matched,
            self.duplicates + other.duplicates,
            self.start_errors_s + other.start_errors_s,
            self.end_errors_s + other.end_errors_s,
        )

    @property
    def precision(self) -> float:
        return self.matched / self.incidents if self.incidents else 1.0

    @property
    def recall(self) -> float:
        return self.matched / self.events if self.events else 1.0

    @property
    def f1(self) -> float:
        total = self.events + self.incidents
        return 2 * self.matched / total if total else 1.0

    def to_json(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "incidents": self.incidents,
            "matched": self.matched,
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
            "start_error_s": _spread(self.start_errors_s),
            "end_error_s": _spread(self.end_errors_s),
            "duplicates": self.duplicates,
        }


def tally(
    violation: Violation, findings: Sequence[Finding], events: Sequence[LabelledEvent], matching: Matching
) -> Tally:
    """The counts of one violation in one clip."""
    pairs = [(findings[f], events[e]) for f, e in matching.pairs if events[e].violation == violation]
    return Tally(
        events=sum(event.violation == violation for event in events),
        incidents=sum(finding.violation == violation for finding in findings),
        matched=len(pairs),
        duplicates=sum(findings[index].violation == violation for index in matching.duplicates),
        start_errors_s=tuple(finding.from_s - event.from_s for finding, event in pairs),
        end_errors_s=tuple(finding.until_s - event.until_s for finding, event in pairs),
    )


def _spread(errors_s: Sequence[float]) -> dict[str, float] | None:
    if not errors_s:
        return None
    sizes = [abs(error) for error in errors_s]
    rms = float(np.sqrt(np.mean(np.square(sizes))))
    return {"median": round(median(sizes), 2), "max": round(max(sizes), 2), "rmse": round(rms, 2)}

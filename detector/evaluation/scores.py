"""Matching incidents with labelled events, and the figures that follow. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Any

import numpy as np

from detector.config.labels import LabelledEvent, LabelledFault
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
    explanation: str = ""
    explanation_zh: str = ""
    what: str = ""
    """Of a camera's fault: what is wrong, as far as the program says it."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Which finding answers which event, by their places in the two lists; and the findings that double an event."""

    pairs: tuple[tuple[int, int], ...]
    duplicates: tuple[int, ...]

    @property
    def matched(self) -> set[int]:
        return {finding for finding, _ in self.pairs}

    @property
    def answered(self) -> set[int]:
        """The events, or labelled faults, that are found."""
        return {event for _, event in self.pairs}

    def false(self, findings: int) -> list[int]:
        """Which of so many findings neither answer nor double anything."""
        return [i for i in range(findings) if i not in self.matched and i not in self.duplicates]


def match(findings: Sequence[Finding], events: Sequence[LabelledEvent]) -> Matching:
    """One to one, as many as possible, the better boxes first.

    A finding may answer an event when violation and zone agree and the two intervals overlap
    (`about` in shared/footage/labels.json).
    """
    if not findings or not events:
        return Matching((), ())
    pairs = _pairs([[_gain(finding, event) for event in events] for finding in findings])
    taken = {finding for finding, _ in pairs}
    duplicates = tuple(
        index
        for index, finding in enumerate(findings)
        if index not in taken and any(_doubles(finding, events[column]) for _, column in pairs)
    )
    return Matching(pairs, duplicates)


def match_faults(findings: Sequence[Finding], faults: Sequence[LabelledFault]) -> Matching:
    """As `match`, for faults of a camera: the intervals must overlap; more findings of one fault double it."""
    if not findings or not faults:
        return Matching((), ())
    overlaps = [[_overlap(finding, fault) for fault in faults] for finding in findings]
    pairs = _pairs(overlaps)
    taken = {finding for finding, _ in pairs}
    doubles = (i for i, row in enumerate(overlaps) if i not in taken and max(row) > 0)
    return Matching(pairs, tuple(doubles))


def _pairs(gains: Sequence[Sequence[float]]) -> tuple[tuple[int, int], ...]:
    """The one-to-one pairs of the largest sum of gains; a gain of 0 pairs nothing."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  # 0.7 s to load, and few commands score

    table = np.array(gains)
    rows, columns = linear_sum_assignment(-table)
    return tuple((int(r), int(c)) for r, c in zip(rows, columns, strict=True) if table[r, c] > 0)


def _overlap(finding: Finding, span: LabelledEvent | LabelledFault) -> float:
    """The shared part of two stretches of time, of both together, in [0, 1]."""
    shared_s = min(finding.until_s, span.until_s) - max(finding.from_s, span.from_s)
    if shared_s <= 0:
        return 0.0
    return shared_s / (max(finding.until_s, span.until_s) - min(finding.from_s, span.from_s))


def _gain(finding: Finding, event: LabelledEvent) -> float:
    """Zero where they may not match; otherwise a match counts for more than any quality of its box."""
    if finding.violation != event.violation or finding.zone_id != event.zone_id:
        return 0.0
    together = _overlap(finding, event)
    if together <= 0:
        return 0.0
    return 10.0 + together + (iou(finding.box, event.box) if finding.box and event.box else 0.0)


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
    dwell_errors_s: tuple[float, ...] = ()
    late: int = 0
    """Matched, but the start lies further off than the label's own tolerance."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)))

    @property
    def false_alarms(self) -> int:
        return self.incidents - self.matched - self.duplicates

    @property
    def missed(self) -> int:
        return self.events - self.matched

    @property
    def duplicates_per_event(self) -> float | None:
        """None where there is no true event."""
        return self.duplicates / self.events if self.events else None

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
            "start_error_s": spread(self.start_errors_s),
            "end_error_s": spread(self.end_errors_s),
            "dwell_error_s": spread(self.dwell_errors_s),
            "missed": self.missed,
            "false_alarms": self.false_alarms,
            "duplicates": self.duplicates,
            "duplicates_per_event": self.duplicates_per_event and round(self.duplicates_per_event, 4),
            "starts_outside_tolerance": self.late,
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
        dwell_errors_s=tuple(
            (finding.until_s - finding.from_s) - (event.until_s - event.from_s) for finding, event in pairs
        ),
        late=sum(
            event.start_tolerance_s is not None
            and abs(finding.from_s - event.from_s) > event.start_tolerance_s
            for finding, event in pairs
        ),
    )


def tally_faults(findings: Sequence[Finding], faults: Sequence[LabelledFault], matching: Matching) -> Tally:
    """The counts of a camera's faults in one clip."""
    pairs = [(findings[f], faults[e]) for f, e in matching.pairs]
    return Tally(
        events=len(faults),
        incidents=len(findings),
        matched=len(pairs),
        duplicates=len(matching.duplicates),
        start_errors_s=tuple(finding.from_s - fault.from_s for finding, fault in pairs),
        end_errors_s=tuple(finding.until_s - fault.until_s for finding, fault in pairs),
    )


def spread(errors_s: Sequence[float]) -> dict[str, float] | None:
    """Median, largest and root mean square of the sizes of errors; None where there are none."""
    if not errors_s:
        return None
    sizes = [abs(error) for error in errors_s]
    rms = float(np.sqrt(np.mean(np.square(sizes))))
    return {"median": round(median(sizes), 2), "max": round(max(sizes), 2), "rmse": round(rms, 2)}

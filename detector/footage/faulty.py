"""Recordings that an operator should look after: truncated, short, unusable and unreadable ones. Pure."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from detector.core.times import Interval
from detector.core.values import Recording, RecordingState
from detector.footage.coverage import SEAM_S

SHORT_SHARE = 0.5
"""A recording below this part of its camera's usual length is short, unless another begins where it ends."""


class RecordingFault(StrEnum):
    """What is wrong with a recording."""

    TRUNCATED = "truncated"
    SHORT = "short"
    UNUSABLE = "unusable"
    """An empty file, a file that is no video, one that is still being written, or one of an unknown channel."""
    UNREADABLE = "unreadable"


FAULTS: dict[RecordingState, RecordingFault] = {
    RecordingState.TRUNCATED: RecordingFault.TRUNCATED,
    RecordingState.EMPTY: RecordingFault.UNUSABLE,
    RecordingState.NOT_VIDEO: RecordingFault.UNUSABLE,
    RecordingState.GROWING: RecordingFault.UNUSABLE,
    RecordingState.MIXED: RecordingFault.UNUSABLE,
    RecordingState.UNREADABLE: RecordingFault.UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class FaultyRecording:
    """A recording and what is wrong with it."""

    recording: Recording
    fault: RecordingFault


def faulty(recordings: Sequence[Recording], window: Interval) -> list[FaultyRecording]:
    """The faulty recordings of one camera that touch a window, in order of time.

    `recordings` are those of the window, and those around it that tell how long the camera's recordings usually are.
    """
    whole = [r for r in recordings if r.state is RecordingState.READABLE]
    usual_s = statistics.median(r.interval.duration_s for r in whole) if whole else 0.0
    starts = sorted(r.interval.start for r in recordings if r.usable)
    found = []
    for recording in sorted(recordings, key=lambda one: (one.interval.start, one.path)):
        fault = FAULTS.get(recording.state)
        if recording.state is RecordingState.READABLE and _is_short(recording, usual_s):
            fault = None if _goes_on(recording, starts) else RecordingFault.SHORT
        if fault is not None and recording.interval.overlaps(window):
            found.append(FaultyRecording(recording, fault))
    return found


def _is_short(recording: Recording, usual_s: float) -> bool:
    return recording.interval.duration_s < SHORT_SHARE * usual_s


def _goes_on(recording: Recording, starts: Sequence[datetime]) -> bool:
    """Whether another recording begins where this one ends: a recorder begins a new file at some hours."""
    seam = timedelta(seconds=SEAM_S)
    first = bisect_left(starts, recording.interval.end - seam)
    return first < len(starts) and starts[first] <= recording.interval.end + seam

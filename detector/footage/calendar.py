"""How much of each local day of each camera is recorded and was observed, for a calendar of all of them at once.

It is read from the catalogue alone and says how much, not why not; `coverage` says both, of one camera.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from detector.core.values import RecordingState
from detector.database import Database, schema

USABLE = (RecordingState.READABLE, RecordingState.TRUNCATED)


@dataclass(frozen=True, slots=True)
class DayShare:
    """Seconds of one day that are recorded, and that samples stand for."""

    recorded_s: float = 0.0
    observed_s: float = 0.0


def shares_by_day(database: Database, cuts: Sequence[datetime]) -> Mapping[tuple[str, int], DayShare]:
    """By camera and number of the day, which is [cuts[n], cuts[n + 1]). Days without anything are left out."""
    recordings, observed = schema.recordings, schema.observed
    within = (
        recordings.c.start < cuts[-1],
        recordings.c.end > cuts[0],
        recordings.c.state.in_(USABLE),
    )
    recorded = select(recordings.c.camera_id, recordings.c.start, recordings.c.end).where(*within)
    seen = (
        select(recordings.c.camera_id, observed.c["from"], observed.c.until)
        .select_from(recordings.join(observed, recordings.c.id == observed.c.recording_id))
        .where(*within, observed.c["from"].is_not(None))
    )
    edges = [cut.timestamp() for cut in cuts]
    with database.read() as connection:
        recorded_s = _by_day([(r[0], r[1], r[2]) for r in connection.execute(recorded)], edges)
        observed_s = _by_day([(r[0], r[1], r[2]) for r in connection.execute(seen)], edges)
    return {
        key: DayShare(recorded_s.get(key, 0.0), observed_s.get(key, 0.0))
        for key in recorded_s.keys() | observed_s.keys()
    }


def _by_day(
    stretches: Iterable[tuple[str, datetime, datetime]], edges: Sequence[float]
) -> dict[tuple[str, int], float]:
    """Seconds that stretches cover, each second of a camera counted once."""
    by_camera: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for camera_id, start, end in stretches:
        by_camera[camera_id].append((start.timestamp(), end.timestamp()))
    covered: dict[tuple[str, int], float] = defaultdict(float)
    for camera_id, found in by_camera.items():
        until = edges[0]
        for begins, ends in sorted(found):
            cursor, stop = max(begins, until), min(ends, edges[-1])
            until = max(until, ends)
            while cursor < stop:
                day = bisect_right(edges, cursor) - 1
                part = min(stop, edges[day + 1])
                covered[camera_id, day] += part - cursor
                cursor = part
    return covered

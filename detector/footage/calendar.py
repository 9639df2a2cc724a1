"""What is known of each local day of each camera, for a calendar of all of them at once.

It is read from the catalogue alone and says how much, not why not; `coverage` says both, of one camera. Both come to the
same state of a day (see `detector.footage.daystate`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from detector.core.timeline import Timeline
from detector.core.values import Camera, RecordingState
from detector.database import Database, schema
from detector.footage.catalogue import USABLE, Catalogue, Survey, blind_stretches
from detector.footage.coverage import UNREADABLE
from detector.footage.daystate import DayFacts

Spans = list[tuple[float, float]]
"""Stretches of time, [from, until) in seconds since the epoch."""

DayFactsOf = Mapping[tuple[str, int], DayFacts]
"""By camera and number of the day."""


def facts_by_day(
    database: Database, cameras: Iterable[Camera], cuts: Sequence[datetime], now: datetime
) -> DayFactsOf:
    """The facts of the days [cuts[n], cuts[n + 1]) of these cameras; of days to come `expected_s` is 0."""
    edges = [cut.timestamp() for cut in cuts]
    held = _read(database, cuts)
    surveys = Catalogue(database).surveys()
    return {
        (camera.id, number): facts
        for camera in cameras
        for number, facts in enumerate(
            _days(camera, held.get(camera.id, _Held()), surveys.get(camera.id), edges, now.timestamp())
        )
    }


@dataclass(slots=True)
class _Held:
    """What the database holds of one camera's period."""

    recorded: Spans = field(default_factory=list)
    observed: Spans = field(default_factory=list)
    blind: Spans = field(default_factory=list)
    judged: Spans = field(default_factory=list)
    unreadable: Spans = field(default_factory=list)


def _read(database: Database, cuts: Sequence[datetime]) -> dict[str, _Held]:
    recordings, observed, judged = schema.recordings, schema.observed, schema.judged
    within = (recordings.c.start < cuts[-1], recordings.c.end > cuts[0])
    columns = ("camera_id", "start", "end", "state", "timeline")
    found = select(*(recordings.c[name] for name in columns)).where(*within)
    seen = (
        select(recordings.c.camera_id, observed.c["from"], observed.c.until, observed.c.blind)
        .select_from(recordings.join(observed, recordings.c.id == observed.c.recording_id))
        .where(*within, recordings.c.state != RecordingState.REPEATED)
    )
    done = select(judged.c.camera_id, judged.c["from"], judged.c.until).where(
        judged.c["from"] < cuts[-1], judged.c.until > cuts[0]
    )
    held: dict[str, _Held] = defaultdict(_Held)
    with database.read() as connection:
        for camera_id, start, end, state, timeline in connection.execute(found):
            span = (start.timestamp(), end.timestamp())
            if state in USABLE:
                held[camera_id].recorded += _pictured(span, timeline)
            elif state in UNREADABLE:
                held[camera_id].unreadable.append(span)
        for camera_id, start, end, blind in connection.execute(seen):
            if start is not None:
                held[camera_id].observed.append((start.timestamp(), end.timestamp()))
            held[camera_id].blind += [
                (one.interval.start.timestamp(), one.interval.end.timestamp())
                for one in blind_stretches(blind)
            ]
        for camera_id, start, end in connection.execute(done):
            held[camera_id].judged.append((start.timestamp(), end.timestamp()))
    return held


def _days(
    camera: Camera, held: _Held, survey: Survey | None, edges: Sequence[float], now: float
) -> list[DayFacts]:
    recorded, blind = _union(held.recorded), _union(held.blind)
    observed = _union(held.observed)
    blind = _shared(blind, recorded)
    looked = _shared(_union([*observed, *blind]), recorded)
    judged = _shared(_without(_shared(observed, recorded), blind), _union(held.judged))
    recorded_s, looked_s, blind_s, judged_s = (
        _by_day(spans, edges) for spans in (recorded, looked, blind, judged)
    )
    until = survey.until.timestamp() if survey and survey.until else float("-inf")
    return [
        DayFacts(
            expected_s=max(0.0, min(end, now) - start),
            recorded_s=recorded_s[number],
            looked_s=looked_s[number],
            blind_s=blind_s[number],
            judged_s=judged_s[number],
            unreadable=sum(a < end and b > start for a, b in held.unreadable),
            surveyed=until >= end,
            zones_judged=camera.is_judged,
        )
        for number, (start, end) in enumerate(pairwise(edges))
    ]


def _pictured(span: tuple[float, float], timeline: Mapping[str, Any] | None) -> Spans:
    """The stretches of a recording that have pictures, as `Recording.pictured` gives them."""
    if not timeline:
        return [span]
    start, known = span[0], Timeline.of_json(timeline)
    shown = _shared([(start + known.starts_s, start + known.ends_s)], [span]) or [span]
    return _without(shown, _union((start + a, start + b) for a, b in known.holes()))


def _union(spans: Iterable[tuple[float, float]]) -> Spans:
    joined: Spans = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _shared(one: Spans, other: Spans) -> Spans:
    """The time in both, of spans in order that do not overlap."""
    found: Spans = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found


def _without(spans: Spans, parts: Spans) -> Spans:
    """The time of spans that no part covers."""
    if not spans or not parts:
        return spans
    gaps = list(pairwise([float("-inf"), *(edge for part in parts for edge in part), float("inf")]))[::2]
    return _shared(spans, [(start, end) for start, end in gaps if start < end])


def _by_day(spans: Spans, edges: Sequence[float]) -> list[float]:
    """Seconds of each day that spans in order cover."""
    covered = [0.0] * (len(edges) - 1)
    for begins, ends in spans:
        cursor, stop = max(begins, edges[0]), min(ends, edges[-1])
        while cursor < stop:
            day = bisect_right(edges, cursor) - 1
            part = min(stop, edges[day + 1])
            covered[day] += part - cursor
            cursor = part
    return covered

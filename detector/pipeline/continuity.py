"""Which earlier issue an incident goes on with, over time that was not recorded.

An object that stood when the recordings broke off, and stands there when they begin again, may be one. Pictures from
both sides, and from recordings in between, are compared: the same object makes the issue grow; where the pictures do not
decide, the issues are linked, so that one order goes out; another object is an issue of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from detector.config.violations import RULES
from detector.core.geometry import Box, is_same_place
from detector.core.times import Interval
from detector.core.values import Camera, Incident, Proof
from detector.footage.catalogue import Catalogue
from detector.issues.duplicates import PARKING
from detector.issues.filing import GROWING
from detector.issues.lifecycle import State
from detector.issues.queue import IssueQueue
from detector.issues.values import Earlier, Issue, IssueFilter
from detector.pipeline.flow import Part
from detector.proving.continuity import Same, compare_all
from detector.proving.likeness import Place, place_of
from detector.proving.looker import Looker

REACH_S = 3 * 86400.0
"""Over a longer gap nothing is said: that one object stood there all the time would be a guess."""

CANDIDATES = 6
"""So many issues of one place are compared with, the nearest first."""

STRETCHES = 4
MOMENTS = (0.2, 0.5, 0.8)
"""Of an issue so many stretches are looked at, at these parts of each."""

RUNS_BETWEEN = 8
"""So many recordings between the two are looked at: an object that was away in one of them did not stand on."""


def candidates_of(queue: IssueQueue, proof: Proof) -> list[Issue]:
    """Issues in a proven incident's place, apart from it in time, where neither was seen to come or go in between."""
    incident = proof.incident
    if incident.box is None:
        return []
    wanted = IssueFilter(
        cameras=(incident.camera_id,),
        violations=tuple(PARKING) if incident.violation in PARKING else (incident.violation,),
        period=reach_of(incident),
    )
    near = [issue for issue in queue.find(wanted) if may_go_on(issue, proof)]
    return sorted(near, key=lambda issue: _gap_s(issue, incident.interval))[:CANDIDATES]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A camera's recordings around a proven incident."""

    looker: Looker
    """Blind where the view cannot be judged."""
    parts: Sequence[Part]

    def earlier(self, proof: Proof, candidates: Sequence[Issue]) -> Earlier:
        """What the pictures say of these issues in the incident's place."""
        incident = proof.incident
        assert incident.box is not None
        shown = [place_of(still.frame.image, incident.box) for still in proof.stills]
        return _decided(incident, [(issue, self._same(issue, proof, shown)) for issue in candidates])

    def _same(self, issue: Issue, proof: Proof, shown: Sequence[Place]) -> Same:
        box = proof.incident.box
        assert box is not None
        said = [
            compare_all(places, shown)
            for stretch in _stretches_like(issue.stretches, proof.incident.interval)
            if (places := self._places(stretch, box))
        ]
        if Same.SAME not in said:
            return Same.OTHER if said and all(one is Same.OTHER for one in said) else Same.UNDECIDED
        away = any(self._is_away(run, box, shown) for run in self._between(issue, proof.incident))
        return Same.OTHER if away else Same.SAME

    def _between(self, issue: Issue, incident: Incident) -> Iterator[Interval]:
        """Recordings between the two, spread evenly."""
        own, seen = incident.interval, (*issue.stretches, incident.interval)
        before = [s for s in issue.stretches if s.end <= own.start]
        start, end = (before[-1].end, own.start) if before else (own.end, issue.interval.start)
        runs = [
            part
            for _, part in self.parts
            if part.start >= start and part.end <= end and not any(part.overlaps(s) for s in seen)
        ]
        step = max(1, math.ceil(len(runs) / RUNS_BETWEEN))
        yield from runs[::step]

    def _is_away(self, run: Interval, box: Box, shown: Sequence[Place]) -> bool:
        places = self._places(run, box)
        return bool(places) and compare_all(places, shown) is Same.OTHER

    def _places(self, stretch: Interval, box: Box) -> list[Place]:
        moments = [stretch.start + (stretch.end - stretch.start) * part for part in MOMENTS]
        return [place_of(seen.frame.image, box) for at in moments if (seen := self.looker.look(at))]


def blind_times(catalogue: Catalogue, camera: Camera, around: Interval) -> list[Interval]:
    """The times in which, as earlier scans found, a camera's view cannot be judged."""
    return [b.interval for part in catalogue.observed_parts(camera.id, around) for b in part.blind]


def reach_of(incident: Incident) -> Interval:
    """The time from which issues and recordings may matter to an incident."""
    reach = timedelta(seconds=REACH_S)
    return Interval(incident.interval.start - reach, incident.interval.end + reach)


def _decided(incident: Incident, judged: Sequence[tuple[Issue, Same]]) -> Earlier:
    grows = RULES[incident.violation].grows
    continues: int | None = None
    suspects, recurs, others = [], [], []
    for issue, same in judged:
        open_still = issue.state in GROWING
        if same is Same.OTHER:
            others.append(issue.id)
        elif not open_still:
            recurs.append(issue.id)
        elif same is Same.SAME and grows and continues is None and _is_of_kind(issue, incident):
            continues = issue.id
        else:
            suspects.append(issue.id)
    return Earlier(continues, tuple(suspects), tuple(recurs), tuple(others))


def _is_of_kind(issue: Issue, incident: Incident) -> bool:
    return (issue.violation, issue.zone_id) == (incident.violation, incident.zone_id)


def may_go_on(issue: Issue, proof: Proof) -> bool:
    """Whether an issue's object may stand on in an incident, over a gap on whose both sides it stood."""
    incident = proof.incident
    own, seen = incident.interval, issue.stretches
    if issue.state is State.MERGED or issue.box is None or incident.box is None:
        return False
    if not is_same_place(issue.box, incident.box) or any(stretch.overlaps(own) for stretch in seen):
        return False
    if seen[-1].end <= own.start:
        return math.isinf(issue.end_uncertainty_s) and math.isinf(proof.start_uncertainty_s)
    if seen[0].start >= own.end:
        return math.isinf(issue.start_uncertainty_s) and math.isinf(proof.end_uncertainty_s)
    return math.isinf(proof.start_uncertainty_s) and math.isinf(proof.end_uncertainty_s)


def _gap_s(issue: Issue, own: Interval) -> float:
    return min(
        max((own.start - s.end).total_seconds(), (s.start - own.end).total_seconds()) for s in issue.stretches
    )


def _stretches_like(stretches: Sequence[Interval], own: Interval) -> list[Interval]:
    """Those whose light is likeliest the same: of the same time of day, the nearest of these first."""

    def apart(stretch: Interval) -> tuple[float, float]:
        far_s = abs((stretch.start - own.start).total_seconds())
        by_day_s = far_s % 86400.0
        return min(by_day_s, 86400.0 - by_day_s) // 3600.0, far_s

    return sorted(stretches, key=apart)[:STRETCHES]

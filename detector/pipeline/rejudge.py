"""`judge`: stored observations under changed rules, without touching a recording."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from detector.config.rules import RuleSet
from detector.core.barrier import barrier
from detector.core.errors import DamagedObservations, UnexpectedFault
from detector.core.geometry import is_same_place
from detector.core.times import Interval, union
from detector.core.values import Camera, Incident, Point, Violation
from detector.footage.archive import parts
from detector.footage.catalogue import Catalogue, ObservedPart
from detector.issues.queue import IssueQueue
from detector.issues.values import Issue, IssueFilter
from detector.judging.judge import decide
from detector.observing.store import ObservationStore
from detector.pipeline.findings import FindingsStore, Ground, Reader, Shown, shown
from detector.pipeline.flow import Part
from detector.pipeline.scan import LOOKBACK_S, day_before, set_aside, verdict_key, windows_of


@dataclass(frozen=True, slots=True)
class Change:
    """What other rules make of one camera's stored observations."""

    point: Point
    camera: Camera
    observations: int
    kept: tuple[Issue, ...]
    """Proven by an earlier scan, and a violation still."""
    appeared: tuple[Incident, ...]
    """Suspicions that no earlier scan has looked at closer under this limit; `scan` would. They are as `_told`."""
    vanished: tuple[tuple[Issue, str], ...]
    """Proven by an earlier scan, and no violation under these rules, with the reason."""
    troubles: tuple[str, ...] = ()
    """What could not be judged, a sentence each: damaged observations, unexpected errors."""


def rejudge(
    catalogue: Catalogue,
    store: ObservationStore,
    findings: FindingsStore,
    queue: IssueQueue,
    point: Point,
    camera: Camera,
    rules: RuleSet,
    period: Interval,
    *,
    before: RuleSet | None = None,
) -> Change:
    """Judge one camera's stored observations of a period and compare with what was decided before.

    `before` are the rules that the scans went by, where those are not `rules`. A damaged file of observations is set
    aside, so that the next scan observes its recording again, and the rest is judged without it. An unexpected error
    costs this camera's answer. Both are in the change's `troubles`.
    """
    troubles: list[str] = []
    while True:
        try:
            with barrier(f"camera {camera.id}: judging again", UnexpectedFault):
                change = _changed(
                    catalogue, store, findings, queue, point, camera, rules, period, before or rules
                )
                return replace(change, troubles=tuple(troubles))
        except DamagedObservations as error:
            troubles.append(f"{set_aside(catalogue, store, error)}; scan again to observe its recording")
        except UnexpectedFault as error:
            return Change(point, camera, 0, (), (), (), (*troubles, f"could not be judged: {error}"))


def _changed(
    catalogue: Catalogue,
    store: ObservationStore,
    findings: FindingsStore,
    queue: IssueQueue,
    point: Point,
    camera: Camera,
    rules: RuleSet,
    period: Interval,
    before: RuleSet,
) -> Change:
    reader = Reader(store, findings, point, camera)
    observed = catalogue.observed_parts(camera.id, _reach(period))
    models = {part.model_id for part in observed if part.recording.overlaps(period)}
    decided = queue.verdicts(camera.id, period)
    windows = windows_seen(parts(catalogue.known(camera.id).values()), observed, camera, period)
    judged = _judged(reader, windows, rules, before, union(v.interval for v in decided.values()), period)
    issues = queue.find(IssueFilter(cameras=(camera.id,), period=period))
    places = _by_place(judged.suspicions)
    own = {issue.id: list(_about(issue, places)) for issue in issues}
    told = {id(suspicion) for suspicions in own.values() for suspicion in suspicions}
    fates = [(issue, _why_not(issue, own[issue.id], point, camera, rules)) for issue in issues]
    appeared = (
        suspicion
        for suspicion in judged.suspicions
        if id(suspicion) not in told and not judged.is_decided(suspicion, decided, models)
    )
    return Change(
        point,
        camera,
        judged.observations,
        kept=tuple(issue for issue, why_not in fates if why_not is None),
        appeared=tuple(_whole(appeared)),
        vanished=tuple((issue, why_not) for issue, why_not in fates if why_not is not None),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a camera's windows come to. Suspicions are as `_told`, and in order of their windows."""

    suspicions: Sequence[Incident]
    earlier: Mapping[str, Incident]
    """By fingerprint, what the rules of before raised where some of that was decided."""
    observations: int

    def is_decided(self, suspicion: Incident, decided: Container[str], models: Iterable[str]) -> bool:
        """What was dropped under a shorter limit stays so; under a longer one it may have been dropped for that."""
        if not decided:
            return False
        old = self.earlier.get(suspicion.fingerprint, suspicion)
        asked = (suspicion, old) if old.limit_s <= suspicion.limit_s else (suspicion,)
        return any(verdict_key(one, model) in decided for one in asked for model in models)


def _judged(
    reader: Reader,
    windows: Iterable[tuple[Interval, Shown]],
    rules: RuleSet,
    before: RuleSet,
    decided: Sequence[Interval],
    period: Interval,
) -> _Judged:
    """`decided` is the time of what scans decided."""
    point, camera = reader.point, reader.camera
    ground, old_ground = Ground.of(rules), Ground.of(before)
    suspicions: list[Incident] = []
    earlier: dict[str, Incident] = {}
    observations = 0
    for window, seen in windows:
        stretch = _with_lookback(window)
        asks_before = rules != before and any(time.overlaps(stretch) for time in decided)
        limits = (rules, before) if asks_before else (rules,)
        gathered = reader.gathered(window, seen, ground, old_ground, limits)
        suspicions += _of_window(decide(gathered, point, camera, rules).incidents, window, period)
        if asks_before:
            if ground.short != old_ground.short:
                gathered = reader.gathered(window, seen, old_ground, ground, (before,))
            old = _of_window(decide(gathered, point, camera, before).incidents, window, period)
            earlier |= {one.fingerprint: one for one in old}
        observations += sum(s.part.samples for s in seen.looks if s.interval.start >= window.start)
    return _Judged(suspicions, earlier, observations)


def _reach(period: Interval) -> Interval:
    """The time that a period is judged by: the hours before that are judged with it, and the day before those."""
    return Interval(day_before(_with_lookback(period)).start, period.end)


def _with_lookback(window: Interval) -> Interval:
    return Interval(window.start - timedelta(seconds=LOOKBACK_S), window.end)


def windows_seen(
    known: Sequence[Part], observed: Sequence[ObservedPart], camera: Camera, period: Interval
) -> Iterator[tuple[Interval, Shown]]:
    """The period's windows, as a scan judges them, and what each is judged by."""
    done: dict[str, list[ObservedPart]] = {}
    for part in observed:
        done.setdefault(part.recording_id, []).append(part)
    reach = _with_lookback(period)
    starts = [part.start for _, part in known]
    kept = _within(known, starts, reach)
    for window in windows_of([(r, part) for r, part in kept if r.id in done], camera):
        if window.overlaps(period):
            stretch = _with_lookback(window)
            wanted = [
                (r, s) for r, part in _within(known, starts, stretch) if (s := part.intersection(reach))
            ]
            yield window, shown(wanted, _within(known, starts, day_before(stretch)), done)


def _within(known: Sequence[Part], starts: Sequence[datetime], stretch: Interval) -> list[Part]:
    """The parts, in order of their `starts`, as far as they lie in a stretch."""
    first, last = max(0, bisect_right(starts, stretch.start) - 1), bisect_left(starts, stretch.end)
    return [(r, shared) for r, part in known[first:last] if (shared := part.intersection(stretch))]


def _of_window(incidents: Sequence[Incident], window: Interval, period: Interval) -> list[Incident]:
    """Those of the hours before were judged with the window before."""
    return [_told(i) for i in incidents if i.interval.end >= window.start and i.interval.overlaps(period)]


def _told(suspicion: Incident) -> Incident:
    """A suspicion without its stay, which no closer look will ask for: a month's stays are most of its memory.

    Its fingerprint is the same, for a suspicion's interval begins with its stay.
    """
    return replace(suspicion, stay=None, excused=(), queues=())


def _whole(suspicions: Iterable[Incident]) -> list[Incident]:
    """What windows in a row tell of one stay, as one: the first tells of it, up to when the last saw it."""
    joined: list[Incident] = []
    going_on: list[int] = []
    for one in sorted(suspicions, key=lambda incident: incident.interval.start):
        going_on = [index for index in going_on if joined[index].interval.end > one.interval.start]
        for index in going_on:
            other = joined[index]
            if _same(one, other):
                interval = Interval(other.interval.start, max(other.interval.end, one.interval.end))
                joined[index] = replace(other, interval=interval)
                break
        else:
            going_on.append(len(joined))
            joined.append(one)
    return joined


def _same(a: Incident, b: Incident) -> bool:
    if (a.violation, a.zone_id) != (b.violation, b.zone_id) or not a.interval.overlaps(b.interval):
        return False
    return is_same_place(a.box, b.box)


def _why_not(
    issue: Issue, own: Sequence[Incident], point: Point, camera: Camera, rules: RuleSet
) -> str | None:
    """Why an issue is no violation by its `own` suspicions and these rules; None where it still is one."""
    if issue.box is None:
        return None if own else "no rule speaks of it any more"
    zone = next((zone for zone in camera.zones if zone.id == issue.zone_id), None)
    local = issue.interval.start.astimezone(camera.timezone)
    limit_s = rules.limit_s(issue.violation, point.category, zone, local) if zone else None
    if own:
        limit_s = min(suspicion.limit_s for suspicion in own)
    if limit_s is None:
        return "no rule speaks of it any more"
    longest_s = max(stretch.duration_s for stretch in issue.stretches)
    if longest_s <= limit_s:
        return f"stood {longest_s:.0f} s, within {limit_s:.0f} s"
    return None if own else "these rules see no stay there"


@dataclass(frozen=True, slots=True)
class _Place:
    """The suspicions of one violation in one zone, in order of their starts: few of them can be about one issue."""

    suspicions: Sequence[Incident]
    starts: Sequence[datetime]
    longest: timedelta

    def around(self, interval: Interval) -> Sequence[Incident]:
        """Those that may overlap an interval."""
        first = bisect_left(self.starts, interval.start - self.longest)
        return self.suspicions[first : bisect_left(self.starts, interval.end)]


_Places = Mapping[tuple[Violation, str | None], _Place]


def _by_place(suspicions: Iterable[Incident]) -> _Places:
    places: dict[tuple[Violation, str | None], list[Incident]] = {}
    for suspicion in sorted(suspicions, key=lambda incident: incident.interval.start):
        places.setdefault((suspicion.violation, suspicion.zone_id), []).append(suspicion)
    return {
        where: _Place(
            own,
            [one.interval.start for one in own],
            max(one.interval.end - one.interval.start for one in own),
        )
        for where, own in places.items()
    }


def _about(issue: Issue, places: _Places) -> Iterator[Incident]:
    place = places.get((issue.violation, issue.zone_id))
    if place is not None:
        yield from (suspicion for suspicion in place.around(issue.interval) if _tells(suspicion, issue))


def _tells(suspicion: Incident, issue: Issue) -> bool:
    """Whether a suspicion is about what an issue is about. Where a period is cut differently its fingerprint differs."""
    if (suspicion.violation, suspicion.zone_id) != (issue.violation, issue.zone_id):
        return False
    if not any(suspicion.interval.overlaps(stretch) for stretch in issue.stretches):
        return False
    return is_same_place(suspicion.box, issue.box)

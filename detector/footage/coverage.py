"""Which part of a period has a readable recording, which part was observed, and why the rest was not."""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from detector.core.geometry import same_shape
from detector.core.times import Interval, days_of, local_day, subtract, union
from detector.core.values import Camera, Recording, RecordingState
from detector.footage.archive import Archive, true_times
from detector.footage.catalogue import BlindStretch
from detector.footage.daystate import DayFacts, DayState, day_state
from detector.footage.templates import Template, parse_template

SEAM_S = 2.0
"""Shorter gaps, as recorders leave when they begin a new file, count as covered."""

REQUIRED_DAYS = 30
"""Inspectors may ask for any moment of so many days."""

USUAL_S = 3600.0
"""How long an unreadable file is taken to have been where neither its name nor another recording tells."""


class GapReason(StrEnum):
    """Why a stretch of time was not seen, or not judged. Those of WITH_RECORDING have a readable recording.

    NOT_SURVEYED is time after the camera's folder was looked through last: nobody knows whether it is recorded.

    Time of PICTURE_SHAPE was seen and judged, but with zones that were drawn on pictures of another shape.
    """

    NO_RECORDING = "no_recording"
    NO_FOLDER = "no_folder"
    EMPTY = "empty"
    NOT_VIDEO = "not_video"
    TRUNCATED = "truncated"
    GROWING = "growing"
    UNREADABLE = "unreadable"
    REPEATED = "repeated"
    NOT_SURVEYED = "not_surveyed"
    MIXED_CHANNELS = "mixed_channels"
    UNUSABLE_VIEW = "unusable_view"
    PICTURE_SHAPE = "picture_shape"
    NOT_OBSERVED = "not_observed"
    NOT_JUDGED = "not_judged"
    EXAMPLE_ZONES = "example_zones"
    NO_ZONES = "no_zones"


UNREADABLE = (
    RecordingState.EMPTY,
    RecordingState.NOT_VIDEO,
    RecordingState.GROWING,
    RecordingState.UNREADABLE,
    RecordingState.MIXED,
)
"""Files of a day that show nothing, or nothing yet: the day cannot be all clear."""

WITH_RECORDING = (
    GapReason.UNUSABLE_VIEW,
    GapReason.PICTURE_SHAPE,
    GapReason.NOT_OBSERVED,
    GapReason.NOT_JUDGED,
    GapReason.EXAMPLE_ZONES,
    GapReason.NO_ZONES,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time that was not seen, in UTC. `detail` names the file or says more; it may be ''."""

    interval: Interval
    reason: GapReason
    detail: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether there is a readable recording of it all the same."""
        return self.reason in WITH_RECORDING


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """One local day of one camera, or the part of it that was asked for (`window`). All intervals are in UTC.

    `readable_s` and the gaps that are not readable add up to `expected_s`. What was observed may be more than
    what is readable, for recorders overwrite what they hold.
    """

    day: date
    window: Interval
    readable: tuple[Interval, ...]
    observed: tuple[Interval, ...]
    gaps: tuple[Gap, ...]
    judged_s: float = 0.0
    """How much of what is readable and was observed was judged to the end."""
    unreadable: int = 0
    """Files of the day that cannot be read, or not yet."""
    surveyed: bool = True
    """Whether the camera's folder was looked through after the day ended."""
    zones_judged: bool = True
    issues: int = 0
    """Issues that began on the day."""

    @property
    def facts(self) -> DayFacts:
        blind_s = sum(g.interval.duration_s for g in self.gaps if g.reason is GapReason.UNUSABLE_VIEW)
        # It was judged, but with zones that may lie in the wrong places: a day with it is not all clear.
        misshapen_s = sum(g.interval.duration_s for g in self.gaps if g.reason is GapReason.PICTURE_SHAPE)
        unseen_s = sum(g.interval.duration_s for g in self.gaps if g.reason is GapReason.NOT_OBSERVED)
        return DayFacts(
            expected_s=self.expected_s,
            recorded_s=self.readable_s,
            looked_s=max(0.0, self.readable_s - unseen_s),
            blind_s=blind_s + misshapen_s,
            judged_s=max(0.0, self.judged_s - misshapen_s),
            unreadable=self.unreadable,
            surveyed=self.surveyed,
            zones_judged=self.zones_judged,
        )

    @property
    def state(self) -> DayState:
        return day_state(self.facts, self.issues)

    @property
    def expected_s(self) -> float:
        return self.window.duration_s

    @property
    def readable_s(self) -> float:
        return sum(interval.duration_s for interval in self.readable)

    @property
    def observed_s(self) -> float:
        return sum(interval.duration_s for interval in self.observed)


@dataclass(frozen=True, slots=True)
class PointCoverage:
    """One camera of a point over a period: a row for each local day, and what of its archive could not be used."""

    point_id: str
    camera: Camera
    period: Interval
    days: tuple[DayCoverage, ...]
    unplaced: tuple[str, ...] = ()
    fault: str | None = None
    clock_notes: tuple[str, ...] = ()
    """Usable recordings whose name and container disagree, or that lack pictures: the path, and how."""
    remarks: tuple[str, ...] = ()
    """What is to be said of the folder as a whole: files that are not read, channels that are mixed."""

    @property
    def expected_s(self) -> float:
        return sum(day.expected_s for day in self.days)

    @property
    def readable_share(self) -> float:
        """Part of the period with a readable recording, in [0, 1]."""
        return sum(day.readable_s for day in self.days) / self.expected_s

    @property
    def observed_share(self) -> float:
        """Part of the period that was observed with a usable view, in [0, 1]."""
        return sum(day.observed_s for day in self.days) / self.expected_s

    @property
    def days_covered(self) -> int:
        """Days with any readable recording."""
        return sum(bool(day.readable) for day in self.days)

    @property
    def complete(self) -> bool:
        """Whether 30 days, or all that were asked for if those are fewer, have a readable recording."""
        return self.days_covered >= min(REQUIRED_DAYS, len(self.days))

    def to_json(self) -> dict[str, Any]:
        """Plain values; times in the camera's time zone, durations in seconds, shares in [0, 1]."""
        return {
            "point": self.point_id,
            "camera": self.camera.id,
            **self._ends(self.period),
            "days_asked": len(self.days),
            "days_covered": self.days_covered,
            "complete": self.complete,
            "readable_share": round(self.readable_share, 4),
            "observed_share": round(self.observed_share, 4),
            "fault": self.fault,
            "unplaced": list(self.unplaced),
            "clock_notes": list(self.clock_notes),
            "remarks": list(self.remarks),
            "days": [self._day_to_json(day) for day in self.days],
        }

    def _day_to_json(self, day: DayCoverage) -> dict[str, Any]:
        return {
            "day": day.day.isoformat(),
            "state": day.state.value,
            "judged_s": round(day.judged_s, 3),
            "expected_s": round(day.expected_s, 3),
            "readable_s": round(day.readable_s, 3),
            "observed_s": round(day.observed_s, 3),
            "readable_share": round(day.readable_s / day.expected_s, 4),
            "observed_share": round(day.observed_s / day.expected_s, 4),
            "readable": [self._ends(interval) for interval in day.readable],
            "observed": [self._ends(interval) for interval in day.observed],
            "gaps": [
                {
                    **self._ends(gap.interval),
                    "duration_s": round(gap.interval.duration_s, 3),
                    "reason": gap.reason.value,
                    "detail": gap.detail,
                }
                for gap in day.gaps
            ],
        }

    def _ends(self, interval: Interval) -> dict[str, str]:
        zone = self.camera.timezone
        return {
            "from": interval.start.astimezone(zone).isoformat(),
            "until": interval.end.astimezone(zone).isoformat(),
        }


def coverage(
    camera: Camera,
    point_id: str,
    period: Interval,
    archive: Archive,
    observed: Sequence[Interval],
    *,
    blind: Sequence[BlindStretch] = (),
    judged: Sequence[Interval] | None = None,
    surveyed_until: datetime | None = None,
    issues: Mapping[date, int] = MappingProxyType({}),
    zone: tzinfo | None = None,
) -> PointCoverage:
    """Set what an archive holds and what was observed against a period.

    `observed` is time that was sampled; `blind` is time whose view could not be judged, with the reason: it does
    not count as observed. Time whose pictures have another shape than the zones does count, and is a gap besides:
    nothing found there does not mean that there was nothing. `judged` is observed time that a scan has judged to the end, all of it where None.
    Nothing is known of recordings after `surveyed_until`; None where the archive holds all of the period. `issues`
    began on these local days. Days are those of `zone`, the camera's own where None.
    Shares are of all of the period, so an archive of some minutes a day has a small one.
    """
    period = _utc(period)
    surveyed_until = period.end if surveyed_until is None else surveyed_until
    readable = _covered(period, [i for r in archive.recordings if r.usable for i in r.pictured])
    unusable = [Gap(_utc(b.interval), GapReason.UNUSABLE_VIEW, b.reason) for b in blind if not b.shape_wh]
    usably_observed = _without([_utc(i) for i in observed], [gap.interval for gap in unusable])
    seen = _covered(period, usably_observed)
    absent = _missing(period, archive, camera, readable, surveyed_until)
    unseen = [Gap(i, GapReason.NOT_OBSERVED) for i in _without(readable, seen) if i.duration_s >= SEAM_S]
    done = seen if judged is None else _clip_all(_covered(period, [_utc(i) for i in judged]), seen)
    done = _clip_all(done, readable)
    undone = [
        Gap(i, _why_not_judged(camera))
        for i in _without(_clip_all(seen, readable), done)
        if i.duration_s >= SEAM_S
    ]
    misshapen = _misshapen(camera, done, blind)
    gaps = sorted([*absent, *_explained(unseen, unusable), *undone, *misshapen], key=lambda gap: gap.interval)
    days = _days(zone or camera.timezone, period, readable, seen, gaps)
    unread = [r.interval for r in archive.recordings if r.state in UNREADABLE]
    return PointCoverage(
        point_id,
        camera,
        period,
        tuple(
            replace(
                day,
                judged_s=sum(part.duration_s for part in _clip(done, day.window)),
                unreadable=sum(interval.overlaps(day.window) for interval in unread),
                surveyed=surveyed_until >= day.window.end,
                zones_judged=judged is None or camera.is_judged,
                issues=issues.get(day.day, 0),
            )
            for day in days
        ),
        tuple(f"{file.path}: {file.reason}" for file in archive.unplaced),
        archive.fault,
        tuple(f"{r.path}: {r.reason}" for r in archive.recordings if r.usable and r.reason),
        (*archive.remarks, *((archive.others,) if archive.others else ())),
    )


def _misshapen(camera: Camera, judged: Sequence[Interval], blind: Sequence[BlindStretch]) -> list[Gap]:
    """The judged time whose pictures have another shape than the camera's zones have now."""
    zones_wh = camera.resolution_wh
    claims = [
        Gap(
            _utc(stretch.interval),
            GapReason.PICTURE_SHAPE,
            f"{wh[0]}x{wh[1]}, resolution_wh is {zones_wh[0]}x{zones_wh[1]}",
        )
        for stretch in blind
        if (wh := stretch.shape_wh) and not same_shape(wh, zones_wh)
    ]
    return [
        Gap(shared, claim.reason, claim.detail)
        for claim in _one_after_another(claims)
        for shared in _clip(judged, claim.interval)
    ]


def _missing(
    period: Interval,
    archive: Archive,
    camera: Camera,
    readable: Sequence[Interval],
    surveyed_until: datetime,
) -> list[Gap]:
    """The gaps without a readable recording, each with what the files of that time say."""
    no_folder = archive.fault is not None and not archive.recordings
    reason = GapReason.NO_FOLDER if no_folder else GapReason.NO_RECORDING
    gaps = [Gap(interval, reason, archive.fault or "") for interval in subtract(period, readable)]
    claims = _claims(camera, archive.recordings)
    if surveyed_until < period.end and not no_folder:
        unknown = Interval(max(surveyed_until, period.start), period.end)
        claims += [
            Gap(part, GapReason.NOT_SURVEYED)
            for part in _without([unknown], [claim.interval for claim in claims])
        ]
    return list(_explained(gaps, claims))


def _why_not_judged(camera: Camera) -> GapReason:
    """Why observed time of a camera is not judged."""
    if not camera.zones:
        return GapReason.NO_ZONES
    return GapReason.NOT_JUDGED if camera.zones_judged else GapReason.EXAMPLE_ZONES


def _clip_all(ordered: Sequence[Interval], windows: Sequence[Interval]) -> list[Interval]:
    """What of intervals in order lies inside windows in order; none of either overlap."""
    return [part for window in windows for part in _clip(ordered, window)]


def _claims(camera: Camera, recordings: Sequence[Recording]) -> list[Gap]:
    """The time that each file which is not readable, or not wholly, would have covered, and why it does not.

    A file whose name gives no end is taken to be as long as the camera's other recordings usually are.
    """
    template = parse_template(camera.template)
    durations = [r.interval.duration_s for r in recordings if r.state is RecordingState.READABLE]
    usual = timedelta(seconds=statistics.median(durations) if durations else USUAL_S)
    return [
        Gap(interval, _reason(recording), f"{recording.path}: {recording.reason}")
        for recording in recordings
        if recording.state is not RecordingState.OTHER_CHANNEL
        for interval in _claimed(camera, template, recording, usual)
    ]


def _reason(recording: Recording) -> GapReason:
    return GapReason.TRUNCATED if recording.usable else GapReason(recording.state.value)


def _claimed(camera: Camera, template: Template, recording: Recording, usual: timedelta) -> list[Interval]:
    if recording.state is RecordingState.REPEATED:
        return [recording.interval]
    named = template.times(recording.path)
    start, end = true_times(camera, named) if named is not None else (recording.interval.start, None)
    if recording.state is RecordingState.READABLE:
        end = end or recording.interval.end
    end = end or recording.interval.start + usual
    if start >= end:
        return []
    whole = Interval(start, end)
    return subtract(whole, recording.pictured) if recording.usable else [whole]


def _explained(gaps: Iterable[Gap], claims: Iterable[Gap]) -> Iterator[Gap]:
    """The same time as `gaps`, cut so that what lies under a claim has its reason; the earlier claim goes first."""
    ordered = _one_after_another(claims)
    places = [claim.interval for claim in ordered]
    for gap in gaps:
        cursor = gap.interval.start
        for claim in ordered[_within(places, gap.interval)]:
            start, end = max(claim.interval.start, cursor), min(claim.interval.end, gap.interval.end)
            if start > cursor:
                yield Gap(Interval(cursor, start), gap.reason, gap.detail)
            yield Gap(Interval(start, end), claim.reason, claim.detail)
            cursor = end
        if cursor < gap.interval.end:
            yield Gap(Interval(cursor, gap.interval.end), gap.reason, gap.detail)


def _one_after_another(claims: Iterable[Gap]) -> list[Gap]:
    """Claims in order, cut so that none overlap."""
    ordered: list[Gap] = []
    for claim in sorted(claims, key=lambda claim: claim.interval):
        start = max(claim.interval.start, ordered[-1].interval.end) if ordered else claim.interval.start
        if start < claim.interval.end:
            ordered.append(Gap(Interval(start, claim.interval.end), claim.reason, claim.detail))
    return ordered


def _days(
    zone: tzinfo, period: Interval, readable: list[Interval], seen: list[Interval], gaps: list[Gap]
) -> Iterator[DayCoverage]:
    places = [gap.interval for gap in gaps]
    for day in days_of(period, zone):
        window = _utc(local_day(day, zone)).intersection(period)
        if window is None:
            continue
        inside = tuple(
            Gap(shared, gap.reason, gap.detail)
            for gap in gaps[_within(places, window)]
            if (shared := gap.interval.intersection(window)) is not None
        )
        yield DayCoverage(day, window, tuple(_clip(readable, window)), tuple(_clip(seen, window)), inside)


def _covered(period: Interval, intervals: Sequence[Interval]) -> list[Interval]:
    """The part of a period that intervals cover, seams closed; it and the gaps left over make up the period."""
    inside = _clip(union(intervals), period)
    if not inside:
        return []
    return _without([period], [gap for gap in subtract(period, inside) if gap.duration_s >= SEAM_S])


def _clip(ordered: Sequence[Interval], window: Interval) -> list[Interval]:
    """What of intervals in order, none of which overlap, lies inside a window."""
    inside = ordered[_within(ordered, window)]
    return [shared for interval in inside if (shared := interval.intersection(window)) is not None]


def _within(ordered: Sequence[Interval], window: Interval) -> slice:
    """Where in intervals in order, none of which overlap, those stand that share time with a window."""
    first = bisect_right(ordered, window.start, key=lambda interval: interval.end)
    return slice(first, bisect_left(ordered, window.end, lo=first, key=lambda interval: interval.start))


def _without(intervals: Iterable[Interval], parts: Iterable[Interval]) -> list[Interval]:
    """What of intervals no part covers, in order."""
    others = union(parts)
    return [rest for whole in union(intervals) for rest in subtract(whole, _clip(others, whole))]


def _utc(interval: Interval) -> Interval:
    """The same stretch in UTC: datetimes of one time zone that changes its clocks subtract to a wrong length."""
    return Interval(interval.start.astimezone(UTC), interval.end.astimezone(UTC))

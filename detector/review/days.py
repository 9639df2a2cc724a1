"""What pages say of days: their states, which part was judged, which recordings are faulty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from detector.core.times import Interval, local_day
from detector.core.values import Camera, Point
from detector.footage.archive import Archive
from detector.footage.calendar import DayFactsOf, facts_by_day
from detector.footage.catalogue import Catalogue
from detector.footage.coverage import DayCoverage, coverage
from detector.footage.daystate import DayFacts, DayState, part_en, part_zh, state_of, sum_of
from detector.footage.faulty import faulty
from detector.issues import IssueFilter
from detector.issues.calendar import counts_by_day
from detector.issues.values import COUNTED
from detector.judging.camera_fault import WORDS
from detector.review.access import Visitor
from detector.review.filters import Filters
from detector.review.house import House
from detector.review.models import Names
from detector.review.models_boards import FaultyOut, GapOut, PartOut, PointDayOut
from detector.review.views import local, named

MOST_DAYS = 92
"""The state of a longer period is not computed for a page."""

USUAL = timedelta(days=1)
"""Recordings so long before and after a day tell how long they usually are."""


def today_of(house: House) -> date:
    return house.desk.now().astimezone(house.settings.timezone).date()


def cuts_of(house: House, days: Sequence[date]) -> list[datetime]:
    """Where the days begin, and where the last of them ends."""
    zone = house.settings.timezone
    return [*(local_day(day, zone).start for day in days), local_day(days[-1], zone).end]


def facts_of(house: House, visitor: Visitor, cuts: Sequence[datetime]) -> DayFactsOf | None:
    """None for a department: it has no business with what is recorded elsewhere."""
    if visitor.actor.bound_to:
        return None
    cameras = (camera for point in house.settings.points for camera in point.cameras)
    return facts_by_day(house.database, cameras, cuts, house.desk.now())


def part_out(days: Iterable[DayFacts]) -> PartOut:
    """Hours of several cameras or days, and in words which part of them was judged."""
    facts = sum_of(days)
    return PartOut(
        expected_h=facts.expected_s / 3600,
        recorded_h=facts.recorded_s / 3600,
        observed_h=facts.looked_s / 3600,
        judged_h=facts.judged_s / 3600,
        words=Names(en=part_en(facts), zh=part_zh(facts)),
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What an empty list of issues means: the state of the days it is about, and whether anything was ever scanned."""

    first: date
    last: date
    state: DayState
    part: PartOut
    ever_scanned: bool


def standing(house: House, visitor: Visitor, filters: Filters) -> Standing | None:
    """The standing of a filter's points and days, yesterday where it names no day; None for a department."""
    last = filters.last or filters.first or today_of(house) - timedelta(days=1)
    first = min(filters.first or last, last)
    first = max(first, last - timedelta(days=MOST_DAYS - 1))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    cuts = cuts_of(house, days)
    facts = facts_of(house, visitor, cuts)
    if facts is None:
        return None
    own = [
        facts[camera.id, number]
        for point in house.settings.points
        if (not filters.point or point.id in filters.point)
        and (not filters.category or point.category in filters.category)
        for camera in point.cameras
        for number in range(len(days))
    ]
    wanted = house.desk.scope(visitor.actor, IssueFilter(states=COUNTED, period=Interval(cuts[0], cuts[-1])))
    found = counts_by_day(house.database, wanted, cuts, house.desk.now()) if wanted else {}
    points = {point_id for point_id, _ in found if not filters.point or point_id in filters.point}
    ever = Catalogue(house.database).ever_judged() or bool(house.desk.queue.counts("state", IssueFilter()))
    return Standing(first, last, state_of(own, len(points)), part_out(own), ever)


def point_day(house: House, point: Point, camera_id: str, day: date) -> PointDayOut:
    """What of a camera was recorded and judged on a day, and why the rest was not."""
    camera = next(camera for camera in point.cameras if camera.id == camera_id)
    seen = _coverage(house, point, camera, day)
    if seen is None:
        facts, gaps, state = DayFacts(0.0, surveyed=False), [], DayState.NOT_SCANNED
    else:
        facts, state = seen.facts, seen.state
        gaps = [
            GapOut(
                start=local(house.settings, gap.interval.start),
                end=local(house.settings, gap.interval.end),
                reason=gap.reason,
                detail=gap.detail,
                fault=named(f"fault.{gap.detail}") if gap.detail in WORDS else None,
            )
            for gap in seen.gaps
        ]
    return PointDayOut(
        point=point.id,
        name=Names(en=point.name_en, zh=point.name),
        camera=camera_id,
        state=state,
        state_name=named(f"day.{state}"),
        part=part_out([facts]),
        recorded_h=facts.recorded_s / 3600,
        observed_h=facts.looked_s / 3600,
        gaps=gaps,
    )


def _coverage(house: House, point: Point, camera: Camera, day: date) -> DayCoverage | None:
    """From the catalogue, as the last scan left it: no folder is read for a page. None for a day to come."""
    whole, catalogue, now = (
        local_day(day, house.settings.timezone),
        Catalogue(house.database),
        house.desk.now(),
    )
    if whole.start >= now:
        return None
    period = Interval(whole.start, min(whole.end, now))
    survey = catalogue.surveys().get(camera.id)
    around = Interval(whole.start - USUAL, whole.end + USUAL)
    parts = catalogue.observed_parts(camera.id, period)
    covered = coverage(
        camera,
        point.id,
        period,
        Archive(
            tuple(catalogue.known_in(around).get(camera.id, ())),
            fault=survey.fault or None if survey else None,
        ),
        [part.observed for part in parts if part.observed],
        blind=[stretch for part in parts for stretch in part.blind],
        judged=catalogue.judged_parts(camera.id, period),
        surveyed_until=survey.until if survey and survey.until else whole.start,
        zone=house.settings.timezone,
        issues={day: _issues(house, point, whole)},
    )
    return covered.days[0]


def _issues(house: House, point: Point, whole: Interval) -> int:
    wanted = IssueFilter(states=COUNTED, points=(point.id,), period=whole)
    found = counts_by_day(house.database, wanted, [whole.start, whole.end], house.desk.now())
    return sum(counts.total() for counts in found.values())


def faulty_on(house: House, day: date) -> list[FaultyOut]:
    """The truncated, short, unusable and unreadable recordings of a day, point by point."""
    whole = local_day(day, house.settings.timezone)
    known = Catalogue(house.database).known_in(Interval(whole.start - USUAL, whole.end + USUAL))
    return [
        FaultyOut(
            point=point.id,
            name=Names(en=point.name_en, zh=point.name),
            camera=camera.id,
            path=one.recording.path,
            fault=one.fault,
            start=local(house.settings, one.recording.interval.start),
            end=local(house.settings, one.recording.interval.end),
            reason=one.recording.reason,
        )
        for point in house.settings.points
        for camera in point.cameras
        for one in faulty(known.get(camera.id, ()), whole)
    ]

"""The boards' figures: what a day, a point, thirty days of all points and the departments look like."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Literal

from detector.core.times import Interval, local_day
from detector.core.values import Category, Point, Violation
from detector.footage.archive import Archive
from detector.footage.calendar import DayShare, shares_by_day
from detector.footage.catalogue import Catalogue
from detector.footage.coverage import DayCoverage, coverage
from detector.issues import AttachmentKind, Issue, IssueFilter, IssueOrder, State
from detector.issues.calendar import DayCounts, counts_by_day
from detector.issues.values import AWAITING_ANSWER
from detector.judging.camera_fault import WORDS
from detector.people import Action
from detector.review.access import Visitor
from detector.review.house import House
from detector.review.models import Names
from detector.review.models_boards import (
    AttachmentOut,
    BoardOut,
    CalendarOut,
    CalendarRowOut,
    CardOut,
    CellOut,
    ColumnOut,
    DayOut,
    GapOut,
    PointDayOut,
    PointDetailOut,
    RecurrenceOut,
    RunOut,
)
from detector.review.views import category_name, evidence_path, issue_out, issues_out, local, named
from detector.runs.lease import Leases
from detector.runs.runs import Runs

RUNS_SHOWN = 7
NIGHTLY = "nightly"
"""The name of the lease that a nightly run holds."""
NOT_COUNTED = frozenset({State.REJECTED, State.MERGED, State.WITHDRAWN})
COUNTED = tuple(state for state in State if state not in NOT_COUNTED)
DONE = frozenset({State.CLOSED})
LESS_THAN_USUAL = 0.9
NOT_WHOLLY = 0.95
CARDS_MOST = 40
TROUBLE_MOST = 100
HOUR_S = 3600.0


def today_of(house: House) -> date:
    return house.desk.now().astimezone(house.settings.timezone).date()


def days_until(last: date, count: int) -> list[date]:
    """So many local days, the last of them `last`."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


def cuts_of(house: House, days: Sequence[date]) -> list[datetime]:
    """Where the days begin, and where the last of them ends."""
    zone = house.settings.timezone
    return [*(local_day(day, zone).start for day in days), local_day(days[-1], zone).end]


# The calendar


def calendar_of(
    house: House, visitor: Visitor, days: Sequence[date], category: Category | None
) -> CalendarOut:
    points = [p for p in house.settings.points if category in (None, p.category)]
    cuts = cuts_of(house, days)
    counts, shares = _counts(house, visitor, cuts), _shares(house, visitor, cuts)
    rows = [_row(house, point, days, counts, shares) for point in points]
    most = max((cell.issues for row in rows for cell in row.days), default=0)
    return CalendarOut(days=list(days), rows=rows, most=most)


def _counts(
    house: House,
    visitor: Visitor,
    cuts: Sequence[datetime],
    by: Literal["state", "violation"] = "state",
) -> DayCounts:
    wanted = house.desk.scope(visitor.actor, IssueFilter(states=COUNTED))
    return counts_by_day(house.database, wanted, cuts, house.desk.now(), by) if wanted else {}


def _shares(
    house: House, visitor: Visitor, cuts: Sequence[datetime]
) -> Mapping[tuple[str, int], DayShare] | None:
    """None for a department: it has no business with what is recorded elsewhere."""
    return None if visitor.actor.bound_to else shares_by_day(house.database, cuts)


def _row(
    house: House,
    point: Point,
    days: Sequence[date],
    counts: DayCounts,
    shares: Mapping[tuple[str, int], DayShare] | None,
) -> CalendarRowOut:
    cells = cells_of(house, point, days, counts, shares)
    return CalendarRowOut(
        point=point.id,
        name=Names(en=point.name_en, zh=point.name),
        category=point.category,
        issues=sum(cell.issues for cell in cells),
        days=cells,
    )


def cells_of(
    house: House,
    point: Point,
    days: Sequence[date],
    counts: DayCounts,
    shares: Mapping[tuple[str, int], DayShare] | None,
) -> list[CellOut]:
    """A camera that records some hours a day is not blamed for the rest: what is usual is what it usually has."""
    found = [[(shares or {}).get((c.id, n), DayShare()) for c in point.cameras] for n in range(len(days))]
    recorded = [sum(share.recorded_s for share in day) for day in found]
    observed = [sum(share.observed_s for share in day) for day in found]
    usual_s = statistics.median([s for s in recorded if s > 0] or [0.0])
    today = today_of(house)
    cells = []
    for number, day in enumerate(days):
        states = counts.get((point.id, number), Counter[str]())
        over = shares is not None and day < today
        short = recorded[number] < LESS_THAN_USUAL * usual_s
        unseen = observed[number] < NOT_WHOLLY * recorded[number]
        cells.append(
            CellOut(
                issues=states.total(),
                open=sum(count for state, count in states.items() if state not in DONE),
                recorded_h=recorded[number] / HOUR_S if shares is not None else None,
                observed_h=observed[number] / HOUR_S if shares is not None else None,
                gap=over and recorded[number] == 0,
                less=over and recorded[number] > 0 and (short or unseen),
            )
        )
    return cells


# A day


def day_of(house: House, visitor: Visitor, day: date) -> DayOut:
    cuts = cuts_of(house, [day])
    counts = _counts(house, visitor, cuts)
    shares = _shares(house, visitor, cuts) or {}
    states = sum(counts.values(), Counter[str]())
    violations = sum(_counts(house, visitor, cuts, "violation").values(), Counter[str]())
    points = house.settings.points
    seen = {c: s for (c, _), s in shares.items()}
    recorded = [p for p in points if any(seen.get(c.id, DayShare()).recorded_s > 0 for c in p.cameras)]
    observed = [p for p in points if any(seen.get(c.id, DayShare()).observed_s > 0 for c in p.cameras)]
    runs, running = ([], None) if visitor.actor.bound_to else runs_of(house)
    return DayOut(
        day=day,
        total=states.total(),
        states={State(state): count for state, count in states.items()},
        violations={Violation(kind): count for kind, count in violations.most_common()},
        points_with_issues=len({point for point, _ in counts}),
        points_recorded=len(recorded),
        points_observed=len(observed),
        points=len(points),
        recorded_h=sum(s.recorded_s for s in shares.values()) / HOUR_S,
        observed_h=sum(s.observed_s for s in shares.values()) / HOUR_S,
        trouble=[] if visitor.actor.bound_to else _trouble(house, day, seen),
        runs=runs,
        running=running,
    )


def runs_of(house: House) -> tuple[list[RunOut], str | None]:
    """The last nightly runs, and who runs now if anybody does."""
    leases, zone = Leases(house.database), house.settings.timezone
    runs = [
        RunOut(
            id=run.id,
            started_at=local(house.settings, run.started_at),
            finished_at=local(house.settings, run.finished_at) if run.finished_at else None,
            state=run.state,
            first=run.period.start.astimezone(zone).date(),
            last=(run.period.end - timedelta(seconds=1)).astimezone(zone).date(),
            summary=dict(run.summary),
        )
        for run in Runs(house.database, leases).latest(RUNS_SHOWN)
    ]
    return runs, leases.holder(NIGHTLY)


def _trouble(house: House, day: date, seen: Mapping[str, DayShare]) -> list[PointDayOut]:
    """The cameras of which nothing was recorded, or not all was observed."""
    found = []
    for point in house.settings.points:
        for camera in point.cameras:
            share = seen.get(camera.id, DayShare())
            if share.recorded_s == 0 or share.observed_s < NOT_WHOLLY * share.recorded_s:
                found.append((point, camera.id))
    return [point_day(house, point, camera_id, day) for point, camera_id in found[:TROUBLE_MOST]]


def point_day(house: House, point: Point, camera_id: str, day: date) -> PointDayOut:
    """What of a camera was recorded and observed on a day, and why the rest was not."""
    seen = _coverage(house, point, camera_id, day)
    return PointDayOut(
        point=point.id,
        name=Names(en=point.name_en, zh=point.name),
        camera=camera_id,
        recorded_h=seen.readable_s / HOUR_S,
        observed_h=seen.observed_s / HOUR_S,
        gaps=[
            GapOut(
                start=local(house.settings, gap.interval.start),
                end=local(house.settings, gap.interval.end),
                reason=gap.reason,
                detail=gap.detail,
                fault=named(f"fault.{gap.detail}") if gap.detail in WORDS else None,
            )
            for gap in seen.gaps
        ],
    )


def _coverage(house: House, point: Point, camera_id: str, day: date) -> DayCoverage:
    """From the catalogue, as the last scan left it: no folder is read for a page."""
    camera = next(camera for camera in point.cameras if camera.id == camera_id)
    period, catalogue = local_day(day, camera.timezone), Catalogue(house.database)
    around = Interval(period.start - timedelta(days=1), period.end + timedelta(days=1))
    known = [one for one in catalogue.known(camera.id).values() if one.interval.overlaps(around)]
    parts = catalogue.observed_parts(camera.id, period)
    observed = [part.observed for part in parts if part.observed]
    blind = [(b.interval, b.reason) for part in parts for b in part.blind]
    archive = Archive(tuple(sorted(known, key=lambda one: one.interval)))
    return coverage(camera, point.id, period, archive, observed, blind=blind).days[0]


# A point


def point_detail(
    house: House, visitor: Visitor, point: Point, days: Sequence[date], day: date | None
) -> PointDetailOut:
    """A point over some days; its issues and gaps those of `day` where one is chosen."""
    cuts = cuts_of(house, days)
    counts, shares = _counts(house, visitor, cuts), _shares(house, visitor, cuts)
    own = {key: value for key, value in counts.items() if key[0] == point.id}
    period = local_day(day, house.settings.timezone) if day else Interval(cuts[0], cuts[-1])
    wanted = house.desk.scope(visitor.actor, IssueFilter(points=(point.id,), period=period))
    whole = house.desk.scope(
        visitor.actor, IssueFilter(states=COUNTED, points=(point.id,), period=Interval(cuts[0], cuts[-1]))
    )
    found = house.desk.queue.find(wanted, order=IssueOrder.NEWEST, limit=50) if wanted else []
    chosen = [day] if day else []
    return PointDetailOut(
        id=point.id,
        name=Names(en=point.name_en, zh=point.name),
        category=point.category,
        category_name=category_name(point.category),
        grid=point.grid,
        cameras=[camera.id for camera in point.cameras],
        states={State(state): count for state, count in sum(own.values(), Counter[str]()).items()},
        days=cells_of(house, point, days, counts, shares),
        dates=list(days),
        recurrence=_recurrence(house, house.desk.queue.find(whole, limit=2000) if whole else []),
        issues=issues_out(house, found),
        total=_total(house, wanted),
        trouble=[]
        if visitor.actor.bound_to
        else [point_day(house, point, camera.id, one) for one in chosen for camera in point.cameras],
    )


def _recurrence(house: House, issues: Sequence[Issue]) -> list[RecurrenceOut]:
    counts = Counter((issue.violation, issue.zone_id) for issue in issues)
    last = {(issue.violation, issue.zone_id): issue.interval.start for issue in reversed(issues)}
    return [
        RecurrenceOut(
            violation=violation,
            violation_name=Names(
                en=house.settings.codes[violation].name_en, zh=house.settings.codes[violation].name
            ),
            zone=zone,
            count=count,
            last=local(house.settings, last[violation, zone]),
        )
        for (violation, zone), count in counts.most_common(8)
    ]


# The dispatch board


def board_of(house: House, visitor: Visitor, *, closed: bool = False) -> BoardOut:
    """What waits to be dispatched, and what is out, by department; the most urgent first."""
    columns = []
    if visitor.actor.bound_to is None:
        columns.append(_column(house, visitor, None, (State.CONFIRMED,)))
    states = (*AWAITING_ANSWER, State.RECTIFIED, *((State.CLOSED,) if closed else ()))
    columns += [
        _column(house, visitor, department, states)
        for department in house.settings.departments
        if visitor.actor.bound_to in (None, department)
    ]
    return BoardOut(
        columns=[one for one in columns if one.department is None or one.total or len(columns) == 1]
    )


def _column(house: House, visitor: Visitor, department: str | None, states: tuple[State, ...]) -> ColumnOut:
    now = house.desk.now()
    wanted = IssueFilter(states=states, departments=(department,) if department else ())
    own = house.desk.scope(visitor.actor, wanted)
    urgent = house.reader.urgent(own, CARDS_MOST) if own else []
    late = _total(house, replace(own, overdue=True)) if own else 0
    known = house.settings.departments.get(department or "")
    name = Names(en=known.name_en, zh=known.name) if known else named("board.to_dispatch")
    cards = [_card(house, visitor, issue, now) for issue in urgent]
    return ColumnOut(department=department, name=name, total=_total(house, own), overdue=late, cards=cards)


def _total(house: House, wanted: IssueFilter | None) -> int:
    return sum(house.desk.queue.counts("state", wanted).values()) if wanted else 0


def _card(house: House, visitor: Visitor, issue: Issue, now: datetime) -> CardOut:
    looks, unmasked = visitor.may(Action.LOOK), visitor.may(Action.LOOK_UNMASKED)
    settings, queue = house.settings, house.desk.queue
    history = queue.history(issue.id) if issue.dispatched_at else []
    answer = next((row.note for row in reversed(history) if row.move == "rectify"), None)
    back = next((row.reason for row in reversed(history) if row.move == "reopen"), None)
    attached = queue.attachments(issue.id) if unmasked and issue.dispatched_at else []
    return CardOut(
        issue=issue_out(house, issue),
        overdue=issue.is_overdue(now),
        dispatched_at=local(settings, issue.dispatched_at) if issue.dispatched_at else None,
        rectified_at=local(settings, issue.rectified_at) if issue.rectified_at else None,
        before=evidence_path(issue, issue.evidence_folder, "still_1_scene.jpg")
        if looks and issue.evidence_folder
        else None,
        after=[
            AttachmentOut(
                id=one.public_id,
                kind=one.kind,
                name=one.name,
                media_type=one.media_type,
                path=f"/api/v1/attachments/{one.public_id}",
                at=local(settings, one.at),
            )
            for one in reversed(attached)
            if one.kind is not AttachmentKind.BEFORE
        ],
        answer=answer,
        reason=back if issue.state is State.REOPENED else None,
    )

"""The boards' figures: what a day, a point, thirty days of all points and the departments look like."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from detector.core.times import Interval, local_day
from detector.core.values import Category, Point, Violation
from detector.footage.calendar import DayFactsOf
from detector.footage.daystate import DayState, combined, day_state, state_of
from detector.issues import AttachmentKind, Issue, IssueFilter, IssueOrder, State
from detector.issues.calendar import DayCounts, counts_by_day
from detector.issues.values import AWAITING_ANSWER, COUNTED, Attachment, HistoryRow
from detector.people import Action
from detector.review.access import Visitor
from detector.review.days import cuts_of, facts_of, faulty_on, part_out, point_day, today_of
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
DONE = frozenset({State.CLOSED})
LESS_THAN_USUAL = 0.9
CARDS_MOST = 40
TROUBLE_MOST = 100
HOUR_S = 3600.0
ALL_JUDGED = (DayState.NOTHING_FOUND, DayState.FOUND)


def days_until(last: date, count: int) -> list[date]:
    """So many local days, the last of them `last`."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


# The calendar


def calendar_of(
    house: House, visitor: Visitor, days: Sequence[date], category: Category | None
) -> CalendarOut:
    points = [p for p in house.settings.points if category in (None, p.category)]
    cuts = cuts_of(house, days)
    counts, facts = _counts(house, visitor, cuts), facts_of(house, visitor, cuts)
    rows = [_row(house, point, days, counts, facts) for point in points]
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


def _row(
    house: House,
    point: Point,
    days: Sequence[date],
    counts: DayCounts,
    facts: DayFactsOf | None,
) -> CalendarRowOut:
    cells = cells_of(house, point, days, counts, facts)
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
    facts: DayFactsOf | None,
) -> list[CellOut]:
    """A camera that records some hours a day is not blamed for the rest: what is usual is what it usually has."""
    if facts is None:
        return [_cell(counts.get((point.id, number), Counter())) for number in range(len(days))]
    found = [[facts[camera.id, number] for camera in point.cameras] for number in range(len(days))]
    recorded = [sum(one.recorded_s for one in day) for day in found]
    usual_s = statistics.median([s for s in recorded if s > 0] or [0.0])
    today = today_of(house)
    cells = []
    for number, day in enumerate(days):
        cell = _cell(counts.get((point.id, number), Counter()))
        state = state_of(found[number], cell.issues)
        short = recorded[number] < LESS_THAN_USUAL * usual_s
        wanting = state not in (*ALL_JUDGED, DayState.NOT_RECORDED)
        cells.append(
            cell.model_copy(
                update={
                    "recorded_h": recorded[number] / HOUR_S,
                    "observed_h": sum(one.looked_s for one in found[number]) / HOUR_S,
                    "gap": state is DayState.NOT_RECORDED,
                    "less": day < today and recorded[number] > 0 and (short or wanting),
                    "state": state if day <= today else None,
                    "state_name": named(f"day.{state}") if day <= today else None,
                }
            )
        )
    return cells


def _cell(states: Counter[str]) -> CellOut:
    """The issues of a point's day, without what is known of its recordings."""
    return CellOut(
        issues=states.total(),
        open=sum(count for state, count in states.items() if state not in DONE),
        recorded_h=None,
        observed_h=None,
        gap=False,
        less=False,
        state=None,
        state_name=None,
    )


# A day


def day_of(house: House, visitor: Visitor, day: date) -> DayOut:
    cuts = cuts_of(house, [day])
    counts = _counts(house, visitor, cuts)
    states = sum(counts.values(), Counter[str]())
    violations = sum(_counts(house, visitor, cuts, "violation").values(), Counter[str]())
    facts = facts_of(house, visitor, cuts)
    return DayOut(
        day=day,
        total=states.total(),
        states={State(state): count for state, count in states.items()},
        violations={Violation(kind): count for kind, count in violations.most_common()},
        points_with_issues=len({point for point, _ in counts}),
        points=len(house.settings.points),
        **(_unseen_by_departments() if facts is None else _recorded(house, day, facts, counts)),
    )


def _unseen_by_departments() -> dict[str, Any]:
    """In place of what is recorded and scanned, for whoever has no business with it."""
    hours = {"recorded_h": 0.0, "observed_h": 0.0}
    counts: dict[str, Any] = {"points_recorded": 0, "points_observed": 0, "point_states": {}}
    rest: dict[str, Any] = {"state": None, "part": None, "trouble": [], "faulty": [], "faulty_counts": {}}
    return {**hours, **counts, **rest, "runs": [], "running": None}


def _recorded(house: House, day: date, facts: DayFactsOf, counts: DayCounts) -> dict[str, Any]:
    """What of a day is recorded, scanned and judged, and what went wrong."""
    points = house.settings.points
    by_point = {p.id: [facts[camera.id, 0] for camera in p.cameras] for p in points}
    states = {
        id_: state_of(held, counts[id_, 0].total() if (id_, 0) in counts else 0)
        for id_, held in by_point.items()
    }
    whole = [one for held in by_point.values() for one in held]
    faults = faulty_on(house, day)
    runs, running = runs_of(house)
    return {
        "points_recorded": sum(any(one.recorded_s > 0 for one in held) for held in by_point.values()),
        "points_observed": sum(any(one.looked_s > 0 for one in held) for held in by_point.values()),
        "recorded_h": sum(one.recorded_s for one in whole) / HOUR_S,
        "observed_h": sum(one.looked_s for one in whole) / HOUR_S,
        "state": combined(states.values()),
        "point_states": {state: count for state in DayState if (count := list(states.values()).count(state))},
        "part": part_out(whole),
        "trouble": _trouble(house, day, facts),
        "faulty": faults[:TROUBLE_MOST],
        "faulty_counts": Counter(one.fault for one in faults),
        "runs": runs,
        "running": running,
    }


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


def _trouble(house: House, day: date, facts: DayFactsOf) -> list[PointDayOut]:
    """The cameras of which not all was recorded, scanned and judged."""
    wanting = [
        (point, camera.id)
        for point in house.settings.points
        for camera in point.cameras
        if day_state(facts[camera.id, 0]) not in ALL_JUDGED
    ]
    return [point_day(house, point, camera_id, day) for point, camera_id in wanting[:TROUBLE_MOST]]


# A point


def point_detail(
    house: House, visitor: Visitor, point: Point, days: Sequence[date], day: date | None
) -> PointDetailOut:
    """A point over some days; its issues and gaps those of `day` where one is chosen."""
    cuts = cuts_of(house, days)
    counts, facts = _counts(house, visitor, cuts), facts_of(house, visitor, cuts)
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
        days=cells_of(house, point, days, counts, facts),
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
    out = [issue.id for issue in urgent if issue.dispatched_at]
    histories, attached = house.desk.queue.histories(out), house.desk.queue.attachments_of(out)
    cards = [
        _card(house, visitor, issue, now, histories.get(issue.id, []), attached.get(issue.id, []))
        for issue in urgent
    ]
    return ColumnOut(department=department, name=name, total=_total(house, own), overdue=late, cards=cards)


def _total(house: House, wanted: IssueFilter | None) -> int:
    return sum(house.desk.queue.counts("state", wanted).values()) if wanted else 0


def _card(
    house: House,
    visitor: Visitor,
    issue: Issue,
    now: datetime,
    history: Sequence[HistoryRow],
    attached: Sequence[Attachment],
) -> CardOut:
    looks, unmasked = visitor.may(Action.LOOK), visitor.may(Action.LOOK_UNMASKED)
    settings = house.settings
    answer = next((row.note for row in reversed(history) if row.move == "rectify"), None)
    back = next((row.reason for row in reversed(history) if row.move == "reopen"), None)
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
            for one in reversed(attached if unmasked else [])
            if one.kind is not AttachmentKind.BEFORE
        ],
        answer=answer,
        reason=back if issue.state is State.REOPENED else None,
    )

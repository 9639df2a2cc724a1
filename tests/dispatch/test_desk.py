"""The desk: who may, whose issue it is, and the loop from dispatch to acceptance, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from clock_fixture import Clock
from desk_made import (
    ADMIN,
    DISPATCHER,
    LITTER,
    REVIEWER,
    SHANGHAI,
    TRAFFIC,
    URBAN,
    VIEWER,
    confirmed,
    dispatched,
    flagged,
)  # fmt: skip
from made_issues import file, incident
from sqlalchemy import update

from detector.core.errors import BadConfig, BadInput
from detector.core.values import Category
from detector.database import Database, schema
from detector.dispatch import Desk, Upload
from detector.issues import (
    IllegalMove,
    IssueFilter,
    IssueOrder,
    LinkKind,
    ReasonNeeded,
    State,
    SuspectedDuplicate,
    UnknownIssue,
)
from detector.people import Looked, NotAllowed

pytest_plugins = ["database_fixture", "desk_fixture"]

JPEG = b"\xff\xd8\xff\xe0 made for the test"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


# Who may


def test_nobody_does_what_the_table_does_not_allow(desk: Desk) -> None:
    number = dispatched(desk)
    refused: list[Callable[[], object]] = [
        lambda: desk.confirm(VIEWER, number),
        lambda: desk.reject(TRAFFIC, number, "duplicate"),
        lambda: desk.claim(TRAFFIC, number),
        lambda: desk.dispatch(REVIEWER, [number]),
        lambda: desk.rectify(REVIEWER, number, "done"),
        lambda: desk.close(TRAFFIC, number),
        lambda: desk.reopen(REVIEWER, number, "no"),
        lambda: desk.merge(TRAFFIC, number, 1, "same"),
        lambda: desk.withdraw(VIEWER, number, "no"),
        lambda: desk.recall(REVIEWER, number, "no"),
        lambda: desk.remind(VIEWER),
        lambda: desk.export(VIEWER, "ledger.xlsx"),
        lambda: desk.look(VIEWER, number, "clip.mp4", masked=False),
    ]
    for ask in refused:
        with pytest.raises(NotAllowed):
            ask()
    assert desk.get(VIEWER, number).version == 3


def test_a_department_sees_what_it_leads_or_assists_and_nothing_else_exists(desk: Desk) -> None:
    crossing = dispatched(desk)
    litter = dispatched(desk, **LITTER)
    waiting = confirmed(desk, camera_id="p026")
    assert [issue.id for issue in desk.find(TRAFFIC)] == [crossing]
    assert [issue.id for issue in desk.find(URBAN)] == [crossing], "it assists at crossings"
    assert desk.find(URBAN, IssueFilter(departments=("traffic_police",))) == []
    assert desk.counts(TRAFFIC, "state") == {"dispatched": 1}
    for number in (litter, waiting):
        for ask in (desk.get, desk.history, desk.evidence, desk.attachments, desk.links):
            with pytest.raises(UnknownIssue):
                ask(TRAFFIC, number)
        with pytest.raises(UnknownIssue):
            desk.rectify(TRAFFIC, number, "done")
        with pytest.raises(UnknownIssue):
            desk.by_public_id(TRAFFIC, desk.get(ADMIN, number).public_id)
    assert {order.department for order in desk.orders(TRAFFIC)} == {"traffic_police"}
    assert len(desk.orders(ADMIN)) == 2


def test_who_assists_sees_and_the_lead_answers(desk: Desk) -> None:
    number = dispatched(desk)
    with pytest.raises(NotAllowed, match="answered by its lead, traffic_police"):
        desk.rectify(URBAN, number, "done")
    assert desk.rectify(TRAFFIC, number, "已劝离").state is State.RECTIFIED


def test_looks_and_exports_are_told_by_the_log(desk: Desk) -> None:
    number = dispatched(desk)
    desk.look(TRAFFIC, number, "clip.mp4", masked=False)
    exported = desk.export(TRAFFIC, "ledger.xlsx")
    told = [(row.who, row.what, row.issue_id, row.file) for row in desk.log.find()]
    assert told == [
        ("zhou", Looked.EXPORT, None, "ledger.xlsx"),
        ("zhou", Looked.FOOTAGE, number, "clip.mp4"),
    ]
    assert [issue.id for issue in exported] == [number]


# Dispatch


def test_dispatch_goes_by_the_tables_and_tells_the_grid(desk: Desk) -> None:
    car, litter = confirmed(desk), confirmed(desk, **LITTER)
    orders = desk.dispatch(DISPATCHER, [litter, car], note="请尽快")
    assert [(o.number, o.department, o.issue_ids) for o in orders] == [
        ("JB-20260108-001", "housing_construction", (litter,)),
        ("JB-20260108-002", "traffic_police", (car,)),
    ]
    issue = desk.get(ADMIN, car)
    assert (issue.state, issue.department, issue.assisting) == (
        State.DISPATCHED, "traffic_police", ("urban_management",),
    )  # fmt: skip
    assert (issue.grid, issue.order_id) == (desk.settings.point("p025").grid, orders[1].id)
    assert issue.due_at == at("2026-01-08 12:00"), "two working hours"
    assert desk.get(ADMIN, litter).due_at == at("2026-01-08 16:00"), "four, over noon"
    assert desk.order(TRAFFIC, "JB-20260108-002").issue_ids == (car,)
    with pytest.raises(BadInput, match="no order"):
        desk.order(TRAFFIC, "JB-20260108-001")
    assert desk.queue.verify() == []


def test_all_are_dispatched_or_none(desk: Desk) -> None:
    ready, not_yet = confirmed(desk), flagged(desk, 100, 110)
    with pytest.raises(IllegalMove):
        desk.dispatch(DISPATCHER, [ready, not_yet])
    assert desk.get(ADMIN, ready).state is State.CONFIRMED
    assert desk.orders(ADMIN) == []
    with pytest.raises(BadInput, match="no department 'nobody'"):
        desk.dispatch(DISPATCHER, [ready], department="nobody")
    with pytest.raises(BadInput, match="after now"):
        desk.dispatch(DISPATCHER, [ready], due_at=at("2026-01-08 09:00"))


def test_another_department_and_deadline_may_be_chosen_and_taken_back(desk: Desk) -> None:
    number = confirmed(desk)
    desk.dispatch(DISPATCHER, [number], department="grid", due_at=at("2026-01-20 12:00"))
    issue = desk.get(ADMIN, number)
    assert (issue.department, issue.assisting, issue.due_at) == ("grid", (), at("2026-01-20 12:00"))
    desk.recall(DISPATCHER, number, "not theirs")
    assert desk.get(ADMIN, number).department is None
    (again,) = desk.dispatch(DISPATCHER, [number])
    assert (again.number, again.department) == ("JB-20260108-002", "traffic_police")
    assert desk.queue.verify() == []


def test_a_deadline_in_a_year_that_the_calendar_does_not_know_is_told(desk: Desk, clock: Clock) -> None:
    number = confirmed(desk, **LITTER)
    clock.at = at("2026-12-31 16:00")
    (forecast,) = desk.forecast(DISPATCHER, [number])
    assert "no holidays of 2027" in (forecast.warning or "")


# Duplicates


def two_cameras(desk: Desk) -> tuple[int, int]:
    """One car at p025, seen by two of its cameras."""
    first = confirmed(desk, 0, 10)
    other = {"camera_id": "p025-b", "box": (0.6, 0.4, 0.8, 0.6)}
    second = flagged(desk, 0.5, 10.5, **other, point_id="p025")
    desk.confirm(REVIEWER, second)
    return first, second


def test_one_car_in_two_cameras_gets_one_order(desk: Desk) -> None:
    first, second = two_cameras(desk)
    (link,) = desk.links(ADMIN, first)
    assert (link.issue_id, link.other_id, link.kind) == (second, first, LinkKind.DUPLICATE)
    with pytest.raises(SuspectedDuplicate):
        desk.dispatch(DISPATCHER, [first, second])
    desk.dispatch(DISPATCHER, [first])
    with pytest.raises(SuspectedDuplicate, match="merge them, tell them apart"):
        desk.dispatch(DISPATCHER, [second])
    assert desk.merge(REVIEWER, second, first, "same car").merged_into == first
    assert [link.kind for link in desk.links(ADMIN, first)] == [LinkKind.DUPLICATE, LinkKind.MERGED]
    assert desk.find(ADMIN, IssueFilter(merged=False)) == [desk.get(ADMIN, first)]
    assert len(desk.orders(ADMIN)) == 1
    assert desk.queue.verify() == []


def test_two_that_were_told_apart_and_two_that_must_both_go_out_do(desk: Desk) -> None:
    first, second = two_cameras(desk)
    desk.tell_apart(REVIEWER, second, first)
    assert desk.queue.suspected([first]) == []
    assert len(desk.dispatch(DISPATCHER, [first, second])) == 1
    third = confirmed(desk, 0, 10, camera_id="p025-c", point_id="p025")
    desk.dispatch(DISPATCHER, [third], duplicates_because="two vans of one firm")
    assert desk.history(ADMIN, third)[-1].reason == "two vans of one firm"


def test_cars_that_come_at_other_times_are_no_suspects(desk: Desk) -> None:
    for number, later in enumerate((0, 1, 5)):  # minutes
        file(
            desk.queue,
            incident(later, 10 + later, camera_id=f"p025-{number}", point_id="p025"),
            start_uncertainty_s=2.0,
            end_uncertainty_s=2.0,
        )
    assert desk.queue.suspected([1, 2, 3]) == [(2, 1)]


@pytest.mark.parametrize("bad", ["itself", "other point", "rejected"])
def test_a_merge_that_makes_no_sense_is_refused(desk: Desk, bad: str) -> None:
    number = confirmed(desk)
    into = {
        "itself": lambda: number,
        "other point": lambda: confirmed(desk, camera_id="p026"),
        "rejected": lambda: flagged(desk, 100, 110),
    }[bad]()
    if bad == "rejected":
        desk.reject(REVIEWER, into, "duplicate")
    with pytest.raises(BadInput):
        desk.merge(REVIEWER, number, into, "same")
    assert desk.get(ADMIN, number).state is State.CONFIRMED


def test_what_happened_here_before_is_counted(desk: Desk) -> None:
    earlier = [confirmed(desk, -1440 * days, -1440 * days + 10) for days in (40, 20, 3)]
    desk.reject(REVIEWER, flagged(desk, -60, -50), "duplicate")
    number = dispatched(desk)
    assert [one.id for one in desk.earlier_here(ADMIN, number)] == [earlier[2], earlier[1]]
    assert desk.get(ADMIN, number).recurrence == 2


# Answers and acceptance


def test_an_answer_has_words_and_pictures_and_is_closed_or_sent_back(desk: Desk, clock: Clock) -> None:
    number = dispatched(desk)
    with pytest.raises(ReasonNeeded):
        desk.rectify(TRAFFIC, number, " ")
    with pytest.raises(BadInput, match="neither a JPEG"):
        desk.rectify(TRAFFIC, number, "done", files=[Upload("a.exe", b"MZ")])
    desk.rectify(TRAFFIC, number, "已劝离", files=[Upload("现场.jpg", JPEG)])
    (file,) = desk.attachments(TRAFFIC, number)
    assert (file.name, file.media_type, file.kind) == ("现场.jpg", "image/jpeg", "answer")
    found, path = desk.attached(TRAFFIC, file.public_id)
    assert (found, path.read_bytes(), desk.files.fault(file)) == (file, JPEG, None)
    clock.at = at("2026-01-08 11:00")
    desk.reopen(DISPATCHER, number, "still there")
    issue = desk.get(ADMIN, number)
    assert (issue.state, issue.due_at, issue.rectified_at) == (
        State.REOPENED,
        at("2026-01-08 14:30") + timedelta(minutes=30),
        None,
    )
    desk.rectify(TRAFFIC, number, "这次真的走了")
    assert desk.close(DISPATCHER, number).closed_at == clock.at
    assert desk.get(ADMIN, number).version == 1 + len(
        ["confirm", "dispatch", "rectify", "reopen", "rectify", "close"]
    )
    assert desk.queue.verify() == []


def test_a_changed_attachment_and_a_changed_deadline_are_found(desk: Desk, database: Database) -> None:
    number = dispatched(desk)
    desk.rectify(TRAFFIC, number, "done", files=[Upload("a.jpg", JPEG)])
    (file,) = desk.attachments(ADMIN, number)
    desk.files.path(file).write_bytes(b"\xff\xd8\xff something else")
    assert "hash does not fit" in (desk.files.fault(file) or "")
    with database.begin() as connection:
        connection.execute(update(schema.issues).values(due_at=at("2026-02-01 12:00")))
        connection.execute(update(schema.attachments).values(name="b.jpg"))
    assert [fault.split(":")[1].split()[0] for fault in desk.queue.verify()] == [
        "its",
        "attachment",
        "attachment",
    ]


def table(folder: Path, text: str, encoding: str = "utf-8-sig") -> Path:
    path = folder / "answers.csv"
    path.write_bytes(text.encode(encoding))
    (folder / "p.jpg").write_bytes(JPEG)
    return path


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_table_of_answers_is_taken_in_once(desk: Desk, tmp_path: Path, encoding: str) -> None:
    first, second = dispatched(desk), dispatched(desk, 100, 110, camera_id="p026")
    text = f"问题编号,整改情况,备注,整改照片\n{first},已劝离,x,p.jpg；p.jpg\n{second},已拖移,,\n,,,\n"
    answers = table(tmp_path, text, encoding)
    assert desk.answer_all(TRAFFIC, answers) == ([first, second], [])
    before = desk.find(ADMIN)
    assert desk.answer_all(TRAFFIC, answers) == ([], [first, second])
    assert desk.find(ADMIN) == before
    assert [row.note for row in desk.history(ADMIN, first)][-1] == "已劝离"
    assert len(desk.attachments(ADMIN, first)) == 2
    assert desk.queue.verify() == []


def test_every_fault_of_a_table_is_told_and_nothing_is_taken_in(desk: Desk, tmp_path: Path) -> None:
    good, litter = dispatched(desk), dispatched(desk, **LITTER)
    done = dispatched(desk, 100, 110, camera_id="p026")
    desk.rectify(TRAFFIC, done, "done")
    lines = [
        f"{good},ok,p.jpg",
        f"{litter},ok,",
        f"{done},again,",
        "x,ok,",
        f"{good},,",
        f"{good},twice,../q.jpg",
    ]
    answers = table(tmp_path, "issue,answer,photos\n" + "\n".join(lines))
    with pytest.raises(BadConfig) as caught:
        desk.answer_all(TRAFFIC, answers)
    told = [f"{fault.place}: {fault.what}" for fault in caught.value.faults]
    assert told == [
        f"line 3: there is no issue {litter}",
        "line 4: an issue that is rectified cannot rectify; only one that is dispatched or reopened",
        "line 5: 'x' is no issue's number",
        "line 6: says nothing of what was done",
        "line 7: ../q.jpg lies outside the table's folder",
    ]
    assert desk.get(ADMIN, good).state is State.DISPATCHED
    assert desk.attachments(ADMIN, good) == []


# Reminders


def test_reminders_go_out_once_before_at_and_after_the_deadline(desk: Desk, clock: Clock) -> None:
    number = dispatched(desk, **LITTER)  # due at 16:00
    told = {}
    for moment in ("14:00", "15:00", "15:30", "16:00", "16:30", "17:00", "17:30"):
        clock.at = at(f"2026-01-08 {moment}")
        told[moment] = [(r.kind, r.to) for r in desk.remind(DISPATCHER)]
    assert {moment: sent for moment, sent in told.items() if sent} == {
        "15:00": [("before 1 h", "housing_construction")],
        "16:00": [("overdue", "housing_construction")],
        "17:00": [("escalate 1 h", "grid")],
    }
    assert desk.find(ADMIN, IssueFilter(overdue=True)) == [desk.get(ADMIN, number)]
    clock.at = at("2026-01-09 16:50")
    assert desk.remind(DISPATCHER) == [], "an hour and a half on Thursday, not yet six and a half on Friday"
    clock.at = at("2026-01-10 12:00")
    assert [(r.kind, r.to) for r in desk.remind(DISPATCHER)] == [("escalate 8 h", "grid")]
    moves = [event.move for event in desk.queue.events_after(0) if event.issue_id == number]
    assert moves == ["filed", "confirm", "dispatch", "remind", "remind", "escalate", "escalate"]
    assert desk.queue.verify() == []


def test_a_point_that_is_no_longer_configured_keeps_nobody_from_being_reminded(
    desk: Desk, database: Database, clock: Clock
) -> None:
    gone, litter = dispatched(desk), dispatched(desk, **LITTER)
    left = tuple(point for point in desk.settings.points if point.id != desk.get(ADMIN, gone).point_id)
    later = Desk(database, replace(desk.settings, points=left), clock)
    clock.at = at("2026-01-08 20:00")
    assert {reminder.issue_id for reminder in later.remind(DISPATCHER)} == {gone, litter}


# Lists


def test_pages_by_key_show_every_issue_once(desk: Desk) -> None:
    numbers = [flagged(desk, start, start + 5) for start in (0, 100, 200, 300, 300)]
    flagged(desk, 100, 105, camera_id="p026")
    for order in (IssueOrder.NEWEST, IssueOrder.OLDEST):
        seen: list[int] = []
        after = None
        while page := desk.find(ADMIN, IssueFilter(after=after), order=order, limit=2):
            seen += [issue.id for issue in page]
            after = (page[-1].interval.start, page[-1].id)
        assert seen == [issue.id for issue in desk.find(ADMIN, order=order)]
        assert sorted(seen) == [*sorted(set(numbers)), max(numbers) + 1]


def test_lists_are_filtered_by_category_certainty_and_deadline(desk: Desk, clock: Clock) -> None:
    car, litter = dispatched(desk), dispatched(desk, **LITTER)
    crossings = IssueFilter(points=desk.points_of(Category.INTERSECTION))
    assert [issue.id for issue in desk.find(ADMIN, crossings)] == [car]
    assert desk.counts(ADMIN, "department") == {"housing_construction": 1, "traffic_police": 1}
    assert desk.find(ADMIN, IssueFilter(confidence=(0.9, 1.0))) == []
    due = IssueFilter(due_before=at("2026-01-08 13:00"))
    assert [issue.id for issue in desk.find(ADMIN, due)] == [car]
    (order, _) = desk.orders(ADMIN)
    assert [issue.id for issue in desk.find(ADMIN, IssueFilter(order_id=order.id))] == [litter]

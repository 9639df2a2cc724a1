"""The contract of the queue, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made_issues import CAR, NOON, evidence_of, file, incident, moment
from sqlalchemy import delete, insert, text, update

from detector.core.errors import BadInput
from detector.core.times import Interval
from detector.core.values import EvidenceFile, Violation
from detector.database import Database, schema
from detector.issues import (
    AttachmentKind,
    ClaimedByOther,
    IllegalMove,
    IssueFilter,
    IssueOrder,
    IssueQueue,
    NewAttachment,
    Outcome,
    QueueRefusal,
    ReasonNeeded,
    StaleIssue,
    State,
    UnknownIssue,
)
from detector.issues.reading import DeckOrder, IssueReader

pytest_plugins = ["database_fixture"]

BESIDE = (0.6, 0.4, 0.8, 0.6)
"""Another place of the same zone."""


class Clock:
    """Goes only when told to."""

    def __init__(self) -> None:
        self.at = NOON + timedelta(hours=12)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(database: Database, clock: Clock) -> IssueQueue:
    return IssueQueue(database, clock)


# Filing


def test_a_new_incident_becomes_a_flagged_issue_with_its_evidence_and_history(queue: IssueQueue) -> None:
    filed = file(queue, incident())
    issue = queue.get(filed.issue_id)
    assert filed.outcome == "new"
    assert (issue.state, issue.version, issue.interval) == (State.FLAGGED, 1, incident().interval)
    assert (issue.box, issue.zone_id, issue.violation) == (CAR, "kerb", Violation.ILLEGAL_PARKING)
    assert [(row.folder, row.name) for row in queue.evidence(issue.id)] == [
        (issue.evidence_folder, "manifest.json"), (issue.evidence_folder, "scene-1.jpg"),
    ]  # fmt: skip
    (row,) = queue.history(issue.id)
    assert (row.move, row.from_state, row.to_state, row.who) == ("filed", None, State.FLAGGED, "kerbwatch")
    assert queue.verify() == []


def test_filing_twice_adds_nothing(queue: IssueQueue) -> None:
    first = file(queue, incident())
    before = (queue.get(first.issue_id), queue.history(first.issue_id), queue.evidence(first.issue_id))
    again = file(queue, incident())
    assert (again.issue_id, again.outcome) == (first.issue_id, "known")
    assert (
        queue.get(first.issue_id),
        queue.history(first.issue_id),
        queue.evidence(first.issue_id),
    ) == before
    assert len(queue.find()) == 1


def test_the_same_stay_seen_again_extends_the_issue(queue: IssueQueue) -> None:
    first = file(queue, incident(0, 10))
    moved_a_little = (0.21, 0.4, 0.41, 0.6)
    second = file(queue, incident(15, 40, box=moved_a_little))
    issue = queue.get(first.issue_id)
    assert (second.issue_id, second.outcome) == (first.issue_id, "extended")
    assert issue.interval == Interval(moment(0), moment(40))
    assert issue.version == 2
    assert [row.move for row in queue.history(issue.id)] == ["filed", "extended"]
    assert len({row.folder for row in queue.evidence(issue.id)}) == 2
    assert queue.verify() == []
    assert file(queue, incident(15, 40, box=moved_a_little)).outcome == "known"


def test_an_issue_that_covers_the_incident_is_left_as_it_is(queue: IssueQueue) -> None:
    first = file(queue, incident(0, 60))
    before = queue.get(first.issue_id)
    assert file(queue, incident(20, 30)).outcome == "known"
    assert queue.get(first.issue_id) == before
    assert len(queue.history(first.issue_id)) == 1


def test_a_suspicion_that_was_found_to_last_longer_extends_its_issue(queue: IssueQueue) -> None:
    first = file(queue, incident(0, 10), key="before midnight")
    longer = incident(0, 30)
    assert longer.fingerprint == incident(0, 10).fingerprint
    assert file(queue, longer, key="the whole of it").outcome == "extended"
    assert queue.get(first.issue_id).explanation == "parked for 1800 s"
    assert queue.verify() == []


def test_a_folder_of_evidence_that_was_made_anew_replaces_the_old_files(queue: IssueQueue) -> None:
    short, long = incident(0, 10), incident(0, 30)
    changed = tuple(replace(each, sha256="f" * 64) for each in evidence_of(short).files)
    told = {
        "explanation": "", "explanation_zh": "", "model_id": "", "rules_version": "", "start_uncertainty_s": 0.0,
        "end_uncertainty_s": 0.0,
    }  # fmt: skip
    queue.file(short, evidence_of(short), verdict_key="1", **told)
    filed = queue.file(long, replace(evidence_of(short), files=changed), verdict_key="2", **told)
    assert [row.sha256 for row in queue.evidence(filed.issue_id)] == ["f" * 64] * 2
    assert queue.verify() == []


@pytest.mark.parametrize(
    "other",
    [
        incident(0, 10, camera_id="p018"),
        incident(0, 10, zone_id="crossing"),
        incident(0, 10, violation=Violation.SIDEWALK_PARKING),
        incident(0, 10, box=BESIDE),
        incident(20.1, 30),
    ],
    ids=["camera", "zone", "violation", "place", "after the gap"],
)
def test_what_differs_is_another_issue(queue: IssueQueue, other: object) -> None:
    file(queue, incident(0, 10))
    assert file(queue, other).outcome == "new"


def test_a_fault_of_a_camera_is_matched_by_time_alone(queue: IssueQueue) -> None:
    def fault(start: float, end: float) -> object:
        return incident(start, end, zone_id=None, box=None, violation=Violation.CAMERA_FAULT)

    assert [file(queue, each).outcome for each in (fault(0, 10), fault(12, 20), fault(40, 50))] == [
        "new", "extended", "new",
    ]  # fmt: skip


def test_two_cars_one_after_the_other_in_one_place_are_two_issues(queue: IssueQueue) -> None:
    seen_to_leave = file(queue, incident(0, 10), end_uncertainty_s=1.0)
    seen_to_come = file(queue, incident(11, 30), start_uncertainty_s=1.0)
    goes_on = file(queue, incident(31, 40))
    assert seen_to_come.issue_id != seen_to_leave.issue_id
    assert goes_on.issue_id == seen_to_come.issue_id


def test_a_stay_that_goes_on_after_its_rejection_is_not_flagged_again(queue: IssueQueue) -> None:
    filed = file(queue, incident(0, 10))
    queue.reject(filed.issue_id, "li", "permitted_activity")
    assert file(queue, incident(10, 60)).issue_id == filed.issue_id
    assert queue.get(filed.issue_id).state is State.REJECTED


def test_when_an_object_arrived_may_be_unknown(queue: IssueQueue) -> None:
    filed = file(queue, incident(), start_uncertainty_s=math.inf)
    assert queue.get(filed.issue_id).start_uncertainty_s == math.inf
    assert (
        json.loads(json.dumps(queue.get(filed.issue_id).to_json(), allow_nan=False))["start_uncertainty_s"]
        is None
    )
    file(queue, incident(-5, 0), start_uncertainty_s=2.0)
    assert queue.get(filed.issue_id).start_uncertainty_s == 2.0
    assert queue.verify() == []


minutes = st.integers(0, 40)
stretches = st.tuples(minutes, st.integers(1, 40)).map(lambda ends: (ends[0], ends[0] + ends[1]))
cameras = itertools.count()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(a=stretches, b=stretches)
@example(a=(0, 10), b=(0, 20))
@example(a=(0, 10), b=(20, 30))
def test_two_incidents_give_the_same_intervals_in_either_order(
    queue: IssueQueue, a: tuple[int, int], b: tuple[int, int]
) -> None:
    def intervals_after(*order: tuple[int, int]) -> list[Interval]:
        camera = f"camera {next(cameras)}"
        for stretch in order:
            file(queue, incident(*stretch, camera_id=camera))
        issues = queue.find(IssueFilter(cameras=(camera,)))
        assert all(issue.version == len(queue.history(issue.id)) for issue in issues)
        return sorted(issue.interval for issue in issues)

    assert intervals_after(a, b) == intervals_after(b, a) == intervals_after(a, b, a, b)


def test_nothing_of_a_filing_stays_when_its_last_step_fails(queue: IssueQueue, database: Database) -> None:
    twice = EvidenceFile("scene-1.jpg", "0" * 64, 1)
    broken = replace(evidence_of(incident()), files=(twice, twice))
    with pytest.raises(Exception, match=r"(?i)unique"):
        queue.file(
            incident(), broken, explanation="", explanation_zh="", model_id="", rules_version="", verdict_key="k",
            start_uncertainty_s=0, end_uncertainty_s=0,
        )  # fmt: skip
    assert queue.find() == []
    assert queue.verdicts("p017", incident().interval) == {}
    assert queue.verify() == []


# Verdicts


def test_verdicts_are_remembered_by_camera_and_period(queue: IssueQueue) -> None:
    filed = file(queue, incident(0, 10), key="proven")
    queue.drop(incident(60, 70, box=BESIDE), verdict_key="dropped", reason="different cars")
    queue.drop(incident(0, 10, camera_id="p018"), verdict_key="elsewhere", reason="different cars")
    found = queue.verdicts("p017", Interval(moment(0), moment(120)))
    assert {key: (v.outcome, v.reason, v.issue_id) for key, v in found.items()} == {
        "proven": (Outcome.PROVEN, "", filed.issue_id),
        "dropped": (Outcome.DROPPED, "different cars", None),
    }
    assert set(queue.verdicts("p017", Interval(moment(10), moment(61)))) == {"dropped"}
    assert found["dropped"].interval == incident(60, 70).interval


def test_the_first_drop_stands_and_a_proof_goes_before_any_drop(queue: IssueQueue) -> None:
    queue.drop(incident(), verdict_key="k", reason="first")
    queue.drop(incident(), verdict_key="k", reason="second")
    assert queue.verdicts("p017", incident().interval)["k"].reason == "first"
    file(queue, incident(), key="k")
    queue.drop(incident(), verdict_key="k", reason="third")
    assert queue.verdicts("p017", incident().interval)["k"].outcome is Outcome.PROVEN


def test_an_incident_that_was_joined_is_known_under_new_rules_too(queue: IssueQueue) -> None:
    first = file(queue, incident(0, 10))
    file(queue, incident(12, 20), key="rules 1")
    again = file(queue, incident(12, 20), key="rules 2")
    assert (again.issue_id, again.outcome) == (first.issue_id, "known")
    assert {"rules 1", "rules 2"} <= queue.verdicts("p017", Interval(moment(0), moment(60))).keys()


# Review


def test_a_decision_moves_the_issue_and_leaves_a_row(queue: IssueQueue, clock: Clock) -> None:
    filed = file(queue, incident())
    picture = NewAttachment(AttachmentKind.NOTE, "phone.jpg", "image/jpeg", "a" * 64, 12)
    moved = queue.move(
        filed.issue_id, "confirm", "li", note="现场核实", seen_version=1, attachments=[picture]
    )
    assert moved == queue.get(filed.issue_id)
    assert (moved.state, moved.version) == (State.CONFIRMED, 2)
    row = queue.history(filed.issue_id)[-1]
    assert (row.who, row.at, row.move, row.note) == ("li", clock.at, "confirm", "现场核实")
    assert row.details == {"attachments": [["phone.jpg", "a" * 64, 12]]}
    (attached,) = queue.attachments(filed.issue_id)
    assert (attached.name, attached.version, attached.who) == ("phone.jpg", 2, "li")
    assert queue.attachment(attached.public_id) == attached
    assert queue.verify() == []


def test_an_issue_goes_through_the_whole_loop(queue: IssueQueue) -> None:
    filed = file(queue, incident())
    for move in ("confirm", "dispatch", "rectify", "reopen", "rectify", "close"):
        queue.move(
            filed.issue_id, move, "li", reason="still there" if move == "reopen" else None, note="swept"
        )
    issue = queue.get(filed.issue_id)
    assert issue.state is State.CLOSED
    assert issue.version == 1 + 6 == len(queue.history(filed.issue_id))
    assert queue.verify() == []


def test_a_decision_on_what_has_moved_since_is_refused(queue: IssueQueue) -> None:
    filed = file(queue, incident(0, 10))
    file(queue, incident(10, 20))
    with pytest.raises(StaleIssue):
        queue.confirm(filed.issue_id, "li", seen_version=1)
    assert queue.confirm(filed.issue_id, "li", seen_version=2).state is State.CONFIRMED


def test_a_refused_move_changes_nothing(queue: IssueQueue) -> None:
    filed = file(queue, incident())
    before = queue.get(filed.issue_id)
    refused: list[tuple[type[QueueRefusal], Callable[[], object]]] = [
        (IllegalMove, lambda: queue.move(filed.issue_id, "close", "li")),
        (IllegalMove, lambda: queue.move(filed.issue_id, "conform", "li")),
        (ReasonNeeded, lambda: queue.reject(filed.issue_id, "li", "")),
        (ReasonNeeded, lambda: queue.reject(filed.issue_id, "li", "other", note="  ")),
    ]
    for kind, call in refused:
        with pytest.raises(kind) as caught:
            call()
        assert caught.value.exit_code == 2
    assert queue.get(filed.issue_id) == before


@pytest.mark.parametrize("issue_id", [0, -1, 7, 10**30])
def test_an_issue_that_is_not_there_is_unknown_to_every_call(queue: IssueQueue, issue_id: int) -> None:
    calls: list[Callable[[int], object]] = [
        queue.get, queue.history, queue.evidence, lambda i: queue.claim(i, "li"), lambda i: queue.release(i, "li"),
        lambda i: queue.confirm(i, "li"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(UnknownIssue):
            call(issue_id)


@pytest.mark.parametrize("who", ["", "  ", "li\x00", "\udcff"])
def test_a_name_that_no_database_can_keep_is_bad_input(queue: IssueQueue, who: str) -> None:
    filed = file(queue, incident())
    with pytest.raises(BadInput):
        queue.claim(filed.issue_id, who)
    with pytest.raises(BadInput):
        queue.confirm(filed.issue_id, who)


def test_a_claim_keeps_others_out_until_it_runs_out(queue: IssueQueue, clock: Clock) -> None:
    filed = file(queue, incident())
    claimed = queue.claim(filed.issue_id, "li", lease_s=60)
    assert claimed == queue.get(filed.issue_id)
    assert (claimed.claimed_by, claimed.claimed_until, claimed.version) == (
        "li",
        clock.at + timedelta(seconds=60),
        1,
    )
    for call in (queue.claim, queue.release, queue.confirm):
        with pytest.raises(ClaimedByOther, match="li") as caught:
            call(filed.issue_id, "wang")
        assert (caught.value.who, caught.value.until) == ("li", claimed.claimed_until)
    clock.at += timedelta(seconds=60)
    assert queue.claim(filed.issue_id, "wang").claimed_by == "wang"


def test_a_claim_is_renewed_by_its_holder_and_ends_with_the_decision(queue: IssueQueue, clock: Clock) -> None:
    filed = file(queue, incident())
    queue.claim(filed.issue_id, "li", lease_s=60)
    clock.at += timedelta(seconds=50)
    assert queue.claim(filed.issue_id, "li", lease_s=60).claimed_until == clock.at + timedelta(seconds=60)
    decided = queue.confirm(filed.issue_id, "li")
    assert (decided.claimed_by, decided.claimed_until) == (None, None)
    assert queue.claim(filed.issue_id, "wang").claimed_by == "wang"


def test_a_claim_that_is_given_up_is_free(queue: IssueQueue) -> None:
    filed = file(queue, incident())
    queue.claim(filed.issue_id, "li")
    assert queue.release(filed.issue_id, "li").claimed_by is None
    assert queue.release(filed.issue_id, "wang").claimed_by is None
    assert queue.confirm(filed.issue_id, "wang").state is State.CONFIRMED


# Lists


def test_lists_are_filtered_ordered_and_paged(queue: IssueQueue) -> None:
    filed = [
        file(queue, incident(120, 130)),
        file(queue, incident(0, 10)),
        file(queue, incident(60, 70, camera_id="p018", violation=Violation.SIDEWALK_PARKING)),
    ]
    a, b, c = (each.issue_id for each in filed)
    queue.confirm(b, "li")
    queue.claim(c, "wang")

    def found(**wanted: object) -> list[int]:
        return [issue.id for issue in queue.find(IssueFilter(**wanted))]

    assert found() == [a, c, b]
    assert found(states=(State.CONFIRMED,)) == [b]
    assert found(states=(State.CONFIRMED, State.FLAGGED)) == [a, c, b]
    assert (
        found(violations=(Violation.SIDEWALK_PARKING,))
        == found(points=("p018",))
        == found(cameras=("p018",))
        == [c]
    )
    assert found(period=Interval(moment(5), moment(61))) == [c, b]
    assert found(claimed_by="wang") == [c]
    assert [issue.id for issue in queue.find(order=IssueOrder.OLDEST)] == [b, c, a]
    assert [issue.id for issue in queue.find(order=IssueOrder.LAST_FILED, limit=2)] == [c, b]
    assert [issue.id for issue in queue.find(limit=2, offset=1)] == [c, b]
    assert [issue.id for issue in queue.find(offset=2)] == [b]


def test_counts_are_by_kind_and_filtered(queue: IssueQueue) -> None:
    file(queue, incident(0, 10))
    file(queue, incident(60, 70))
    third = file(queue, incident(0, 10, camera_id="p018", violation=Violation.SIDEWALK_PARKING))
    queue.confirm(third.issue_id, "li")
    assert queue.counts("state") == {"confirmed": 1, "flagged": 2}
    assert queue.counts("violation") == {"illegal_parking": 2, "sidewalk_parking": 1}
    assert queue.counts("point_id", IssueFilter(states=(State.FLAGGED,))) == {"p017": 2}


def test_a_claim_that_has_run_out_is_not_listed(queue: IssueQueue, clock: Clock) -> None:
    filed = file(queue, incident())
    queue.claim(filed.issue_id, "li", lease_s=60)
    clock.at += timedelta(seconds=61)
    assert queue.find(IssueFilter(claimed_by="li")) == []


def test_what_is_returned_can_be_written_as_json(queue: IssueQueue) -> None:
    filed = file(queue, incident())
    queue.claim(filed.issue_id, "li")
    values = [
        filed, queue.get(filed.issue_id), *queue.history(filed.issue_id), *queue.evidence(filed.issue_id),
        *queue.verdicts("p017", incident().interval).values(),
    ]  # fmt: skip
    issue = json.loads(json.dumps([value.to_json() for value in values], allow_nan=False))[1]
    assert (issue["state"], issue["state_zh"], issue["start"]) == (
        "flagged", "待审核", "2026-01-08T12:00:00.000000+00:00",
    )  # fmt: skip


def test_numbers_are_short_and_public_names_cannot_be_guessed(queue: IssueQueue) -> None:
    issues = [queue.get(file(queue, incident(0, 10, camera_id=f"p{i}")).issue_id) for i in range(5)]
    assert [issue.id for issue in issues] == [1, 2, 3, 4, 5]
    assert len({issue.public_id for issue in issues}) == 5
    assert all(len(issue.public_id) == 22 for issue in issues)


# The chain


@pytest.fixture
def told(queue: IssueQueue, clock: Clock) -> IssueQueue:
    """A queue with two issues and six rows of history, kept by a clock in another time zone."""
    clock.at = clock.at.astimezone(timezone(timedelta(hours=8)))
    one, two = (file(queue, incident(0, 10, camera_id=camera)).issue_id for camera in ("p017", "p018"))
    queue.confirm(one, "li", note="看过")
    queue.reject(two, "wang", "wrong_object")
    file(queue, incident(5, 15))
    queue.move(one, "dispatch", "li")
    assert queue.verify() == []
    return queue


HISTORY, ISSUES, FILES = schema.history, schema.issues, schema.evidence_files
TAMPERINGS = {
    "who is changed": update(HISTORY).where(HISTORY.c.seq == 3).values(who="zhao"),
    "a reason is changed": update(HISTORY).where(HISTORY.c.seq == 4).values(reason="duplicate"),
    "a time is changed": update(HISTORY).where(HISTORY.c.seq == 4).values(at=NOON),
    "details are changed": update(HISTORY).where(HISTORY.c.seq == 1).values(details={"evidence": 7}),
    "a state is nonsense": update(HISTORY).where(HISTORY.c.seq == 3).values(to_state="nonsense"),
    "the first row is missing": delete(HISTORY).where(HISTORY.c.seq == 1),
    "a row in the middle is missing": delete(HISTORY).where(HISTORY.c.seq == 3),
    "the last row is missing": delete(HISTORY).where(HISTORY.c.seq == 6),
    "all rows are missing": delete(HISTORY),
    "the rows of one issue are missing": delete(HISTORY).where(HISTORY.c.issue_id == 2),
    "the hash of a row is changed": update(HISTORY).where(HISTORY.c.seq == 2).values(hash="0" * 64),
    "a state of an issue is changed": update(ISSUES).where(ISSUES.c.id == 2).values(state="flagged"),
    "a version of an issue is changed": update(ISSUES).where(ISSUES.c.id == 2).values(version=9),
    "an interval of an issue is changed": update(ISSUES).where(ISSUES.c.id == 2).values(end=NOON),
    "a file of evidence is missing": delete(FILES).where(
        FILES.c.issue_id == 1, FILES.c.name == "manifest.json"
    ),
    "a hash of evidence is changed": update(FILES).where(FILES.c.issue_id == 2).values(sha256="0" * 64),
    "a file of evidence is added": insert(FILES).values(
        issue_id=1, folder="f", name="n", sha256="", size_bytes=1
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_the_history_shows_that(told: IssueQueue, database: Database, what: str) -> None:
    with database.begin() as connection:
        connection.execute(TAMPERINGS[what])
    assert told.verify() != []


def test_an_issue_that_was_taken_out_is_missed(told: IssueQueue, database: Database) -> None:
    with database.begin() as connection:
        for table in ("verdicts", "evidence_files", "history"):
            connection.execute(text(f"DELETE FROM {table} WHERE issue_id = 2"))
        connection.execute(text("DELETE FROM issues WHERE id = 2"))
    assert any("missing" in fault for fault in told.verify())


def test_what_is_uncertain_comes_last_in_the_review_and_is_not_hidden(
    queue: IssueQueue, database: Database, clock: Clock
) -> None:
    certainties = (0.2, 0.9, 0.25, 0.5)
    ids = [
        file(queue, replace(incident(20 * n, 20 * n + 10, camera_id=f"p{n}"), confidence=certainty)).issue_id
        for n, certainty in enumerate(certainties)
    ]
    reader = IssueReader(database, clock)
    found = reader.deck(IssueFilter(), DeckOrder.OLDEST, 10, uncertain_below=0.3)
    assert [entry.id for entry in found] == [ids[1], ids[3], ids[0], ids[2]]
    assert [entry.id for entry in reader.deck(IssueFilter(), DeckOrder.OLDEST, 10)] == ids

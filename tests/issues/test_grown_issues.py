"""What the queue does with an object that stands on after time without recordings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from made_issues import NOON, file, incident, moment

from detector.core.times import Interval
from detector.core.values import Violation
from detector.database import Database
from detector.issues import IssueQueue, LinkKind, State
from detector.issues.filing import GROWING
from detector.issues.values import Earlier, FiledAs

pytest_plugins = ["database_fixture"]
DAY = 24 * 60.0


@pytest.fixture
def queue(database: Database) -> IssueQueue:
    return IssueQueue(database, lambda: NOON + timedelta(hours=12))


def grown(queue: IssueQueue, days: int = 3) -> int:
    """An issue whose object was seen for ten minutes of each day."""
    number = file(queue, incident(0, 10)).issue_id
    for day in range(1, days):
        later = incident(day * DAY, day * DAY + 10)
        assert file(queue, later, earlier=Earlier(continues=number)).outcome is FiledAs.EXTENDED
    return number


def test_an_issue_that_grows_keeps_what_was_seen_and_says_what_was_not(queue: IssueQueue) -> None:
    issue = queue.get(grown(queue))
    assert issue.interval == Interval(moment(0), moment(2 * DAY + 10))
    assert issue.stretches == tuple(Interval(moment(d * DAY), moment(d * DAY + 10)) for d in range(3))
    assert issue.seen_s == 1800.0
    assert "for more than a day, perhaps abandoned" in issue.explanation
    assert "30 min in all; for 47 h 40 min between them there are no recordings" in issue.explanation
    assert "疑似长期停放或废弃车辆" in issue.explanation_zh
    assert "3段录像中" in issue.explanation_zh
    assert queue.verify() == []


def test_filing_a_stretch_again_changes_nothing(queue: IssueQueue) -> None:
    number = grown(queue)
    before = queue.get(number)
    for day in range(3):
        assert file(queue, incident(day * DAY, day * DAY + 10), key=f"again{day}").outcome is FiledAs.KNOWN
    assert queue.get(number) == before


def test_another_vehicle_in_the_gap_is_an_issue_of_its_own(queue: IssueQueue) -> None:
    """Its recordings came late: what stood there in the gap is not told by the issue around it."""
    number = grown(queue, days=2)
    found = file(queue, incident(600, 640), start_uncertainty_s=1.0, end_uncertainty_s=1.0)
    assert (found.outcome, found.issue_id != number) == (FiledAs.NEW, True)


def test_another_vehicle_soon_after_a_gap_is_an_issue_of_its_own(queue: IssueQueue) -> None:
    first = file(queue, incident(0, 10))
    assert file(queue, incident(15, 25)).outcome is FiledAs.EXTENDED
    other = incident(30, 40)
    found = file(queue, other, earlier=Earlier(others=(first.issue_id,)))
    assert (found.outcome, found.issue_id != first.issue_id) == (FiledAs.NEW, True)


@pytest.mark.parametrize("state", [State.REJECTED, State.CLOSED])
def test_an_issue_that_was_ended_meanwhile_does_not_grow(queue: IssueQueue, state: State) -> None:
    first = file(queue, incident(0, 10)).issue_id
    if state is State.REJECTED:
        queue.reject(first, "li", "duplicate")
    else:
        for move in ("confirm", "dispatch", "rectify", "close"):
            queue.move(first, move, "li", note="removed")
    found = file(queue, incident(DAY, DAY + 10), earlier=Earlier(continues=first))
    assert found.outcome is FiledAs.NEW
    assert queue.get(first).interval == Interval(moment(0), moment(10))
    (link,) = queue.links([found.issue_id])
    assert (link.issue_id, link.other_id, link.kind) == (found.issue_id, first, LinkKind.RECURRENCE)
    assert queue.suspected([found.issue_id]) == []
    assert State.CLOSED not in GROWING


def test_issues_that_may_be_about_one_object_are_suspected_and_only_one_order_goes_out(
    queue: IssueQueue,
) -> None:
    first = file(queue, incident(0, 10)).issue_id
    second = file(queue, incident(DAY, DAY + 10), earlier=Earlier(suspects=(first,))).issue_id
    assert queue.suspected([second]) == [(second, first)]
    assert queue.suspected([first]) == [(first, second)]


def test_an_issue_that_was_reported_as_put_right_is_reopened_when_its_object_stands_on(
    queue: IssueQueue,
) -> None:
    first = file(queue, incident(0, 10)).issue_id
    for move in ("confirm", "dispatch", "rectify"):
        queue.move(first, move, "li", note="removed")
    assert queue.get(first).state is State.RECTIFIED
    file(queue, incident(DAY, DAY + 10), earlier=Earlier(continues=first))
    assert queue.get(first).state is State.REOPENED


def test_a_continuous_stay_of_more_than_a_day_says_so_without_a_gap(queue: IssueQueue) -> None:
    number = file(queue, incident(0, DAY)).issue_id
    file(queue, incident(DAY - 60, DAY + 300))
    text = queue.get(number).explanation
    assert "perhaps abandoned" in text
    assert "no recordings" not in text
    assert queue.get(number).stretches == (Interval(moment(0), moment(DAY + 300)),)


def test_rubbish_that_lies_for_days_is_not_called_an_abandoned_vehicle(queue: IssueQueue) -> None:
    number = file(queue, incident(0, 10, violation=Violation.LITTER)).issue_id
    later = incident(2 * DAY, 2 * DAY + 10, violation=Violation.LITTER)
    file(queue, later, earlier=Earlier(continues=number))
    assert "abandoned" not in queue.get(number).explanation
    assert "last seen" in queue.get(number).explanation


def test_two_cameras_that_see_one_stay_are_suspected_also_when_one_of_them_grows_into_it(
    queue: IssueQueue,
) -> None:
    one = file(
        queue, incident(0, 10, camera_id="east", point_id="p017"), start_uncertainty_s=1, end_uncertainty_s=1
    )
    two = file(
        queue, incident(0, 6, camera_id="west", point_id="p017"), start_uncertainty_s=1, end_uncertainty_s=1
    )
    assert queue.suspected([one.issue_id]) == []
    file(
        queue, incident(5, 10, camera_id="west", point_id="p017"), start_uncertainty_s=1, end_uncertainty_s=1
    )
    assert queue.suspected([one.issue_id]) == [(one.issue_id, two.issue_id)]


def test_the_stretches_are_written_as_json(queue: IssueQueue) -> None:
    told = queue.get(grown(queue)).to_json()
    assert len(told["seen"]) == 3
    assert told["seen_s"] == 1800.0
    assert told["duration_s"] == timedelta(days=2, minutes=10).total_seconds()

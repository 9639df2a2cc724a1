"""Figures: what counts as what, and that every breakdown adds up."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from papers import MORNING, NOW, POLICE, STREET, dispatched, row

from detector.core.times import Interval
from detector.core.values import Violation
from detector.issues import State
from detector.reporting.rows import UNASSIGNED, LedgerRow, Named, Standing
from detector.reporting.statistics import Tally, statistics, tally

PERIOD = Interval(MORNING - timedelta(days=3), NOW)
OF = Named("", "合计", "total")
HOURS = st.integers(0, 90).map(lambda hours: MORNING + timedelta(hours=hours))


@st.composite
def rows(draw: st.DrawFn) -> LedgerRow:
    state = draw(st.sampled_from(State))
    build = dispatched if draw(st.booleans()) else row
    return build(
        draw(st.integers(1, 999)),
        state,
        start=draw(HOURS),
        department=draw(st.sampled_from([UNASSIGNED, POLICE, STREET])),
        violation=draw(st.sampled_from(Violation)),
        point=Named(draw(st.sampled_from(["p001", "p002"])), "点", "point"),
        rectified_at=draw(st.none() | HOURS),
        reopened=draw(st.integers(0, 2)),
    )


@given(st.lists(rows(), max_size=12))
def test_every_breakdown_adds_up_to_the_total(some: list[LedgerRow]) -> None:
    figures = statistics(some, PERIOD, NOW)
    counts = [f.name for f in fields(Tally) if f.name != "of"]
    for parts in (figures.by_department, figures.by_point, figures.by_violation, figures.by_day):
        for name in counts:
            assert sum(getattr(part, name) for part in parts) == getattr(figures.total, name)


@given(st.lists(rows(), max_size=12))
def test_parts_are_never_more_than_the_whole(some: list[LedgerRow]) -> None:
    one = statistics(some, PERIOD, NOW).total
    assert one.found + one.merged == sum(made.start in PERIOD for made in some)
    assert one.waiting + one.confirmed + one.rejected <= one.found
    assert one.on_time + one.late + one.overdue + one.open <= one.dispatched <= one.confirmed
    assert one.closed <= one.put_right <= one.dispatched
    for rate in (one.precision, one.rectification_rate, one.on_time_rate):
        assert rate is None or 0 <= rate <= 1


def test_an_answer_on_the_deadline_is_in_time_and_one_a_second_later_is_late() -> None:
    due = dispatched().due_at
    assert due is not None
    on_it = dispatched(state=State.RECTIFIED, rectified_at=due)
    after = dispatched(state=State.CLOSED, rectified_at=due + timedelta(seconds=1), closed_at=NOW)
    assert on_it.standing(NOW) is Standing.ON_TIME
    assert after.standing(NOW) is Standing.LATE


def test_what_is_not_answered_is_open_until_the_deadline_and_overdue_after_it() -> None:
    one = dispatched()
    assert one.due_at is not None
    assert one.standing(one.due_at) is Standing.OPEN
    assert one.standing(one.due_at + timedelta(seconds=1)) is Standing.OVERDUE
    assert row(state=State.CONFIRMED).standing(NOW) is Standing.NONE


def test_precision_is_of_what_was_decided_and_none_where_nothing_was() -> None:
    decided = [
        dispatched(1),
        row(2, State.CONFIRMED),
        row(3, State.CONFIRMED),
        row(4, State.REJECTED),
        row(5),
    ]
    assert tally(OF, decided, NOW).precision == 0.75
    assert tally(OF, [row(5)], NOW).precision is None


def test_a_confirmation_that_was_taken_back_no_longer_counts() -> None:
    assert tally(OF, [row(1, State.FLAGGED, confirmed_at=MORNING)], NOW).confirmed == 0


def test_rates_are_of_what_was_dispatched_and_not_withdrawn() -> None:
    done = MORNING + timedelta(hours=5)
    some = [
        dispatched(1, State.CLOSED, rectified_at=done, closed_at=done),
        dispatched(2, State.RECTIFIED, rectified_at=MORNING + timedelta(days=2)),
        dispatched(3),
        dispatched(4, State.REOPENED, reopened=1, due_at=NOW + timedelta(days=1)),
        dispatched(5, State.WITHDRAWN),
        dispatched(6, State.MERGED),
    ]
    one = tally(OF, some, NOW)
    assert (one.found, one.merged, one.withdrawn, one.dispatched) == (5, 1, 1, 4)
    assert (one.on_time, one.late, one.overdue, one.open, one.reopened) == (1, 1, 1, 1, 1)
    assert one.rectification_rate == 0.5
    assert one.on_time_rate == 1 / 3


def test_an_issue_belongs_to_the_local_day_on_which_it_began() -> None:
    late = MORNING.replace(hour=23, minute=58)
    figures = statistics([row(1), row(2, start=late), row(3, start=late + timedelta(minutes=3))], PERIOD, NOW)
    assert [(one.of.id, one.found) for one in figures.by_day] == [("2026-01-08", 2), ("2026-01-09", 1)]
    assert figures.to_json()["by_day"][0]["name"] == "1月8日"

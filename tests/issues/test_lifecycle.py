"""The one table of moves."""

from __future__ import annotations

import pytest

from detector.core.errors import BadInput
from detector.issues import MOVES, REJECT_REASONS, IllegalMove, ReasonNeeded, State
from detector.issues.lifecycle import target_of


def test_every_state_has_the_name_that_officers_use() -> None:
    assert [state.zh for state in State] == [
        "待审核", "已立案", "已驳回", "已交办", "待验收", "已销号", "退回重办", "已合并", "已撤销",
    ]  # fmt: skip


def test_every_state_can_be_reached_from_the_first() -> None:
    reached = {State.FLAGGED}
    for _ in State:
        reached |= {move.target for move in MOVES.values() if move.sources & reached}
    assert reached == set(State)


def test_no_move_leads_nowhere() -> None:
    assert all(move.target not in move.sources for move in MOVES.values())


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("state", State)
def test_a_move_is_legal_from_its_own_states_only(name: str, state: State) -> None:
    if state in MOVES[name].sources:
        assert target_of(state, name, "duplicate", "swept") is MOVES[name].target
    else:
        with pytest.raises(IllegalMove, match=f"{state} cannot {name}"):
            target_of(state, name, "duplicate", "swept")


def test_a_move_that_is_not_in_the_table_is_refused_with_those_that_are() -> None:
    with pytest.raises(IllegalMove, match="confirm, reject"):
        target_of(State.FLAGGED, "conform", None, None)


@pytest.mark.parametrize("name", [name for name, move in MOVES.items() if move.needs_reason])
def test_a_move_that_must_say_why_is_refused_without_a_reason(name: str) -> None:
    state = next(iter(MOVES[name].sources))
    with pytest.raises(ReasonNeeded) as caught:
        target_of(state, name, None, None)
    assert isinstance(caught.value, BadInput)


def test_a_rejection_takes_its_reason_from_the_list() -> None:
    with pytest.raises(ReasonNeeded, match="permitted_activity"):
        target_of(State.FLAGGED, "reject", "I say so", None)
    for code, reason in REJECT_REASONS.items():
        assert target_of(State.FLAGGED, "reject", code, "as told by phone") is State.REJECTED
        assert reason.en
        assert reason.zh


def test_another_reason_must_be_put_in_words() -> None:
    with pytest.raises(ReasonNeeded, match="note"):
        target_of(State.FLAGGED, "reject", "other", None)

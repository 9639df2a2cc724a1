"""The states of an issue and the one table of moves between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from detector.issues.errors import IllegalMove, ReasonNeeded


class State(StrEnum):
    """Where an issue stands in 问题交办—整改跟踪—验收销号."""

    FLAGGED = "flagged"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    DISPATCHED = "dispatched"
    RECTIFIED = "rectified"
    CLOSED = "closed"
    REOPENED = "reopened"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"

    @property
    def zh(self) -> str:
        return STATES_ZH[self]


STATES_ZH: Mapping[State, str] = {
    State.FLAGGED: "待审核",
    State.CONFIRMED: "已立案",
    State.REJECTED: "已驳回",
    State.DISPATCHED: "已交办",
    State.RECTIFIED: "待验收",
    State.CLOSED: "已销号",
    State.REOPENED: "退回重办",
    State.MERGED: "已合并",
    State.WITHDRAWN: "已撤销",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason from a list, as officers read it."""

    en: str
    zh: str


REJECT_REASONS: Mapping[str, Reason] = {
    "not_a_violation": Reason("not a violation", "不构成违规"),
    "permitted_activity": Reason("permitted activity", "经许可的行为"),
    "wrong_object": Reason("wrong object", "目标识别错误"),
    "unclear_picture": Reason("unclear picture", "画面不清"),
    "emergency_vehicle": Reason("emergency vehicle on duty", "执行紧急任务车辆"),
    "duplicate": Reason("duplicate", "重复问题"),
    "other": Reason("other, see the note", "其他（见备注）"),
}


@dataclass(frozen=True, slots=True)
class Move:
    """One move: from which states, to which, and whether it must say why."""

    name: str
    sources: frozenset[State]
    target: State
    needs_reason: bool = False
    needs_note: bool = False


_OPEN = (State.FLAGGED, State.CONFIRMED, State.DISPATCHED, State.REOPENED)
_DECIDED = (State.CONFIRMED, State.REJECTED, State.MERGED, State.WITHDRAWN)

MOVES: Mapping[str, Move] = {
    move.name: move
    for move in (
        Move("confirm", frozenset({State.FLAGGED}), State.CONFIRMED),
        Move("reject", frozenset({State.FLAGGED}), State.REJECTED, needs_reason=True),
        Move("reconsider", frozenset(_DECIDED), State.FLAGGED, needs_reason=True),
        Move("dispatch", frozenset({State.CONFIRMED, State.REOPENED}), State.DISPATCHED),
        # It went to the wrong department: back to where it can be dispatched anew.
        Move("recall", frozenset({State.DISPATCHED, State.REOPENED}), State.CONFIRMED, needs_reason=True),
        Move("rectify", frozenset({State.DISPATCHED, State.REOPENED}), State.RECTIFIED, needs_note=True),
        Move("close", frozenset({State.RECTIFIED}), State.CLOSED),
        Move("reopen", frozenset({State.RECTIFIED, State.CLOSED}), State.REOPENED, needs_reason=True),
        Move("merge", frozenset(_OPEN), State.MERGED, needs_reason=True),
        Move("withdraw", frozenset((*_OPEN, State.RECTIFIED)), State.WITHDRAWN, needs_reason=True),
    )
}


def moves_from(state: State) -> tuple[str, ...]:
    """The moves that the table allows from a state."""
    return tuple(name for name, move in MOVES.items() if state in move.sources)


def target_of(state: State, name: str, reason: str | None, note: str | None) -> State:
    """The state that a move leads to.

    Raises IllegalMove where the table has no such move from `state`, and ReasonNeeded where the move lacks its
    reason: a code of REJECT_REASONS for `reject` ("other" wants a note), any text for the rest. `rectify` needs a note.
    """
    move = MOVES.get(name)
    if move is None:
        raise IllegalMove(f"there is no move {name!r}; there are {', '.join(MOVES)}")
    if state not in move.sources:
        raise IllegalMove(f"an issue that is {state} cannot {name}; only one that is {_words(move.sources)}")
    if move.needs_reason and not reason:
        raise ReasonNeeded(f"{name} needs a reason{_choice(name)}")
    if move.needs_note and not note:
        raise ReasonNeeded(f"{name} needs a note that says what was done")
    if name == "reject" and reason not in REJECT_REASONS:
        raise ReasonNeeded(f"{reason!r} is no reason to reject{_choice(name)}")
    if name == "reject" and reason == "other" and not note:
        raise ReasonNeeded("a rejection for another reason needs a note that gives it")
    return move.target


def _choice(name: str) -> str:
    return f", one of {', '.join(REJECT_REASONS)}" if name == "reject" else ""


def _words(states: frozenset[State]) -> str:
    return " or ".join(state for state in State if state in states)

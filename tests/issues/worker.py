"""One of several processes that work on one queue at once, and tells what it believes it did."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from made_issues import file, incident

from detector.database import Database
from detector.issues import (
    Assigned,
    ClaimedByOther,
    IllegalMove,
    Issue,
    IssueFilter,
    IssueOrder,
    IssueQueue,
    QueueRefusal,
    StaleIssue,
    State,
    moves_from,
)

CAMERAS = 8


@dataclass(frozen=True)
class Task:
    url: str
    who: str
    seconds: float
    seed: int


@dataclass
class Deeds:
    """`moves` as (issue, version afterwards, move); `claims` as (issue, from, until) by the machine's own clock."""

    moves: list[tuple[int, int, str]] = field(default_factory=list)
    claims: list[tuple[int, float, float]] = field(default_factory=list)
    refused: int = 0


def work(task: Task) -> Deeds:
    """Files, claims and decides at random until the time is over."""
    deeds, chance, end = Deeds(), random.Random(task.seed), time.monotonic() + task.seconds
    with Database.open(task.url) as database:
        queue = IssueQueue(database)
        while time.monotonic() < end:
            if chance.random() < 0.4:
                _file(queue, chance)
            else:
                _decide(queue, task.who, chance, deeds)
    return deeds


def _file(queue: IssueQueue, chance: random.Random) -> None:
    start = chance.randrange(0, 40_000, 5)
    filed = incident(start, start + chance.randrange(5, 30), camera_id=f"p{chance.randrange(CAMERAS):03d}")
    file(queue, filed)


def _decide(queue: IssueQueue, who: str, chance: random.Random, deeds: Deeds) -> None:
    """Any move that the lifecycle allows, of an issue that is claimed first."""
    states = tuple(state for state in State if set(moves_from(state)) - {"merge"})
    found = queue.find(
        IssueFilter(states=states), order=IssueOrder.OLDEST, limit=20, offset=chance.randrange(180)
    )
    if not found:
        return
    issue = chance.choice(found)
    try:
        claimed = queue.claim(issue.id, who)
        since = time.monotonic()
        moves = sorted(set(moves_from(claimed.state)) - {"merge"})
        time.sleep(0.005)  # looks at the pictures
        deeds.claims.append((issue.id, since, time.monotonic()))
        if not moves:
            queue.release(issue.id, who)
            return
        move = chance.choice(moves)
        deeds.moves.append((issue.id, _move(queue, claimed, move, who), move))
    except (ClaimedByOther, StaleIssue, IllegalMove) as refusal:
        deeds.refused += 1
        _let_go(queue, issue.id, who, refusal)


def _move(queue: IssueQueue, issue: Issue, move: str, who: str) -> int:
    """Makes the move; returns the issue's version afterwards."""
    if move == "dispatch":
        due_at = datetime(2026, 2, 1, tzinfo=UTC)
        assigned = Assigned(issue.id, "traffic_police", due_at, "20260109", seen_version=issue.version)
        queue.dispatch([assigned], who, duplicates_because="a test")
        return issue.version + 1
    reason = "wrong_object" if move == "reject" else "made up"
    return queue.move(issue.id, move, who, reason=reason, note="done", seen_version=issue.version).version


def _let_go(queue: IssueQueue, issue_id: int, who: str, refusal: QueueRefusal) -> None:
    if not isinstance(refusal, ClaimedByOther):
        queue.release(issue_id, who)

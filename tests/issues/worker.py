"""One of several processes that work on one queue at once, and tells what it believes it did."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from made_issues import file, incident

from detector.database import Database
from detector.issues import (
    ClaimedByOther,
    IllegalMove,
    IssueFilter,
    IssueQueue,
    QueueRefusal,
    StaleIssue,
    State,
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
    open_issues = queue.find(IssueFilter(states=(State.FLAGGED, State.CONFIRMED)), limit=5)
    if not open_issues:
        return
    issue = chance.choice(open_issues)
    try:
        claimed = queue.claim(issue.id, who)
        since = time.monotonic()
        move, reason = ("confirm", None) if claimed.state is State.FLAGGED else ("withdraw", "made up")
        if chance.random() < 0.2:
            move, reason = "reject", "wrong_object"
        time.sleep(0.005)  # looks at the pictures
        deeds.claims.append((issue.id, since, time.monotonic()))
        moved = queue.move(issue.id, move, who, reason=reason, seen_version=claimed.version)
        deeds.moves.append((issue.id, moved.version, move))
    except (ClaimedByOther, StaleIssue, IllegalMove) as refusal:
        deeds.refused += 1
        _let_go(queue, issue.id, who, refusal)


def _let_go(queue: IssueQueue, issue_id: int, who: str, refusal: QueueRefusal) -> None:
    if not isinstance(refusal, ClaimedByOther):
        queue.release(issue_id, who)

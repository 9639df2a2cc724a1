"""Eight processes on one queue of two hundred issues, for some seconds; `KERBWATCH_SOAK=1` makes it a minute."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest
from made_issues import file, incident
from worker import Deeds, Task, work

from detector.database import Database
from detector.issues import IssueQueue

pytest_plugins = ["database_fixture"]

PROCESSES, ISSUES = 8, 200
SECONDS = 60.0 if os.environ.get("KERBWATCH_SOAK") == "1" else 3.0


@pytest.mark.slow
def test_many_at_once_lose_nothing_and_do_nothing_twice(database: Database, database_url: str) -> None:
    first = IssueQueue(database)
    for number in range(ISSUES):
        file(first, incident(50_000 + 100 * number, 50_010 + 100 * number))
    tasks = [Task(database_url, f"reviewer {i}", SECONDS, seed=i) for i in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        done = dict(zip((task.who for task in tasks), pool.map(work, tasks), strict=True))
    queue = IssueQueue(database)
    issues = queue.find()
    rows = [row for issue in issues for row in queue.history(issue.id)]

    assert queue.verify() == []
    assert {issue.id: issue.version for issue in issues} == {
        issue.id: 1 + sum(row.issue_id == issue.id and row.move != "filed" for row in rows)
        for issue in issues
    }
    believed = sorted((*move, who) for who, deeds in done.items() for move in deeds.moves)
    found = sorted(
        (r.issue_id, r.version, r.move, r.who) for r in rows if r.move not in ("filed", "extended")
    )
    assert believed == found
    assert claimed_twice(done) == []
    assert len(believed) > 2 * PROCESSES
    assert len(issues) == len({issue.fingerprint for issue in issues}) > ISSUES
    orders = [number for order in queue.orders() for number in order.issue_ids]
    assert len(orders) == sum(row.move == "dispatch" for row in rows)
    events = queue.events_after(0, limit=10**6)
    assert sorted((e.issue_id, e.version) for e in events) == sorted((r.issue_id, r.version) for r in rows)
    print(
        f"\n{database.dialect}, {PROCESSES} processes, {SECONDS:g} s: {len(issues)} issues, {len(rows)} rows of history, "
        f"{sum(len(deeds.claims) for deeds in done.values())} claims, {len(believed)} moves, "
        f"{sum(deeds.refused for deeds in done.values())} refused"
    )


def claimed_twice(done: dict[str, Deeds]) -> list[tuple[object, object]]:
    """Pairs of claims on one issue that were held by two at the same time."""
    claims = sorted(
        (issue, since, until, who) for who, deeds in done.items() for issue, since, until in deeds.claims
    )
    return [
        (a, b) for a, b in itertools.pairwise(claims) if a[0] == b[0] and a[3] != b[3] and b[1] < a[2]
    ]  # fmt: skip

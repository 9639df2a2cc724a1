"""SIGKILL while filing, dispatching and delivering: nothing lost, nothing doubled. `KERBWATCH_SOAK=1`: 50 kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from desk_made import ADMIN, flagged
from receiver import KEY, Receiver, receiving

from detector.config.settings import load_settings
from detector.core.times import utc_now
from detector.database import Database
from detector.dispatch import Desk
from detector.dispatch.webhooks import deliver
from detector.issues import State

pytest_plugins = ["database_fixture", "desk_fixture"]

KILLS = 50 if os.environ.get("KERBWATCH_SOAK") == "1" else 2
"""Of each kind of work."""

DOER = Path(__file__).with_name("doer.py")


@pytest.fixture
def working(own_office: Path, tmp_path: Path) -> Path:
    """A working folder whose state is the test's own; a few points are enough, and load fast."""
    for path in (own_office / "points").iterdir():
        if path.stem not in ("p001", "p015", "p025", "p036"):
            path.unlink()
    return own_office


class Doers:
    """Processes that work for a while and are killed, one after the other."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PLATFORM_KEY": KEY}
        self._chance = random.Random(seed)
        self._process = subprocess.Popen(
            [sys.executable, str(DOER), url, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def kill_while(self, what: str, first: int = 0) -> list[list[str]]:
        """Lets one do some things and a part of the next, kills it, and returns what it said.

        How much it does is chosen by what it says and not by the clock: on a busy machine it might do nothing.
        """
        self._tell(f"{what} {first}")
        ready, pid = self._read()
        assert ready == "ready"
        said: list[list[str]] = []
        for _ in range(self._chance.randrange(8)):
            if said and said[-1] == ["idle"]:
                break
            said.append(self._read())
        time.sleep(self._chance.uniform(0.0, 0.1))
        os.kill(int(pid), signal.SIGKILL)  # it is not buried yet, so the number is its own though it be done
        self._tell("bury")
        while (line := self._read()) != ["over"]:
            said.append(line)
        return said

    def _read(self) -> list[str]:
        assert self._process.stdout
        line = self._process.stdout.readline().split()
        assert line, "the process that makes the others is dead"
        return line

    def _tell(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()


@pytest.mark.slow
def test_filing_and_dispatching_that_are_killed_lose_and_double_nothing(
    database: Database, database_url: str, working: Path
) -> None:
    desk = Desk(database, load_settings(working))
    filed: dict[str, str] = {}
    ordered: Counter[str] = Counter()
    with Doers(database_url, working, seed=5) as doers:
        for _ in range(KILLS):
            for line in doers.kill_while("file", max(0, len(filed) - 2)):
                assert filed.setdefault(line[1], line[2]) == line[2], (
                    "one incident, one issue, whoever files it"
                )
            for line in doers.kill_while("dispatch"):
                ordered.update(line[2:])
            issues = desk.find(ADMIN)
            known = {issue.fingerprint: str(issue.id) for issue in issues}
            assert len(known) == len(issues)
            assert filed.items() <= known.items(), "what was said is there"
            orders = [str(number) for order in desk.orders(ADMIN) for number in order.issue_ids]
            assert len(orders) == len(set(orders)), "never two orders for one issue"
            assert ordered.keys() <= set(orders)
            out = {str(issue.id) for issue in issues if issue.state is State.DISPATCHED}
            assert out == set(orders), "the move and the order are one"
            assert desk.queue.verify() == []
    rows = {
        (row.issue_id, row.version) for issue in desk.find(ADMIN) for row in desk.history(ADMIN, issue.id)
    }
    assert rows == {(event.issue_id, event.version) for event in desk.queue.events_after(0, 10**6)}
    assert filed
    print(
        f"\n{database.dialect}: {KILLS} kills while filing and {KILLS} while dispatching: {len(known)} issues, "
        f"{len(desk.orders(ADMIN))} orders, {len(rows)} rows of history, nothing lost or doubled"
    )


@pytest.mark.slow
def test_delivery_that_is_killed_loses_no_event_and_sends_none_under_two_ids(
    database: Database, database_url: str, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_KEY", KEY)
    with receiving() as receiver:
        (working / "webhooks.yaml").write_text(
            f"endpoints:\n  - {{name: platform, url: '{receiver.url}', secret_env: PLATFORM_KEY, timeout_s: 1}}\n",
            encoding="utf-8",
        )
        settings = load_settings(working)
        desk = Desk(database, settings)
        numbers = [flagged(desk, 100 * k, 100 * k + 5) for k in range(10 * KILLS)]
        for number in numbers:
            desk.confirm(ADMIN, number)
        with Doers(database_url, working, seed=6) as doers:
            for _ in range(KILLS):
                doers.kill_while("deliver")
        finish(database, desk, receiver)
    events = {event.event_id: (event.issue_id, event.version) for event in desk.queue.events_after(0, 10**6)}
    got = {
        event["id"]: (event["data"]["issue"]["id"], event["data"]["issue"]["version"])
        for event in receiver.got
    }
    assert got == events
    first: dict[str, None] = dict.fromkeys(receiver.ids)
    order = [events[name] for name in first]
    assert all(order.index((number, 1)) < order.index((number, 2)) for number in numbers)
    again = len(receiver.ids) - len(first)
    assert again <= KILLS, "each kill can repeat the one event that was under way"
    print(
        f"\n{database.dialect}: {KILLS} kills while delivering: {len(got)} events, {again} came twice under their id"
    )


def finish(database: Database, desk: Desk, receiver: Receiver) -> None:
    """Delivers the rest, at a time when no lease of a killed process holds any more."""
    total = len(desk.queue.events_after(0, 10**6))
    (done,) = deliver(database, desk.settings, lambda: utc_now() + timedelta(minutes=5))
    assert done.failed == 0
    assert len(set(receiver.ids)) == total

"""SIGKILL of workers, parent or both at any moment of a night: what is left is what an undisturbed night leaves."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from made_archive import Made, kerbwatch
from nights import Left, Night, left_by, runs_of, set_nightly, workers_of
from own_server import own_server
from processes import unfinished, wait_for_none

from detector.runs.runs import RunState

pytest_plugins = ["archive_fixture"]
SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
KILLS = int(os.environ.get("KERBWATCH_KILLS", "200"))
SEED = int(os.environ.get("KERBWATCH_SEED", "2026"))
AS_OF = ("--as-of", "2026-01-10T03:00", "--workers", 2)
ORPHANS_END_WITHIN_S = 60.0
MOST_A_COPY = 40
LONGEST_S = 3.5
"""Of processor time between two kills: a night needs three times as much."""
SHARE = 0.12
"""Of the processor time of a whole night: the most between two of the four kills."""
MOST_COPIES = 5
GIVEN_UP = "workers ended before they were ready"
"""What a night says that lost its first three workers before any of them could work; it is started again like others."""
HOWS = ("worker", "worker", "workers", "parent", "group")
"""Which processes are killed: one worker, all of them, the parent alone (its workers then end by themselves), all."""


def small(made: Made) -> Made:
    """Two cameras, two days: a parked car, a row of cars in one place, and a van on the footway."""
    (made.folder / "points" / "p015.yaml").unlink()
    set_nightly(made.folder, crashes=10_000)  # here it is not a recording's fault
    return made


def undisturbed(made: Made) -> tuple[Left, float]:
    """What is left, and how much processor time it took after the start of the processes."""
    with Night(made, AS_OF) as night:
        used = os.times()
        assert night.end() == 0, night.errors
    now = os.times()
    cpu_s = now.children_user + now.children_system - used.children_user - used.children_system
    return left_by(made), cpu_s


def kill_some(night: Night, how: str, chance: random.Random) -> bool:
    """Kill as told; False where nothing was there to be killed."""
    if how in ("parent", "group"):
        night.kill(group=how == "group")
        return True
    workers = workers_of(night.process.pid)
    chosen = workers if how == "workers" else workers and [chance.choice(workers)]
    killed = 0
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed > 0


def disturbed(made: Made, chance: random.Random, most: int, longest_s: float) -> Counter[str]:
    """Run nights with kills, so many at most, until one comes to its end."""
    kills: Counter[str] = Counter()
    while True:
        with Night(made, AS_OF, forked=True) as night:
            while kills.total() < most and night.wait_cpu(chance.uniform(0.2, longest_s)):
                how = chance.choice(HOWS)
                kills[how] += kill_some(night, how, chance)
                if how in ("parent", "group"):
                    break
            code = night.end()
        assert wait_for_none(night.mark, ORPHANS_END_WITHIN_S) == []
        if code == 0:
            return kills
        assert code < 0 or GIVEN_UP in night.errors, night.errors


def check(made: Made, expected: Left) -> None:
    assert left_by(made) == expected
    assert unfinished(made) == []
    verified = kerbwatch("issues", "verify", "-C", made.folder)
    assert verified.code == 0, verified.out
    runs = runs_of(made)
    assert (runs[0].state, runs[0].summary["missing"]) == (RunState.DONE, [])
    assert all(run.state in (RunState.DIED, RunState.FAILED) for run in runs[1:])


@pytest.fixture(scope="module")
def whole(composed: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Left, float]:
    """One undisturbed night: what it leaves, and the processor time it takes."""
    left, cpu_s = undisturbed(small(composed.copy(tmp_path_factory.mktemp("undisturbed") / "county")))
    assert len(left.chains) == 2
    return left, cpu_s


@pytest.fixture(scope="module")
def expected(whole: tuple[Left, float]) -> Left:
    return whole[0]


def killed(made: Made, after: str, hows: Sequence[str], chance: random.Random, longest_s: float) -> bool:
    """One night with these kills, in turn, after an event; False where it was done before all of them."""
    with Night(made, AS_OF) as night:
        done = night.wait_for(after) and all(
            night.wait_cpu(chance.uniform(0.2, 1.0) * longest_s) and kill_when_there(night, how, chance)
            for how in hows
        )
        code = night.end()
    assert wait_for_none(night.mark, ORPHANS_END_WITHIN_S) == []
    assert code in (0, -signal.SIGKILL), night.errors
    state = runs_of(made)[0].state
    assert state in (RunState.DIED, RunState.DONE), night.errors
    return done and state is RunState.DIED


def kill_when_there(night: Night, how: str, chance: random.Random) -> bool:
    """Kill as told, as soon as there is something to kill; False where the night ended before."""
    while night.alive:
        if kill_some(night, how, chance):
            return True
        time.sleep(0.03)
    return False


@pytest.mark.soak
@pytest.mark.slow
def test_a_night_killed_four_times_ends_as_an_undisturbed_one(
    composed: Made, whole: tuple[Left, float], tmp_path: Path
) -> None:
    expected, whole_s = whole
    chance = random.Random(7)
    for copy in range(MOST_COPIES):
        made = small(composed.copy(tmp_path / f"killed{copy}"))
        longest_s = whole_s * SHARE / 2**copy  # a night that was too fast for its kills gets them earlier
        # Three workers that end before they are ready end a run; after the first pass one is ready at least.
        if killed(made, "pass", ("worker", "workers", "group"), chance, longest_s) and killed(
            made, "run began", ("parent",), chance, longest_s
        ):
            break
    else:
        pytest.fail(f"{MOST_COPIES} copies ended before they could be killed four times")
    with Night(made, AS_OF) as last:
        assert last.end() == 0, last.errors
    check(made, expected)
    runs = runs_of(made)
    assert [run.state for run in runs] == [RunState.DONE, RunState.DIED, RunState.DIED]


@pytest.mark.slow
def test_a_night_whose_postgresql_is_stopped_and_started_ends_as_an_undisturbed_one(
    composed: Made, expected: Left, tmp_path: Path
) -> None:
    made = small(composed.copy(tmp_path / "county"))
    with own_server() as server:
        site = made.folder / "kerbwatch.yaml"
        site.write_text(site.read_text("utf-8").replace("database: null", f"database: {server.url}"), "utf-8")
        with Night(made, AS_OF) as night:
            assert night.wait_for("pass")
            for at_once in (True, False):
                night.wait_cpu(0.7)
                server.stop(at_once=at_once)
                time.sleep(1.0)
                server.start()
            assert night.end() == 0, night.errors
        assert "the database does not answer" in night.errors or "is begun again" in night.errors
        check(made, expected)


@pytest.mark.slow
def test_a_night_that_is_terminated_ends_in_ten_seconds_and_the_next_goes_on(
    composed: Made, expected: Left, tmp_path: Path
) -> None:
    made = small(composed.copy(tmp_path / "county"))
    with Night(made, AS_OF) as night:
        assert night.wait_for("pass")
        night.wait_cpu(0.5)
        night.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = night.end()
        assert time.monotonic() - began < 15  # ten, and some for a machine that does other things besides
    assert code in (0, 3, 75)
    assert wait_for_none(night.mark, 5.0) == []
    with Night(made, AS_OF) as following:
        assert following.end() == 0, following.errors
    assert left_by(made) == expected


@pytest.mark.slow
@pytest.mark.skipif(not SOAK, reason="two hundred kills take half an hour; set KERBWATCH_SOAK=1")
def test_a_night_killed_two_hundred_times_ends_as_an_undisturbed_one(composed: Made, tmp_path: Path) -> None:
    expected, whole_s = undisturbed(small(composed.copy(tmp_path / "undisturbed")))
    chance, kills, copies, began = random.Random(SEED), Counter[str](), 0, time.monotonic()
    print(f"undisturbed: {whole_s:.1f} s of processor time, {len(expected.chains)} issues", flush=True)
    while kills.total() < KILLS:
        made = small(composed.copy(tmp_path / f"{copies}"))
        kills += disturbed(made, chance, min(MOST_A_COPY, KILLS - kills.total()), LONGEST_S)
        check(made, expected)
        copies += 1
        took_s = time.monotonic() - began
        print(f"{kills.total()} kills, {copies} copies done, {took_s:.0f} s", dict(kills), flush=True)

"""One run at a time, by a row in the database; on SQLite and PostgreSQL."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from detector.core.times import Interval
from detector.database import Database, schema
from detector.runs.days import CameraDays
from detector.runs.lease import LeaseLost, Leases, LeaseTaken, this_process
from detector.runs.runs import Runs, RunState

pytest_plugins = ["database_fixture"]
NOW = datetime(2026, 1, 10, 3, tzinfo=UTC)
PERIOD = Interval(NOW - timedelta(days=30), NOW)
ELSEWHERE = "another-machine boot 7 1"


def test_a_second_holder_is_refused_while_the_first_renews(database: Database) -> None:
    leases = Leases(database)
    lease = leases.take("nightly", ELSEWHERE)
    with pytest.raises(LeaseTaken, match="another-machine"):
        leases.take("nightly")
    leases.renew(lease)
    assert leases.holder("nightly") == ELSEWHERE
    assert leases.take("other").name == "other"


def test_a_lease_that_is_held_outlasts_its_time_and_is_free_afterwards(database: Database) -> None:
    short, others = Leases(database, lease_s=1.5), Leases(database)
    with short.held("keeping") as still_mine:
        time.sleep(3.0)
        with pytest.raises(LeaseTaken):
            others.take("keeping")
        still_mine()
    assert others.holder("keeping") is None


def test_a_held_lease_that_another_took_is_told(database: Database) -> None:
    leases = Leases(database, lease_s=30.0)
    with leases.held("keeping") as still_mine:
        with database.begin() as connection:
            connection.execute(update(schema.leases).values(until=NOW))
        others = Leases(database)
        other = others.take("keeping", ELSEWHERE)
        with pytest.raises(LeaseLost):
            still_mine()
    assert others.holder("keeping") == other.holder


def test_a_lease_that_was_given_back_is_free_at_once(database: Database) -> None:
    leases = Leases(database)
    first = leases.take("nightly", ELSEWHERE)
    leases.give_back(first)
    assert leases.holder("nightly") is None
    assert leases.take("nightly").token == first.token + 1


def test_a_holder_elsewhere_that_stops_renewing_is_taken_over_and_can_write_no_more(
    database: Database,
) -> None:
    short = Leases(database, lease_s=0.3)
    dead = short.take("nightly", ELSEWHERE)
    run = Runs(database, short).begin(dead, PERIOD, NOW, {})
    time.sleep(0.4)
    leases = Leases(database)
    heir = leases.take("nightly")
    assert heir.token > dead.token
    heirs = Runs(database, leases).begin(heir, PERIOD, NOW, {})
    for write in (
        lambda: short.renew(dead),
        lambda: Runs(database, short).keep(dead, run.id, {"late": 1}),
        lambda: Runs(database, short).end(dead, run.id, RunState.DONE, NOW, {}),
        lambda: CameraDays(database).mark(short, dead, "c1", date(2026, 1, 9), "k", run.id, NOW),
    ):
        with pytest.raises(LeaseLost):
            write()
    short.give_back(dead)  # changes nothing
    assert leases.holder("nightly") == this_process()
    assert [(r.id, r.state) for r in Runs(database, leases).latest()] == [
        (heirs.id, RunState.RUNNING),
        (run.id, RunState.DIED),
    ]
    assert CameraDays(database).done("c1") == {}


def test_a_holder_of_this_machine_whose_process_is_gone_is_dead_at_once(database_url: str) -> None:
    code = (
        "import sys\n"
        "from detector.database import Database\n"
        "from detector.runs.lease import Leases\n"
        "with Database.open(sys.argv[1]) as database: print(Leases(database).take('nightly').token)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, database_url], capture_output=True, check=True)
    with Database.open(database_url) as database:
        assert Leases(database).take("nightly").token == int(done.stdout) + 1


def test_of_many_that_want_it_at_once_one_gets_it(database: Database) -> None:
    got: list[int] = []
    refused: list[str] = []
    barrier = threading.Barrier(8)

    def want(number: int) -> None:
        barrier.wait()
        try:
            got.append(Leases(database).take("nightly", f"machine{number} boot 1 1").token)
        except LeaseTaken as error:
            refused.append(str(error))

    threads = [threading.Thread(target=want, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (got, len(refused)) == ([1], 7)


def test_a_run_is_kept_as_it_goes_and_as_it_ended(database: Database) -> None:
    leases = Leases(database)
    lease = leases.take("nightly")
    runs = Runs(database, leases)
    run = runs.begin(lease, PERIOD, NOW, {"days_owed": 0})
    runs.keep(lease, run.id, {"days_owed": 3, "字": "值"})
    assert runs.get(run.id).summary == {"days_owed": 3, "字": "值"}
    ended = runs.end(lease, run.id, RunState.PARTIAL, NOW + timedelta(hours=1), {"days_owed": 2})
    assert (ended.state, ended.period, ended.finished_at) == (
        RunState.PARTIAL,
        PERIOD,
        NOW + timedelta(hours=1),
    )
    assert ended.to_json()["summary"] == {"days_owed": 2}


def test_a_day_is_done_under_its_last_key(database: Database) -> None:
    leases = Leases(database)
    lease = leases.take("nightly")
    days = CameraDays(database)
    for key in ("a", "a", "b"):
        days.mark(leases, lease, "c1", date(2026, 1, 9), key, 1, NOW)
    assert days.done("c1") == {date(2026, 1, 9): "b"}
    assert days.done("c2") == {}


def test_every_process_names_itself_otherwise() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        other = pool.apply(this_process)
        assert other != this_process() == this_process()


def test_a_holder_in_another_container_is_not_taken_for_dead(database: Database) -> None:
    """It has the machine's name and boot, and a number of a process that is nobody's here."""
    host, boot, pid, namespace, began = this_process().split()
    leases = Leases(database)
    leases.take("night", f"{host} {boot} {pid} {int(namespace) + 1} {int(began) + 1}")
    with pytest.raises(LeaseTaken):
        leases.take("night")
    leases.take("day", f"{host} {boot} {pid} {namespace} {int(began) + 1}")
    assert leases.take("day").token == 2

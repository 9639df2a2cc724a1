"""Workers that crash, hang, fail or are stopped: each job is accounted for. One contract for every engine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from crew_work import die_at_once, job, open_badly, open_badly_once, open_nothing, work
from made_archive import Made, Scanned, kerbwatch, results_of

from detector.cli.common import chosen, prepare
from detector.cli.engines import crew_of, on_engine
from detector.cli.nightly import clock
from detector.config.engine import EngineName
from detector.core.errors import BadInput
from detector.engines.crew import (
    STARTS,
    Crew,
    Done,
    Event,
    Failed,
    How,
    Lost,
    MachineUnfit,
    OpenCrew,
    local_crew,
    results,
)
from detector.engines.local import WorkerEnded
from detector.pipeline.days import DayScan, Job, Stopped
from detector.runs.runs import RunState
from detector.scheduling.night import Orders, run_night

pytest_plugins = ["ray_fixture", "archive_fixture", "bucket_fixture", "database_fixture"]
Engage = Callable[..., AbstractContextManager[Crew]]
MACHINES = 2
"""Of the cluster in `ray_fixture`: one that cannot work is left aside, the last one ends the crew."""


LONG_ON_RAY = pytest.mark.parametrize(
    "engage", ["local", pytest.param("ray", marks=pytest.mark.soak)], indirect=True
)


@pytest.fixture(params=["local", "ray"])
def engage(request: pytest.FixtureRequest) -> Engage:
    """Opens a crew of one engine after the other."""
    if request.param == "local":
        return local_crew
    request.getfixturevalue("ray_machines")
    from detector.engines.ray_crew import ray_crew

    return ray_crew


def play(crew: Crew, jobs: Sequence[Job], within_s: float = 150.0) -> dict[str, Event]:
    """Give out the jobs, and hear what became of each."""
    waiting, told = list(jobs), dict[str, Event]()
    deadline = time.monotonic() + within_s
    while (waiting or crew.busy()) and time.monotonic() < deadline:
        while waiting and crew.room() > 0:
            crew.submit(waiting.pop(0))
        for event in crew.events(0.2):
            assert event.job.camera_id not in told
            told[event.job.camera_id] = event
    assert crew.busy() == []
    assert crew.events(0.0) == []
    return told


def test_every_job_is_told_of_once_whatever_becomes_of_its_worker(engage: Engage) -> None:
    names = ("ok-1", "crash", "ok-2", "killed", "locked", "ok-3", "wrong", "missing", "bug", "ok-4")
    with engage(open_nothing, workers=2, work=work) as crew:
        told = play(crew, [job(name) for name in names])
    assert sorted(told) == sorted(names)
    for name, event in told.items():
        if name.startswith("ok"):
            assert isinstance(event, Done)
        elif name in ("crash", "killed"):
            assert isinstance(event, Lost)
            assert (event.how, event.path) == (How.CRASHED, Path("/recordings") / name)
        else:
            assert isinstance(event, Failed)
            assert event.error.transient == (name in ("locked", "missing"))
    assert "ZeroDivisionError" in str(told["bug"].error)
    assert "code 139" in told["crash"].detail
    assert "SIGKILL, perhaps for want of memory" in told["killed"].detail


@LONG_ON_RAY
def test_a_worker_that_waits_for_ever_and_one_that_never_ends_are_ended_and_named(engage: Engage) -> None:
    began = time.monotonic()
    with engage(open_nothing, workers=2, stall_s=4.0, limit_s=6.0, work=work) as crew:
        told = play(crew, [job("hang"), job("spin"), job("ok")])
    assert isinstance(told["ok"], Done)
    for name, why in (("hang", "did nothing for 4 s"), ("spin", "took longer than 6 s")):
        event = told[name]
        assert isinstance(event, Lost)
        assert (event.how, event.detail, event.path) == (How.STALLED, why, Path("/recordings") / name)
    assert time.monotonic() - began < 60


def test_a_worker_that_is_asked_to_stop_finishes_its_sample(engage: Engage, tmp_path: Path) -> None:
    with engage(open_nothing, workers=2, work=work) as crew:
        crew.submit(job(f"samples-{tmp_path / 'told'}"))
        wait_until_it_is_at_work(crew, tmp_path / "told")
        began = time.monotonic()
        (event,) = crew.stop(10.0)
        assert time.monotonic() - began < 3
        assert isinstance(event, Failed)
        assert isinstance(event.error, Stopped)
        assert crew.busy() == []


@LONG_ON_RAY
def test_a_worker_that_does_not_hear_is_ended_in_time(engage: Engage, tmp_path: Path) -> None:
    with engage(open_nothing, workers=1, work=work) as crew:
        crew.submit(job(f"hang-{tmp_path / 'told'}"))
        wait_until_it_is_at_work(crew, tmp_path / "told")
        time.sleep(0.2)
        began = time.monotonic()
        (event,) = crew.stop(0.5)
        assert time.monotonic() - began < 3
        assert isinstance(event, Failed)


@LONG_ON_RAY
def test_workers_that_cannot_open_what_they_need_end_the_crew_with_the_reason(engage: Engage) -> None:
    with engage(open_badly, workers=1, work=work) as crew:
        error, told = until_it_ends(crew, MACHINES)
    assert isinstance(error, BadInput)
    assert "the weights are gone" in str(error)
    assert all(isinstance(event, Failed) for event in told)


@LONG_ON_RAY
def test_workers_that_end_before_they_are_ready_end_the_crew_after_some_tries(engage: Engage) -> None:
    with engage(die_at_once, workers=1, work=work) as crew:
        error, told = until_it_ends(crew, MACHINES * STARTS)
    assert isinstance(error, WorkerEnded)
    assert f"{STARTS} workers" in str(error)
    assert sum(isinstance(event, Lost) for event in told) >= STARTS - 1


def test_no_process_outlives_its_crew(engage: Engage) -> None:
    with engage(open_nothing, workers=2, work=work) as crew:
        told = play(crew, [job("ok-1"), job("ok-2")])
        pids = {int(event.result.fault) for event in told.values() if isinstance(event, Done)}
        crew.submit(job("samples"))
    deadline = time.monotonic() + 15
    while (left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


@pytest.mark.slow
def test_a_machine_lost_in_mid_run_changes_no_result_whatever_the_bucket_does(
    ray_machines: Any,
    postgresql_url: str,
    bucket: Any,
    unscanned: Made,
    scanned_once: Scanned,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cluster, PostgreSQL, and a bucket that fails one request in ten, against one process, SQLite and folders."""
    bucket.failing.fail(0.1)
    monkeypatch.setenv("KERBWATCH_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("KERBWATCH_OBSERVATIONS_ROOT", f"{bucket.url}/observations")
    monkeypatch.setenv("KERBWATCH_EVIDENCE_ROOT", f"{bucket.url}/evidence")
    with (unscanned.folder / "kerbwatch.yaml").open("a") as site:
        site.write("\nnightly: {min_free_gb: 0}\n")  # whatever the disk of the machine that tests
    settings = on_engine(unscanned.settings, EngineName.RAY, None)
    run = run_night(
        Orders(
            settings,
            partial(losing, crew_of(settings, 2), ray_machines.lose),
            clock(settings, "2026-01-10T03:00"),
            prepare=partial(prepare, settings, chosen(settings, None)),
        )
    )
    told = run.summary
    assert (run.state, told["days_done"], told["lost_workers"]) == (RunState.DONE, 5, {"node_lost": 1})
    assert kerbwatch("issues", "verify", "-C", unscanned.folder).code == 0
    found = results_of(unscanned)
    monkeypatch.undo()
    assert found == results_of(scanned_once.made)
    assert bucket.failing.counts["failed"] >= 10


@pytest.mark.slow
def test_a_machine_that_cannot_work_is_left_aside_and_another_does_its_job(
    ray_machines: Any, tmp_path: Path
) -> None:
    from detector.engines.ray_crew import ray_crew

    with ray_crew(partial(open_badly_once, tmp_path / "told"), workers=1, work=work) as crew:
        failed = play(crew, [job("ok")])["ok"]
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, MachineUnfit)
        assert "is left aside: the weights are gone" in str(failed.error)
        (done,) = results(crew, [job("ok")])
        assert done.camera_id == "ok"


@pytest.mark.soak
@pytest.mark.slow
def test_an_actor_that_does_not_answer_is_given_up(
    ray_machines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detector.engines import ray_crew as room

    with room.ray_crew(open_nothing, workers=1, work=work) as crew:
        (told,) = play(crew, [job("ok")]).values()
        assert isinstance(told, Done)
        worker = Path(f"/proc/{told.result.fault}/stat").read_text().rpartition(")")[2].split()
        monkeypatch.setattr(room, "PULSE_S", 0.5)
        monkeypatch.setattr(room, "ANSWER_S", 3.0)
        os.kill(int(worker[1]), signal.SIGSTOP)
        (lost,) = play(crew, [job("ok")]).values()
        assert isinstance(lost, Lost)
        assert (lost.how, lost.path) == (How.STALLED, None)
        assert "did not answer" in lost.detail


@contextmanager
def losing(open_crew: OpenCrew, lose: Callable[[str], None]) -> Iterator[Crew]:
    """A crew that loses a machine half a second after a day's scan was begun there."""
    with open_crew() as crew:
        yield Losing(crew, lose)


class Losing:
    """Like the crew, but for the machine that it loses."""

    def __init__(self, crew: Any, lose: Callable[[str], None]) -> None:
        self._crew, self._lose = crew, lose
        self._begun: dict[Job, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._crew, name)

    def events(self, within_s: float) -> list[Event]:
        for engaged in self._crew._engaged:
            if isinstance(engaged.job, DayScan) and self._lose is not None:
                began = self._begun.setdefault(engaged.job, time.monotonic())
                if time.monotonic() - began > 0.5:
                    self._lose(engaged.node)
                    self._lose = None
        return self._crew.events(min(within_s, 0.1))


def until_it_ends(crew: Crew, tries: int) -> tuple[Exception, list[Event]]:
    """What ended the crew, and what was told of the jobs before."""
    told: list[Event] = []
    for _ in range(tries):
        try:
            told += play(crew, [job("ok")]).values()
        except (BadInput, WorkerEnded) as error:
            return error, told
    raise AssertionError(f"the crew goes on: {told}")


def wait_until_it_is_at_work(crew: Crew, told: Path) -> None:
    deadline = time.monotonic() + 120
    while not told.exists() and time.monotonic() < deadline:
        assert crew.events(0.1) == []
    assert told.exists()

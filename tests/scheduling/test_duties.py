"""What the service does by the clock beside the scan, and how it keeps the clock."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from clock_fixture import Clock
from desk_made import SHANGHAI, dispatched
from kept_folder import county, fill, with_retention
from receiver import KEY, receiving

from detector.cli import duties
from detector.cli.duties import Works
from detector.config.loop import Endpoint
from detector.config.settings import Settings
from detector.core.errors import BadInput, StorageFull
from detector.database import Database, DatabaseUnusable
from detector.dispatch import Desk
from detector.runs.lease import Leases
from detector.runs.runs import Runs, RunState
from detector.scheduling import service as room
from detector.scheduling.logs import SILENT, Log
from detector.scheduling.service import Duty, Service
from detector.scheduling.stopping import ENDED_EARLY

pytest_plugins = ["database_fixture", "desk_fixture", "archive_fixture"]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Only one kind here: what the duties call has its own tests on both."""
    Database.open(sqlite_url).close()
    return sqlite_url


@pytest.fixture
def settings(office_settings: Settings, tmp_path: Path, database_url: str) -> Settings:
    (tmp_path / "recordings").mkdir()
    return replace(
        office_settings,
        state_root=tmp_path / "state",
        archive_root=tmp_path / "recordings",
        evidence_root=tmp_path / "evidence",
        database_url=database_url,
    )


@pytest.fixture
def works(tmp_path: Path, clock: Clock) -> Works:
    return Works(Log(tmp_path / "logs"), threading.Event(), 1, clock)


def logged(works: Works, event: str) -> list[dict]:
    assert works.log.folder is not None
    files = works.log.folder.glob("*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


def test_a_deadline_that_is_over_is_announced_once_and_stands_in_the_log(
    desk: Desk, settings: Settings, works: Works, clock: Clock
) -> None:
    number = dispatched(desk)
    due_at = desk.queue.get(number).due_at
    assert due_at is not None
    clock.at = due_at + timedelta(minutes=1)
    for _ in range(2):
        duties.remind(works, settings)
    assert [(one["issue"], one["kind"]) for one in logged(works, "reminded")] == [(number, "overdue")]


def test_what_other_systems_are_owed_is_delivered_and_what_they_refuse_stays(
    desk: Desk, settings: Settings, works: Works, tmp_path: Path
) -> None:
    dispatched(desk)
    (tmp_path / "key").write_text(KEY)
    with receiving() as receiver:
        endpoint = Endpoint("platform", receiver.url, None, str(tmp_path / "key"), (), 5.0, 5)
        assert settings.loop is not None
        told = replace(settings, loop=replace(settings.loop, endpoints=(endpoint,)))
        receiver.answer = lambda _: 503
        duties.deliver_events(works, told)
        receiver.answer = lambda _: 204
        works.now.at += timedelta(hours=1)
        duties.deliver_events(works, told)
    assert logged(works, "delivered")[0]["failed"] == 1
    assert logged(works, "delivered")[1]["sent"] >= 3
    assert len(set(receiver.ids)) == logged(works, "delivered")[1]["sent"]


def test_the_brief_of_yesterday_is_written_once_its_time_is_over_and_is_owed_until_then(
    settings: Settings, works: Works, clock: Clock, weights: Path
) -> None:
    (duty,) = (one for one in duties.duties(works) if one.name == "brief")
    clock.at = datetime(2026, 1, 8, 7, 30, tzinfo=SHANGHAI)
    assert not duty.owed(settings)
    clock.at = datetime(2026, 1, 8, 10, tzinfo=SHANGHAI)
    assert duty.owed(settings)
    duty.act(settings)
    written = settings.state_root / "briefs" / "2026-01-07.docx"
    assert written.read_bytes()[:2] == b"PK"
    assert [path.name for path in written.parent.iterdir()] == [written.name]
    assert not duty.owed(settings)
    assert logged(works, "brief")[0]["file"] == str(written)


def test_a_summary_whose_time_passed_while_the_machine_was_off_or_the_database_away_is_owed(
    settings: Settings, works: Works, clock: Clock, tmp_path: Path
) -> None:
    (duty,) = (one for one in duties.duties(works) if one.name == "summary")
    clock.at = datetime(2026, 1, 8, 10, tzinfo=SHANGHAI)
    assert not duty.owed(settings), "there never was one: the service is new"
    duty.act(settings)
    assert not duty.owed(settings)
    clock.at = datetime(2026, 1, 9, 7, 0, tzinfo=SHANGHAI)
    assert not duty.owed(settings), "its time is 07:35"
    clock.at = datetime(2026, 1, 9, 9, 0, tzinfo=SHANGHAI)
    assert duty.owed(settings)
    away = replace(settings, database_url=f"sqlite:///{tmp_path}/file/x.db")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatabaseUnusable):
        duty.act(away)
    assert duty.owed(settings)
    duty.act(settings)
    assert not duty.owed(settings)
    kept = json.loads((settings.state_root / "mornings" / "2026-01-09.json").read_text("utf-8"))
    assert any("no run began in the night of 2026-01-08" in alert["en"] for alert in kept["alerts"])


def test_what_retention_removes_stands_in_the_log(tmp_path: Path, works: Works, clock: Clock) -> None:
    kept = county(tmp_path / "county")
    clock.at = datetime(2027, 1, 1, tzinfo=SHANGHAI)
    with Database.open(kept.database_url) as database:
        fill(kept, database)
    duties.keep(works, with_retention(kept, evidence_days=1))
    assert {one["kind"] for one in logged(works, "removed")} == {"evidence"}
    assert all("1 are kept" in one["why"] for one in logged(works, "removed"))


def test_a_full_disk_is_told_by_one_run_and_then_waited_for(
    settings: Settings, works: Works, weights: Path
) -> None:
    full = replace(settings, nightly=replace(settings.nightly, min_free_bytes=10**18))
    for _ in range(2):
        with pytest.raises(StorageFull, match="nearly full"):
            duties.scan(works, full)
    with Database.open(settings.database_url) as database:
        (run,) = Runs(database, Leases(database)).latest()
    assert run.state is RunState.PARTIAL
    assert duties.duties(works)[0].owed(full) is False, "at ten in the morning the night is over"


# The clock


def duty(name: str, act: Callable[[Settings], None], **more: object) -> Duty:
    return Duty(name, lambda s: s.nightly.start, act, **more)


def test_a_duty_that_is_owed_is_done_at_once_and_again_until_it_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGAIN_S", 0.05)
    tried, succeeded = [], threading.Event()

    def act(_: Settings) -> None:
        tried.append(1)
        if len(tried) < 3:
            raise BadInput("not yet")
        succeeded.set()

    folder = county(tmp_path / "county").folder
    owed = duty("scan", act, owed=lambda _: not succeeded.is_set())
    never = duty("other", lambda _: tried.append(2))
    service = Service(folder, [owed, never], Log(tmp_path / "logs"))
    service.start()
    assert succeeded.wait(20)
    service.shut_down()
    assert tried == [1, 1, 1]
    assert not service.alive()


def test_a_mistake_of_the_program_stands_in_the_log_and_the_duty_is_begun_again(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGAIN_S", 0.05)
    tried, succeeded = [], threading.Event()

    def act(_: Settings) -> None:
        tried.append(1)
        if len(tried) < 3:
            raise ZeroDivisionError("on purpose")
        succeeded.set()

    folder = county(tmp_path / "county").folder
    service = Service(folder, [duty("scan", act, owed=lambda _: not succeeded.is_set())], works.log)
    service.start()
    assert succeeded.wait(20)
    service.shut_down()
    told = logged(works, "job failed")
    assert [(one["job"], one["why"]) for one in told] == [("scan", "ZeroDivisionError('on purpose')")] * 2
    assert "in act" in told[0]["where"]


def test_of_duties_that_go_alone_one_waits_for_the_other_and_the_rest_for_none(tmp_path: Path) -> None:
    within, most, quick = [], [], threading.Event()

    def slow(_: Settings) -> None:
        within.append(1)
        most.append(len(within))
        quick.wait(10)
        time.sleep(0.05)
        within.pop()

    folder = county(tmp_path / "county").folder
    both = [duty(name, slow, alone=True, owed=lambda _: True) for name in ("scan", "keeping")]
    third = duty("deliver", lambda _: quick.set(), owed=lambda _: True)
    service = Service(folder, [*both, third], SILENT)
    service.start()
    deadline = time.monotonic() + 20
    while len(most) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    service.shut_down()
    assert quick.is_set()
    assert most == [1, 1]


def test_a_changed_hour_holds_at_once_and_what_did_not_change_keeps_its_time(tmp_path: Path) -> None:
    folder = county(tmp_path / "county").folder
    summary = Duty("summary", lambda s: s.nightly.summary, lambda _: None)
    service = Service(folder, [duty("scan", lambda _: None), summary], SILENT)
    service.start()
    try:
        before = {job.id: job.trigger for job in service._scheduler.get_jobs()}
        with (folder / "kerbwatch.yaml").open("a") as site:
            site.write('\nnightly: {start: "30 21 * * *"}\n')
        service._do("summary")
        after = {job.id: job for job in service._scheduler.get_jobs()}
        assert after["scan"].next_run_time.astimezone(SHANGHAI).strftime("%H:%M") == "21:30"
        assert after["summary"].trigger is before["summary"]
        (folder / "kerbwatch.yaml").write_text("no: [")
        service._do("summary")
        assert set(after) <= {job.id for job in service._scheduler.get_jobs()}, "by the last good settings"
    finally:
        service.shut_down()


# The end

LOOP = """
import sys, zlib
from detector.scheduling.stopping import asked_to_stop
with asked_to_stop(within_s=float(sys.argv[1])) as stop:
    print("ready", flush=True)
    data = bytes(50_000_000)
    while sys.argv[2] == "deaf" or not stop.is_set():
        zlib.compress(data, 1)
print("ended by itself")
"""


@pytest.mark.parametrize(
    ("signals", "within_s", "hears", "code"),
    [
        ([signal.SIGTERM], 30.0, "hears", 0),
        ([signal.SIGTERM], 0.5, "deaf", ENDED_EARLY),
        ([signal.SIGINT, signal.SIGINT], 30.0, "deaf", 128 + signal.SIGINT),
    ],
    ids=["at once", "in time", "second"],
)
def test_a_program_that_is_asked_to_stop_ends(
    signals: list[signal.Signals], within_s: float, hears: str, code: int
) -> None:
    words = [sys.executable, "-c", LOOP, str(within_s), hears]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
        began = time.monotonic()
        for number in signals:
            program.send_signal(number)
            time.sleep(0.3)
        assert program.wait(20) == code
    assert time.monotonic() - began < 10

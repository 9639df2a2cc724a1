"""What people and monitors see of the nights: the morning summary by log, webhook and mail, metrics, health."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from kept_folder import county, fill
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from detector.config.nightly import MailSettings, NightlySettings
from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.times import Interval, local_day
from detector.core.values import Recording, RecordingState
from detector.database import Database, schema
from detector.footage.catalogue import Catalogue
from detector.runs.lease import Leases, this_process
from detector.runs.metrics import metrics_text
from detector.runs.readiness import readiness
from detector.runs.runs import Runs, RunState
from detector.scheduling import morning
from detector.scheduling.endpoint import endpoint
from detector.scheduling.logs import Log
from detector.scheduling.morning import Morning, morning_of, send
from detector.scheduling.night import deadline_after, horizon
from detector.scheduling.service import is_night, next_time, trigger

pytest_plugins = ["database_fixture"]
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 1, 7, 35, tzinfo=SHANGHAI)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    made = county(tmp_path / "county", database_url)
    return replace(made, nightly=replace(made.nightly, min_free_bytes=0))


def run_at(
    settings: Settings, began: datetime, state: RunState, ended: datetime | None = None, **summary: object
) -> None:
    with Database.open(settings.database_url) as database:
        leases = Leases(database)
        lease = leases.take("nightly")
        runs = Runs(database, leases)
        run = runs.begin(lease, horizon(settings, began), began, summary)
        if state is not RunState.RUNNING:
            runs.end(lease, run.id, state, ended or began + timedelta(hours=2), summary)
            leases.give_back(lease)


def nights(settings: Settings, *without: int) -> None:
    """Whole runs in the last three nights, but for those so many days ago."""
    for days in (3, 2, 1):
        if days not in without:
            began = datetime(2026, 6, 1, 20, 0, 5, tzinfo=SHANGHAI) - timedelta(days=days)
            run_at(
                settings,
                began,
                RunState.DONE,
                cameras=1,
                days_done=5,
                days_owed=5,
                samples=100,
                filed={"new": 2},
            )


def told(settings: Settings) -> Morning:
    with Database.open(settings.database_url) as database:
        return morning_of(settings, database, NOW)


def test_a_good_night_is_told_in_two_languages_and_alarms_nobody(settings: Settings) -> None:
    nights(settings)
    summary = told(settings)
    assert summary.alerts == ()
    assert "5 of 5 owed camera-days done" in summary.text()
    assert "应检 5 个点位日，完成 5 个" in summary.text()


def test_a_night_without_a_run_is_missed_and_named(settings: Settings) -> None:
    nights(settings, 2)
    assert [en for en, _ in told(settings).alerts] == ["no run began in the night of 2026-05-30 20:00"]


def test_nights_before_the_very_first_run_were_not_missed_but_without_any_run_all_were(
    settings: Settings,
) -> None:
    assert len(told(settings).alerts) == 3
    run_at(settings, datetime(2026, 5, 31, 20, tzinfo=SHANGHAI), RunState.DONE)
    assert told(settings).alerts == ()


def test_a_run_that_failed_or_left_something_or_gave_something_up_alarms(settings: Settings) -> None:
    nights(settings, 1)
    run_at(
        settings, datetime(2026, 5, 31, 20, tzinfo=SHANGHAI), RunState.FAILED, ended_because="no weights",
        missing=[{"camera": "p001", "day": "2026-05-30", "why": "its deadline came"}],
        camera_faults={"p001": "no such folder"}, quarantined=["p001: a.mp4: crashed 3 times"],
    )  # fmt: skip
    english = " | ".join(en for en, _ in told(settings).alerts)
    for words in ("failed: no weights", "1 camera-days are still owed", "no such folder", "given up"):
        assert words in english


def test_a_night_that_a_long_run_was_still_at_work_in_was_not_missed(settings: Settings) -> None:
    began = datetime(2026, 5, 29, 20, tzinfo=SHANGHAI)
    run_at(settings, began, RunState.DONE, ended=began + timedelta(hours=25), cameras=1)
    run_at(settings, began + timedelta(days=2), RunState.DONE, cameras=1)
    assert told(settings).alerts == ()


def test_a_run_whose_process_is_gone_is_told_as_dead_at_once(settings: Settings) -> None:
    nights(settings, 1)
    began = datetime(2026, 5, 31, 20, tzinfo=SHANGHAI)
    with Database.open(settings.database_url) as database:
        leases = Leases(database)
        lease = leases.take("nightly", this_process())
        Runs(database, leases).begin(lease, horizon(settings, began), began, {"days_done": 1})
    assert told(settings).alerts == ()  # it lives
    with Database.open(settings.database_url) as database:
        assert samples(metrics_text(database, NOW))["kerbwatch_run_active"] == 1
        dead = (
            this_process().rpartition(" ")[0] + " 1"
        )  # the same number, begun at another time: another process
        with database.begin() as connection:
            connection.execute(update(schema.leases).values(holder=dead))
        assert samples(metrics_text(database, NOW))["kerbwatch_run_active"] == 0
    assert [en for en, _ in told(settings).alerts] == ["the last run died: "]


def record(settings: Settings, *parts: tuple[datetime, datetime]) -> None:
    camera = settings.points[0].cameras[0]
    found = [
        Recording(camera.id, f"{number}.mp4", 1, 1, Interval(*part), RecordingState.READABLE)
        for number, part in enumerate(parts)
    ]
    with Database.open(settings.database_url) as database:
        Catalogue(database).remember(camera.id, found, NOW)


LOOKED = datetime(2026, 5, 31, 20, 0, 5, tzinfo=SHANGHAI)
"""When the run of the last night began."""


def test_a_camera_that_recorded_until_the_run_looked_alarms_nobody(settings: Settings) -> None:
    """As on every morning: what came between the run's look and midnight is found in the next night."""
    nights(settings)
    record(settings, (LOOKED - timedelta(days=40), LOOKED - timedelta(minutes=40)))
    assert told(settings).alerts == ()


def test_coverage_that_fell_is_told_with_what_is_usual(settings: Settings) -> None:
    nights(settings)
    day = timedelta(days=1)
    until = LOOKED - timedelta(hours=1)
    record(settings, (until - 20 * day, until - day), (until - day, until - 0.75 * day))
    camera = settings.points[0].cameras[0]
    ((english, chinese),) = told(settings).alerts
    assert english == f"{camera.id}: 25% of the day until 2026-05-31 19:00 is recorded, usually 100%"
    assert "25%" in chinese


@pytest.mark.parametrize("days", [2, 10, 25, 60])
def test_a_camera_that_records_nothing_any_more_is_told_of_every_morning(
    settings: Settings, days: int
) -> None:
    nights(settings)
    stopped = LOOKED - timedelta(days=days)
    record(settings, (stopped - timedelta(days=30), stopped))
    ((english, _),) = told(settings).alerts
    assert ("usually 100%" in english) or (f"since {stopped:%Y-%m-%d %H:%M}" in english)


def test_coverage_is_no_matter_where_no_run_looked_through_the_folders(settings: Settings) -> None:
    run_at(settings, LOOKED, RunState.FAILED, ended_because="no weights", cameras=0)
    record(settings, (LOOKED - timedelta(days=9), LOOKED - timedelta(days=2)))
    assert [en for en, _ in told(settings).alerts] == ["the last run failed: no weights"]


def test_a_new_camera_has_no_usual_days_yet(settings: Settings) -> None:
    nights(settings)
    record(settings, (LOOKED - timedelta(hours=9), LOOKED - timedelta(hours=1)))
    assert told(settings).alerts == ()


@contextmanager
def listener(answers: list[int]) -> Iterator[tuple[str, list[dict]]]:
    """A webhook's receiver that answers with these codes, one after another."""
    got: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", got
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802  # the name that aiosmtpd calls
        self.got.append(envelope.content)
        return "250 OK"


def test_the_summary_goes_to_log_webhook_and_mail_and_a_failing_receiver_is_tried_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(morning, "AGAIN_S", 0.01)
    nights(settings, 2)
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        host, port = controller.server.sockets[0].getsockname()[:2]
        with listener([500, 503]) as (url, got):
            mail = MailSettings(f"{host}:{port}", "kerbwatch@county.example", ("a@county.example",))
            nightly = replace(settings.nightly, webhook=url, mail=mail)
            summary = told(settings)
            assert send(replace(settings, nightly=nightly), summary, Log(tmp_path / "logs")) == []
    finally:
        controller.stop()
    assert len(got) == 3
    assert got[-1]["alerts"][0]["en"].startswith("no run began")
    message = message_from_bytes(box.got[0], policy=policy.default)
    assert "1 项需处理" in message["Subject"]
    assert "没有运行" in message.get_content()
    (log,) = (tmp_path / "logs").iterdir()
    assert json.loads(log.read_text().splitlines()[-1])["event"] == "morning"


def test_a_receiver_that_is_not_there_is_told_and_stops_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(morning, "AGAIN_S", 0.01)
    nights(settings)
    mail = MailSettings("127.0.0.1:1", "k@x.example", ("a@x.example",))
    nightly = replace(settings.nightly, webhook="http://127.0.0.1:1/x", mail=mail)
    failed = send(replace(settings, nightly=nightly), told(settings), Log(tmp_path / "logs"))
    assert [one.partition(":")[0] for one in failed] == ["webhook", "mail"]


def samples(text: bytes) -> dict[str, float]:
    return {
        sample.name + "".join(f"[{v}]" for v in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_metrics_say_how_the_nights_and_the_queue_stand(settings: Settings) -> None:
    nights(settings)
    run_at(
        settings, NOW - timedelta(hours=1), RunState.RUNNING, samples=40, samples_per_s=2.5, days_owed=9,
        days_done=4, oldest_owed_day="2026-05-30", failures={"gone": 2}, stages_s={"observe": 3.5},
        lost_workers={"crashed": 1}, remaining_s=None,
    )  # fmt: skip
    with Database.open(settings.database_url) as database:
        fill(settings, database)
        found = samples(metrics_text(database, NOW.astimezone(UTC)))
    wanted = {
        "kerbwatch_run_active": 1, "kerbwatch_run_samples": 40, "kerbwatch_run_samples_per_s": 2.5,
        "kerbwatch_run_failures[gone]": 2, "kerbwatch_run_stage_seconds[observe]": 3.5,
        "kerbwatch_run_lost_workers[crashed]": 1, "kerbwatch_issues[rejected]": 2,
        "kerbwatch_issues[flagged]": 1, "kerbwatch_lag_seconds": 86_400,
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    assert found["kerbwatch_last_whole_run_age_seconds"] == pytest.approx(34_495)
    assert "kerbwatch_run_remaining_s" not in found


def test_an_empty_database_has_metrics_too(settings: Settings) -> None:
    with Database.open(settings.database_url) as database:
        found = samples(metrics_text(database, NOW))
    assert found == {"kerbwatch_run_active": 0, "kerbwatch_recordings_given_up": 0}


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_endpoint_tells_metrics_health_and_what_it_is_not_ready_for(settings: Settings) -> None:
    alive = [True]
    listening = replace(settings, nightly=replace(settings.nightly, listen="127.0.0.1:0"))
    with endpoint(listening, lambda: alive[0], lambda: NOW) as url:
        assert "kerbwatch_run_active 0.0" in get(f"{url}/metrics")[1]
        assert get(f"{url}/healthz") == (200, '{"alive": true}')
        assert get(f"{url}/readyz")[0] == 200
        assert get(f"{url}/other")[0] == 404
        alive[0] = False
        assert get(f"{url}/healthz")[0] == 503
        settings.archive_root.rmdir()
        code, faults = get(f"{url}/readyz")
        assert (code, "no such folder" in faults) == (503, True)


def test_a_full_disk_and_a_database_that_is_gone_are_no_readiness(settings: Settings, tmp_path: Path) -> None:
    full = replace(settings, nightly=replace(settings.nightly, min_free_bytes=10**18))
    assert "nearly full" in readiness(full)["disk"]
    gone = replace(settings, database_url=f"sqlite:///{tmp_path}/none.db")
    assert "no such file" in readiness(gone)["database"]


def in_zone(settings: Settings, zone: ZoneInfo, **nightly: object) -> Settings:
    return replace(settings, timezone=zone, nightly=replace(NightlySettings(), **nightly))


@given(
    minute=st.integers(0, 24 * 60 - 1),
    year=st.integers(2020, 2035),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_every_local_day_has_its_start_whatever_the_clocks_do(minute: int, year: int, zone: str) -> None:
    tz = ZoneInfo(zone)
    expression = f"{minute % 60} {minute // 60} * * *"
    # Around every change of clocks of the year, and nowhere else is anything remarkable.
    days = [date(year, 1, 1) + timedelta(days=k) for k in range(365)]
    changes = [d for d in days if local_day(d, tz).duration_s != 86_400]
    for change in changes:
        at = local_day(change - timedelta(days=1), tz).start - timedelta(seconds=1)
        until = local_day(change + timedelta(days=1), tz).end
        fired = []
        while (at := next_time(expression, tz, at)) < until:
            fired.append(at.astimezone(tz).date())
        assert sorted(set(fired)) == [change + timedelta(days=k) for k in (-1, 0, 1)]
        assert len(fired) == 3


@pytest.mark.parametrize(
    ("at", "deadline"),
    [
        (datetime(2026, 3, 28, 20, tzinfo=BERLIN), datetime(2026, 3, 29, 5, 30, tzinfo=UTC)),
        (datetime(2026, 10, 24, 20, tzinfo=BERLIN), datetime(2026, 10, 25, 6, 30, tzinfo=UTC)),
        (datetime(2026, 6, 1, 7, 30, tzinfo=BERLIN), datetime(2026, 6, 2, 5, 30, tzinfo=UTC)),
        (datetime(2026, 6, 1, 7, 29, tzinfo=BERLIN), datetime(2026, 6, 1, 5, 30, tzinfo=UTC)),
    ],
)
def test_the_deadline_is_the_next_one_on_the_wall(tmp_path: Path, at: datetime, deadline: datetime) -> None:
    settings = in_zone(county(tmp_path / "c"), BERLIN)
    found = deadline_after(settings, at)
    assert found is not None
    assert found.astimezone(UTC) == deadline


def test_a_deadline_in_the_hour_that_clocks_skip_still_comes(tmp_path: Path) -> None:
    settings = in_zone(county(tmp_path / "c"), BERLIN, deadline=time(2, 30))
    found = deadline_after(settings, datetime(2026, 3, 28, 20, tzinfo=BERLIN))
    assert found is not None
    assert found.astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_service_that_is_started_in_the_night_runs_at_once_and_by_day_not(tmp_path: Path) -> None:
    settings = in_zone(county(tmp_path / "c"), SHANGHAI)
    hours = {
        hour: is_night(settings, datetime(2026, 6, 1, hour, 15, tzinfo=SHANGHAI))
        for hour in (3, 7, 8, 19, 21)
    }
    assert hours == {3: True, 7: True, 8: False, 19: False, 21: True}
    assert not is_night(in_zone(settings, SHANGHAI, deadline=None), NOW)


def test_the_period_of_a_run_is_today_and_the_days_before_it(tmp_path: Path) -> None:
    settings = in_zone(county(tmp_path / "c"), SHANGHAI)
    period = horizon(settings, datetime(2026, 6, 1, 16, 30, tzinfo=UTC))  # 00:30 of the second in Shanghai
    assert period.end == local_day(date(2026, 6, 2), SHANGHAI).end
    assert period.duration_s == 30 * 86_400


def test_what_is_no_cron_expression_is_bad_input() -> None:
    with pytest.raises(BadInput, match="61"):
        trigger("61 20 * * *", SHANGHAI)

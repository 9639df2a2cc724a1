"""`serve --nightly`: the browser app with the nights in it, as one program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kept_folder import county
from made_archive import command

from detector.database import Database
from detector.people import People, Role
from detector.people.roles import PROGRAM


def ask(url: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def token_of(database: Database, login: str, role: Role, department: str | None = None) -> str:
    people = People(database, lambda: datetime.now(UTC))
    people.create(PROGRAM, login, name=login, role=role, department=department, password="correct horse 9")
    return people.issue_token(PROGRAM, login, "prometheus", datetime.now(UTC) + timedelta(days=30))[0]


@pytest.mark.slow
def test_serve_runs_the_duties_tells_how_it_is_and_ends_in_ten_seconds(tmp_path: Path) -> None:
    settings = county(tmp_path / "county")
    with Database.open(settings.database_url) as database:
        viewer = token_of(database, "monitor", Role.VIEWER)
        police = token_of(database, "zhou", Role.DEPARTMENT, "traffic_police")
    with (settings.folder / "kerbwatch.yaml").open("a") as site:
        site.write('\nnightly: {min_free_gb: 0, start: "0 0 1 1 *", deadline: null}\n')
    words = [*command(), "serve", "-C", str(settings.folder), "--port", "0", "--nightly"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as program:
        try:
            assert program.stdout
            line = program.stdout.readline()
            url = line.partition(" at ")[2].partition(";")[0].rstrip("/")
            assert ask(f"{url}/healthz") == (200, '{"alive":true}')
            assert ask(f"{url}/readyz") == (200, '{"ready":true,"faults":[]}')
            assert ask(f"{url}/metrics")[0] == 401
            assert ask(f"{url}/metrics", police)[0] == 403
            code, text = ask(f"{url}/metrics", viewer)
            assert (code, "kerbwatch_run_active 0.0" in text) == (200, True)
            settings.archive_root.rmdir()
            assert ask(f"{url}/readyz") == (503, '{"ready":false,"faults":["recordings"]}')
        finally:
            began = time.monotonic()
            program.send_signal(signal.SIGTERM)
            program.wait(30)
    assert time.monotonic() - began < 15  # ten, and some for a busy machine
    (log,) = (settings.state_root / "logs").iterdir()
    jobs = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {one["job"] for one in jobs if one["event"] == "job"} >= {
        "scan", "summary", "brief", "keeping", "remind", "accept",
    }  # fmt: skip

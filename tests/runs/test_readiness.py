"""What is away is told within a bounded time, and is no fault any more once it is back."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kept_folder import county
from own_server import own_server

from detector.config.settings import Settings
from detector.database import Database
from detector.runs.readiness import Probes, readiness
from detector.scheduling.endpoint import endpoint

pytest_plugins = ["bucket_fixture", "database_fixture"]
WITHIN_S = 3.0
BUSY_S = 5.0
"""What a busy machine may take on top."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = county(tmp_path / "county")
    Database.open(made.database_url).close()
    made.archive_root.mkdir(exist_ok=True)
    return replace(made, nightly=replace(made.nightly, min_free_bytes=0))


@pytest.fixture
def on_bucket(settings: Settings, bucket) -> Settings:
    places = {f"{kind}_root": f"{bucket.url}/{kind}" for kind in ("observations", "evidence")}
    return replace(settings, **places)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_bucket_that_fails_is_told_and_ready_again_when_it_is_back(on_bucket: Settings, bucket) -> None:
    probes = Probes(WITHIN_S)
    assert probes.faults(on_bucket) == {}
    bucket.failing.fail(1.0)
    faults = probes.faults(on_bucket)
    assert sorted(faults) == ["evidence", "observations"]
    assert all("does not answer" in fault for fault in faults.values())
    bucket.failing.fail(0.0)
    wait_until_ready(probes, on_bucket)


def test_the_services_endpoint_says_503_and_why_and_200_again(on_bucket: Settings, bucket) -> None:
    listening = replace(on_bucket, nightly=replace(on_bucket.nightly, listen="127.0.0.1:0"))
    with endpoint(listening, lambda: True, lambda: datetime.now(UTC)) as url:
        assert asked(url)[0] == 200
        bucket.failing.fail(1.0)
        code, said = asked(url)
        assert (code, sorted(said["faults"])) == (503, ["evidence", "observations"])
        assert "does not answer" in said["faults"]["evidence"]
        bucket.failing.fail(0.0)
        deadline = time.monotonic() + 60
        while asked(url) != (200, {"ready": True, "faults": {}}):
            assert time.monotonic() < deadline


def asked(url: str) -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_one_failed_request_in_ten_is_no_fault(on_bucket: Settings, bucket) -> None:
    bucket.failing.fail(0.1)
    probes = Probes(30.0)
    assert [probes.faults(on_bucket) for _ in range(5)] == [{}] * 5
    assert bucket.failing.counts["failed"]


def test_a_bucket_that_never_answers_is_told_in_time_by_two_threads_at_most(
    on_bucket: Settings, bucket
) -> None:
    probes = Probes(WITHIN_S)
    assert probes.faults(on_bucket) == {}
    bucket.failing.answering.clear()
    for _ in range(2):
        began = time.monotonic()
        faults = probes.faults(on_bucket)
        assert time.monotonic() - began < WITHIN_S + BUSY_S
        assert faults == {
            "observations": "does not answer within 3 s", "evidence": "does not answer within 3 s",
        }  # fmt: skip
    waiting = [one.name for one in threading.enumerate() if one.name.endswith(" ready")]
    assert sorted(waiting) == ["evidence ready", "observations ready"]
    bucket.failing.answering.set()
    wait_until_ready(probes, on_bucket)


def test_a_bucket_that_is_not_there_is_told(settings: Settings, bucket) -> None:
    faults = readiness(replace(settings, evidence_root="s3://no-such-county/evidence"), 30.0)
    assert faults == {"evidence": "s3://no-such-county/evidence: there is no such bucket"}


def test_a_database_that_never_answers_is_told_in_time(settings: Settings, silent_port: int) -> None:
    silent = replace(settings, database_url=f"postgresql+psycopg://k@127.0.0.1:{silent_port}/k")
    began = time.monotonic()
    assert readiness(silent, WITHIN_S) == {"database": "does not answer within 3 s"}
    assert time.monotonic() - began < WITHIN_S + BUSY_S


def test_a_database_that_is_stopped_is_told_and_ready_again_when_it_is_back(settings: Settings) -> None:
    with own_server() as server:
        on_server = replace(settings, database_url=server.url)
        Database.open(server.url).close()
        probes = Probes(10.0)
        assert probes.faults(on_server) == {}
        server.stop()
        assert list(probes.faults(on_server)) == ["database"]
        server.start()
        wait_until_ready(probes, on_server)


def test_a_folder_that_may_not_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    faults = readiness(replace(settings, evidence_root=tmp_path / "file"), 30.0)
    assert list(faults) == ["evidence"]
    assert "may not be written" in faults["evidence"]


def wait_until_ready(probes: Probes, settings: Settings) -> None:
    deadline = time.monotonic() + 60
    while faults := probes.faults(settings):
        assert time.monotonic() < deadline, faults
        time.sleep(0.2)

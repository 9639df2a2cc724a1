"""`--engine ray` without an address: a cluster of this machine, for as long as the command runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from made_archive import Made, Scanned, command, kerbwatch, results_of

from detector.config.manifest import cache_folder

pytest_plugins = ["archive_fixture"]
AS_OF = ("--once", "--as-of", "2026-01-10T03:00", "--engine", "ray", "--workers", "1")


def processes_in(place: Path) -> list[str]:
    """The command lines of living processes that were started with this folder for temporary files."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if f"TMPDIR={place}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_text())
            except OSError:
                continue
    return found


@pytest.mark.slow
def test_a_run_on_ray_stops_when_asked_leaves_nothing_running_and_the_local_engine_goes_on(
    unscanned: Made, scanned_once: Scanned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (unscanned.folder / "kerbwatch.yaml").open("a") as site:
        site.write("\nnightly: {min_free_gb: 0}\n")  # whatever the disk of the machine that tests
    place = Path("/tmp", f"kw-{os.getpid()}")  # a socket's path must be short
    place.mkdir()
    environment = os.environ | {"TMPDIR": str(place), "HOME": str(tmp_path_factory.mktemp("home"))}
    environment["KERBWATCH_CACHE"] = str(cache_folder())
    words = [*command(), "nightly", "-C", str(unscanned.folder), *AS_OF, "--json"]
    try:
        with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
            until_a_day_is_done(unscanned, process)
            process.send_signal(signal.SIGTERM)
            asked = time.monotonic()
            out, _ = process.communicate(timeout=60)
            took_s = time.monotonic() - asked
        told = json.loads(out)
        assert (process.returncode, told["state"]) == (3, "partial")
        assert (told["summary"]["ended_because"], told["summary"]["engine"]) == ("asked to stop", "ray")
        assert took_s < 30  # 10 where the machine has nothing else to do
        deadline = time.monotonic() + 20
        while (left := processes_in(place)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert left == []
        assert list(place.iterdir()) == []
    finally:
        place.rmdir()
    rest = kerbwatch("nightly", "-C", unscanned.folder, *AS_OF, "--engine", "local", "--json")
    assert rest.code == 0, rest.err
    assert results_of(unscanned) == results_of(scanned_once.made)


def until_a_day_is_done(made: Made, process: subprocess.Popen[str]) -> None:
    logs, deadline = made.folder / "state" / "logs", time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if any('"event": "day"' in path.read_text() for path in logs.glob("*.jsonl")):
            return
        time.sleep(0.05)
    raise AssertionError(f"no day was done: {process.poll()}")


def test_what_does_not_go_together_is_said(unscanned: Made) -> None:
    told = kerbwatch("scan", "-C", unscanned.folder, "--ray-address", "10.0.0.5:6379")
    assert (told.code, "--ray-address goes with --engine ray" in told.err) == (2, True)
    with (unscanned.folder / "kerbwatch.yaml").open("a") as site:
        site.write("\nengine: {name: ray, address: somewhere, cpus: 0, gpus: 1.5}\n")
    told = kerbwatch("points", "-C", unscanned.folder)
    assert told.code == 2
    for fault in ("engine.address: 'somewhere' is no address", "engine.cpus", "engine.gpus: 1.5 is above 1"):
        assert fault in told.err

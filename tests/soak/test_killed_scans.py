"""SIGKILL at any moment of a scan loses nothing: started again until it is done, it ends as if undisturbed."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from made_archive import FIRST, LENGTH_S, PERIOD, Made, Scanned, kerbwatch, place_of
from processes import cpu_s, kill, observed, run, snapshot, start, unfinished, wait_for_none

from detector.core.times import local_day

pytest_plugins = ["archive_fixture"]
SOAK = os.environ.get("KERBWATCH_SOAK") == "1"
ORPHANS_END_WITHIN_S = 30.0
MORE_DAYS = 10
START_CPU_S = 2.5
"""What it costs to start a process: libraries and the model."""


@dataclass(frozen=True)
class Kill:
    """One kill: after how much processor time, of the parent or of the whole group, and what was done by then."""

    after_cpu_s: float
    of_group: bool
    recordings: int


def run_until_killed_or_done(
    made: Made, words: tuple[object, ...], after_cpu_s: float, *, group: bool
) -> Kill | None:
    """None where the scan was done before; then its exit code says so (3: the empty file).

    Moments are counted in processor time, so that they fall on the same work however busy the machine is.
    """
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    process = start(("scan", "-C", made.folder, *words), mark)
    while process.poll() is None and cpu_s(process.pid) < after_cpu_s:
        time.sleep(0.03)
    killed = process.poll() is None
    if killed:
        kill(process, group=group)
    assert process.stderr
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert wait_for_none(mark, ORPHANS_END_WITHIN_S) == []
    if killed:
        return Kill(round(after_cpu_s, 1), group, observed(made))
    assert process.returncode == 3, errors
    return None


def check_kills(
    fresh: Callable[[], Made], reference: Made, words: tuple[object, ...], kills: int, longest_cpu_s: float
) -> list[Kill]:
    """Kill scans of new copies at random moments, each started again until it is done, until there were enough."""
    expected, chance, done = snapshot(reference), random.Random(f"{words}"), list[Kill]()
    while len(done) < kills:
        made = fresh()
        while len(done) < kills:
            after_s = chance.uniform(0.5, longest_cpu_s)
            killed = run_until_killed_or_done(made, words, after_s, group=bool(len(done) % 2))
            if killed is None:
                break
            done.append(killed)
        assert run_until_killed_or_done(made, words, math.inf, group=False) is None
        assert unfinished(made) == []
        assert snapshot(made) == expected
        verified = kerbwatch("issues", "verify", "-C", made.folder)
        assert verified.code == 0, verified.out
    return done


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2] if SOAK else [2])
def test_a_scan_killed_three_times_ends_as_an_undisturbed_one(
    composed: Made, scanned_once: Scanned, tmp_path: Path, workers: int
) -> None:
    numbers = count()
    kills = check_kills(
        lambda: composed.copy(tmp_path / f"{next(numbers)}"),
        scanned_once.made,
        (*PERIOD, "--workers", workers),
        3,
        START_CPU_S * workers + scanned_once.cpu_s,
    )
    print(*kills, sep="\n")


@pytest.mark.slow
@pytest.mark.skipif(not SOAK, reason="twenty kills take minutes; set KERBWATCH_SOAK=1")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_scan_killed_twenty_times_ends_as_an_undisturbed_one(
    composed: Made, tmp_path: Path, workers: int
) -> None:
    more = composed.copy(tmp_path / "more")
    for point_id, day in (("p001", FIRST), ("p025", FIRST + timedelta(days=1))):
        (camera,) = more.settings.point(point_id).cameras
        midnight = local_day(day, camera.timezone).start.astimezone(camera.timezone)
        begin = midnight + timedelta(hours=8, minutes=30)
        source = place_of(more.settings, camera, begin, LENGTH_S)
        for later in range(2, 2 + MORE_DAYS):
            link = place_of(more.settings, camera, begin + timedelta(days=later), LENGTH_S)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, link)
    words = ("--until", "2026-01-21", "--days", 14, "--workers", workers)
    reference, numbers = more.copy(tmp_path / "undisturbed"), count()
    ended = run(("scan", "-C", reference.folder, *words))
    assert ended.code == 3, ended.errors
    kills = check_kills(
        lambda: more.copy(tmp_path / f"{next(numbers)}"),
        reference,
        words,
        20,
        START_CPU_S * (1 + workers) + ended.cpu_s / 5,
    )
    print(
        f"undisturbed: {ended.cpu_s:.1f} s of processor time, {observed(reference)} recordings, {len(snapshot(reference).issues)} issues"
    )
    print(f"copies scanned to the end: {next(numbers)}")
    print(*kills, sep="\n")

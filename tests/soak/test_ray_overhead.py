"""What a Ray cluster of this machine costs against the local engine on the same cores.

KERBWATCH_SOAK=1 pytest -s tests/soak/test_ray_overhead.py
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

import pytest
from made_archive import LENGTH_S, Made, place_of, results_of, write_folder
from processes import MARK, marked

from detector.cli.common import open_shop, prepare
from detector.core.times import Interval
from detector.engines.crew import Crew, local_crew, results
from detector.engines.local import OpenShop
from detector.pipeline.days import CameraScan, Survey, work

pytest_plugins = ["archive_fixture"]

POINTS = ("p001", "p002", "p003", "p004")
HOURS = 0.5
WORKERS = 2
EMPTY_JOBS = 400
ROUNDS = 2
ENGINES = Path(__file__).parent.parent / "engines"
MIDNIGHT = datetime(2026, 1, 7, 16, tzinfo=UTC)


class OpenCrew(Protocol):
    def __call__(
        self, open_shop: OpenShop, *, workers: int, work: object = work
    ) -> AbstractContextManager[Crew]: ...


def county(folder: Path, composed: Made) -> Made:
    """Some cameras with an hour of recordings each, the first of every camera with a parked car."""
    settings = write_folder(folder, points=POINTS)
    clips = [
        next((composed.settings.archive_root / "p001").rglob(f"*_{day}*")) for day in ("20260108", "20260109")
    ]
    for point in settings.points:
        for number in range(round(HOURS * 3600 / LENGTH_S)):
            start = MIDNIGHT.astimezone(settings.timezone) + timedelta(seconds=number * LENGTH_S)
            path = place_of(settings, point.cameras[0], start, LENGTH_S)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(clips[min(number, 1)], path)
    return Made(folder, ())


def scanned(open_crew: OpenCrew, made: Made) -> dict[str, float]:
    """Seconds until the models were open and the folders surveyed, and for the scan after that; `cpu_s` is the
    processor time of all processes that had to do with the scan.
    """
    settings = made.settings
    period = Interval(MIDNIGHT, MIDNIGHT + timedelta(days=1))
    cameras = [point.cameras[0].id for point in settings.points]
    began = time.monotonic()
    with open_crew(partial(open_shop, settings), workers=WORKERS) as crew:
        list(results(crew, [Survey(camera, period, period.end) for camera in cameras]))
        ready, before_s = time.monotonic(), used_s()
        list(results(crew, [CameraScan(camera, period, period.end) for camera in cameras]))
        done, after_s = time.monotonic(), used_s()
    return {
        "start_s": ready - began,
        "scan_s": done - ready,
        "scan_cpu_s": after_s - before_s,
        "end_s": time.monotonic() - done,
    }


def used_s() -> float:
    """Processor time of this process and of those that it started, in seconds."""
    ticks = 0
    for pid in [*marked(str(os.getpid())), os.getpid()]:
        with suppress(OSError):
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def empty_job_ms(open_crew: OpenCrew) -> float:
    """What giving out a job and hearing of it costs, in milliseconds."""
    from crew_work import job, open_nothing
    from crew_work import work as nothing

    with open_crew(open_nothing, workers=WORKERS, work=nothing) as crew:
        list(results(crew, [job(f"ok-{number}") for number in range(WORKERS)]))
        began = time.monotonic()
        list(results(crew, [job(f"ok-{number}") for number in range(EMPTY_JOBS)]))
        return (time.monotonic() - began) / EMPTY_JOBS * 1000


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("KERBWATCH_SOAK") != "1", reason="long; make soak runs it")
def test_ray_gives_the_local_engines_results_and_costs_little(
    tmp_path: Path, composed: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detector.engines.ray_crew import ray_crew

    monkeypatch.syspath_prepend(str(ENGINES))
    prepare(composed.settings, [])
    told: dict[str, list[object]] = {"local": [], "ray": []}
    found = []
    importable = os.pathsep.join([str(ENGINES.parent.parent), *sys.path])
    with patch.dict(os.environ, {"PYTHONPATH": importable, MARK: str(os.getpid())}):
        for number in range(ROUNDS):
            for name, open_crew in (("local", local_crew), ("ray", ray_crew)):
                made = county(tmp_path / f"{name}{number}", composed)
                told[name].append(
                    {key: round(s, 2) for key, s in scanned(open_crew, made).items()}
                    | {"empty_job_ms": round(empty_job_ms(open_crew), 1)}
                )
                found.append(results_of(made))
    print(json.dumps(told, indent=1))
    assert all(one == found[0] for one in found)

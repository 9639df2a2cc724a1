"""A small made archive with known answers. Use: `pytest_plugins = ["archive_fixture"]` in a test module.

It is composed once for all tests, and scanned once; a test that changes anything takes a copy of it.
"""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from made_archive import (
    FIRST,
    LENGTH_S,
    PERIOD,
    POINTS,
    SECOND,
    Job,
    Made,
    Scanned,
    kerbwatch,
    make_all,
    one_after_another,
    parked,
    place_of,
    scene_of,
    settle,
    true_events,
    write_folder,
)

from detector.core.values import ZoneKind


@pytest.fixture(scope="session")
def composed(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Made:
    """Three points, two days: two violations, a same-spot trap, an empty file; never scanned."""
    folder = tmp_path_factory.mktemp("made") / "county"
    settings = write_folder(folder)
    road, crossing, street = (settings.point(name) for name in POINTS)
    eight = {
        day: datetime(day.year, day.month, day.day, 8, 30, tzinfo=settings.timezone)
        for day in (FIRST, SECOND)
    }
    plays = (
        (road, FIRST, (parked(road.cameras[0], ZoneKind.NO_PARKING, 20, 165),)),
        (road, SECOND, ()),
        (crossing, FIRST, tuple(one_after_another(crossing.cameras[0]))),
        (crossing, SECOND, (parked(crossing.cameras[0], ZoneKind.SIDEWALK, 25, 160, "van-blue"),)),
        (street, SECOND, ()),
    )
    jobs, events = [], []
    for number, (point, day, actors) in enumerate(plays):
        camera = point.cameras[0]
        scene = scene_of(camera, eight[day], *actors, seed=number)
        job = Job(scene, place_of(settings, camera, scene.start, LENGTH_S))
        jobs.append(job)
        events += true_events(point, scene, job.path)
    make_all(jobs)
    empty = place_of(settings, street.cameras[0], eight[FIRST], LENGTH_S)
    empty.touch()
    settle(empty)
    return Made(folder, tuple(events))


@pytest.fixture(scope="session")
def scanned_once(composed: Made, tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    made = composed.copy(tmp_path_factory.mktemp("scanned") / "county")
    began_s = time.process_time()
    said = kerbwatch("scan", "-C", made.folder, *PERIOD, "--workers", 1, "--json")
    assert said.code == 3, said.err  # 3: the empty file
    return Scanned(made, said, time.process_time() - began_s)


_numbers = count(1)


@pytest.fixture
def unscanned(composed: Made, tmp_path: Path) -> Made:
    """A copy that was never scanned, for a test to do with as it likes."""
    copied = composed.copy(tmp_path / f"fresh{next(_numbers)}")
    for left in ("state", "evidence"):  # of a test that looked at the original
        shutil.rmtree(copied.folder / left, ignore_errors=True)
    return copied


@pytest.fixture
def scanned(scanned_once: Scanned, tmp_path: Path) -> Made:
    """A scanned copy, for a test to do with as it likes."""
    return scanned_once.made.copy(tmp_path / f"scanned{next(_numbers)}")

"""Small made archives with known answers, and the command to run on them. The fixtures are in `archive_fixture`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from detector.config.settings import Settings, load_settings
from detector.config.template import template_files
from detector.core.times import Interval
from detector.core.values import Camera, Point, Violation, ZoneKind
from detector.demo.archive import TrueEvent, recording_name
from detector.demo.play import spot, traffic, visit
from detector.demo.record import record
from detector.demo.scene import Actor, Scene, truth

FIRST, SECOND = date(2026, 1, 8), date(2026, 1, 9)
PERIOD = ("--until", "2026-01-09", "--days", "2")
POINTS = ("p001", "p025", "p015")
"""An arterial road (Hikvision's names), an intersection (Dahua's), a commercial street (plain names)."""

LIMIT_S = 60.0
LENGTH_S = 190.0
FPS = 2.0
SIZE_WH = (640, 360)

RULES = f"""\
illegal_parking: {{dwell_s: {LIMIT_S:g}, zones: [no_parking], exempt_zones: [parking_bay]}}
sidewalk_parking: {{dwell_s: {LIMIT_S:g}, zones: [sidewalk], exempt_zones: [parking_bay]}}
camera_fault: {{enabled: true}}
"""


@dataclass(frozen=True)
class Done:
    """What a run of the command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def kerbwatch(*words: object) -> Done:
    """Run the command in this process, by the same `main` as from a shell."""
    from detector.cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch.object(sys, "argv", ["kerbwatch", *map(str, words)]),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
    return Done(code, out.getvalue(), err.getvalue())


def command() -> list[str]:
    """The installed command, for tests that need a process of its own."""
    installed = Path(sys.executable).with_name("kerbwatch")
    code = "from detector.cli.main import main; main()"
    return [str(installed)] if installed.is_file() else [sys.executable, "-c", code]


@dataclass(frozen=True)
class Made:
    """A working folder with recordings, and what is true of them."""

    folder: Path
    events: tuple[TrueEvent, ...]

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder)

    def copy(self, target: Path) -> Made:
        """The same elsewhere: recordings as hard links, all else of its own."""
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("recordings"))
        shutil.copytree(self.folder / "recordings", target / "recordings", copy_function=os.link)
        return replace(self, folder=target)


@dataclass(frozen=True)
class Scanned:
    """The made archive after one undisturbed scan, and what the command said."""

    made: Made
    said: Done
    cpu_s: float
    """What it cost, the start of the process aside."""


@dataclass(frozen=True)
class Job:
    """A scene and where its recording is to lie."""

    scene: Scene
    path: Path


def write_folder(folder: Path, points: tuple[str, ...] = POINTS, rules: str = RULES) -> Settings:
    """A working folder with some points of the template and short limits."""
    for name, text in template_files(judge_example_zones=True).items():
        if not name.startswith("points/") or Path(name).stem in points:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    (folder / "recordings").mkdir()
    return load_settings(folder)


def place_of(settings: Settings, camera: Camera, start: datetime, length_s: float) -> Path:
    """Where a camera's recorder would put a recording."""
    name = recording_name(camera, start, start + timedelta(seconds=length_s))
    return settings.archive_root / camera.folder / name


def parked(
    camera: Camera, kind: ZoneKind, from_s: float, until_s: float, car: str = "minibus-red", seed: int = 3
) -> Actor:
    return visit(camera, car, spot([camera], car, kind, np.random.default_rng(seed)), from_s, until_s)


def scene_of(
    camera: Camera, start: datetime, *actors: Actor, length_s: float = LENGTH_S, seed: int = 5
) -> Scene:
    others = traffic(camera, np.random.default_rng(seed), length_s, vehicles_per_min=3, people_per_min=1)
    limits = {Violation.ILLEGAL_PARKING: LIMIT_S, Violation.SIDEWALK_PARKING: LIMIT_S}
    return Scene(
        camera, start, length_s, (*actors, *others), seed=seed, resolution_wh=SIZE_WH, limits_s=limits
    )


def make(job: Job) -> None:
    record(job.scene, job.path, fps=FPS)
    settle(job.path)


def settle(path: Path) -> None:
    """Give a file an old date, so that it is not taken for one still being written."""
    os.utime(path, (1_767_900_000, 1_767_900_000))


def make_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(make, jobs))


def true_events(point: Point, scene: Scene, path: Path) -> list[TrueEvent]:
    width, height = scene.resolution_wh
    return [
        TrueEvent(
            point.id, scene.camera.id,
            Interval(scene.start + timedelta(seconds=e.from_s), scene.start + timedelta(seconds=e.until_s)),
            e.violation, e.zone,
            (e.box[0] / width, e.box[1] / height, e.box[2] / width, e.box[3] / height), path.name,
        )
        for e in truth(scene)
    ]  # fmt: skip


def one_after_another(camera: Camera) -> list[Actor]:
    """Three vehicles in one place, each for less than the limit."""
    foot = spot([camera], "minibus-red", ZoneKind.NO_PARKING, np.random.default_rng(4))
    cars = ("minibus-red", "minibus-blue", "minibus-orange")
    return [
        visit(camera, car, foot, 12 + 55 * i, 12 + 55 * i + 50, turning_s=2.5) for i, car in enumerate(cars)
    ]


def results_of(made: Made) -> tuple[object, ...]:
    """All that a scan leaves: issues, the hash of each file of evidence, observations row by row and the gate's memory.

    Not its findings, which are kept for the next judging: a night that begins with the newest day gathers them of other
    looks before than a scan that begins with the oldest.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from detector.database import Database
    from detector.issues.queue import IssueQueue
    from detector.storage import open_store

    with Database.open(made.settings.database_url) as database:
        queue = IssueQueue(database)
        issues = {
            (i.fingerprint, i.interval, i.state, i.version, i.camera_id, i.zone_id, i.explanation): frozenset(
                (row.folder, row.name, row.sha256) for row in queue.evidence(i.id)
            )
            for i in queue.find()
        }
    store = open_store(made.settings.observations_root)
    tables = {}
    for file in store.files():
        if file.name.endswith(".parquet"):
            table = pq.read_table(pa.BufferReader(store.read(file.name)))
            tables[file.name] = (table.to_pylist(), table.schema.metadata)
    return issues, tables

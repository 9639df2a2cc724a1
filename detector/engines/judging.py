"""Cameras judged again side by side, in processes of this machine."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass

import cv2

from detector.config.rules import RuleSet
from detector.config.settings import Settings
from detector.core.barrier import tracebacks_in
from detector.core.memory import give_back_memory
from detector.core.times import DAY_S, Interval
from detector.core.values import Camera
from detector.database import Database
from detector.engines.local import WorkerEnded, cores, end_with_parent
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.observing.store import ObservationStore
from detector.pipeline.findings import FindingsStore
from detector.pipeline.rejudge import Change, rejudge

CAMERA_DAYS_A_WORKER = 30
"""Starting a process takes as long as judging some camera-days; fewer than so many are not worth one."""


@dataclass(frozen=True, slots=True)
class Again:
    """The rules by which stored observations are judged again; scans went by those of `settings`."""

    settings: Settings
    rules: RuleSet


def judge_again(
    again: Again, stretches: Sequence[tuple[Camera, Interval]], *, workers: int | None = None
) -> Iterator[Change]:
    """One change for each camera and its period, in order. One worker a core, as far as that is worth it, or `workers`."""
    days = sum(period.duration_s for _, period in stretches) / DAY_S
    count = min(workers or min(cores(), int(days // CAMERA_DAYS_A_WORKER) + 1), len(stretches))
    if count <= 1:
        logs = again.settings.state_root / "logs"
        with tracebacks_in(logs), Database.open(again.settings.database_url) as database:
            for camera, period in stretches:
                yield _changed(again, database, camera.id, period)
        return
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(again,),
    )
    try:
        ids, periods = [camera.id for camera, _ in stretches], [period for _, period in stretches]
        yield from pool.map(_changed_here, ids, periods)
    except BrokenProcessPool as error:
        raise WorkerEnded from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker:
    """What this process judges with; set once, when the worker starts, and open as long as it lives."""

    open = ExitStack()
    again: Again | None = None
    database: Database | None = None


def _start(again: Again) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    _Worker.again = again
    _Worker.open.enter_context(tracebacks_in(again.settings.state_root / "logs"))
    _Worker.database = _Worker.open.enter_context(Database.open(again.settings.database_url))


def _changed_here(camera_id: str, period: Interval) -> Change:
    assert _Worker.again is not None
    assert _Worker.database is not None
    return _changed(_Worker.again, _Worker.database, camera_id, period)


def _changed(again: Again, database: Database, camera_id: str, period: Interval) -> Change:
    settings = again.settings
    point, camera = settings.camera(camera_id)
    change = rejudge(
        Catalogue(database),
        ObservationStore(settings.observations_root),
        FindingsStore(settings.observations_root),
        IssueQueue(database),
        point,
        camera,
        again.rules,
        period,
        before=settings.rules,
    )
    give_back_memory()
    return change

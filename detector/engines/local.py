"""Cameras scanned side by side in processes of this machine, each with its own model and database connection.

What a worker has filed is filed: the parent only counts. Workers end when their parent does, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import wait as wait_for
from multiprocessing.queues import SimpleQueue

from detector.core.errors import KerbwatchError
from detector.core.memory import settle_memory
from detector.core.times import Interval
from detector.core.values import Camera, Point
from detector.pipeline.scan import CameraReport, Shop, scan_camera

OpenShop = Callable[[int], AbstractContextManager[Shop]]
"""Opens what a worker scans with, given how many threads it may use; picklable."""


class WorkerEnded(KerbwatchError):
    """A worker process ended before its work was done, perhaps for want of memory; run the same command again."""

    transient = True


@dataclass(frozen=True, slots=True)
class Task:
    """One camera's period."""

    point: Point
    camera: Camera
    period: Interval
    now: datetime


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def shares(count: int, threads: int) -> list[frozenset[int]]:
    """The processors that each of `count` workers keeps to, of those that this process may use.

    Workers that fill the machine get some each, for a worker that moves from one to another leaves behind what it had
    in the cache, and one whose threads run on several at once starves the others. Else each may use all: whatever
    else runs here would be stuck on the same few.
    """
    own = sorted(os.sched_getaffinity(0))
    if count * threads < len(own):
        return [frozenset(own)] * count
    return [
        frozenset(own[(worker * threads + thread) % len(own)] for thread in range(threads))
        for worker in range(count)
    ]


def keep_to(share: frozenset[int]) -> None:
    """Let this process, and what it starts from now on, run on these processors alone."""
    os.sched_setaffinity(0, share)


def run(tasks: Sequence[Task], open_shop: OpenShop, *, workers: int | None = None) -> Iterator[CameraReport]:
    """Scan every task; reports come as they are done. One worker a core, or `workers`.

    An error that ends the scan (a full disk, a database that is gone) is raised here; tasks that are done stay done.
    """
    count = max(1, min(workers or cores(), len(tasks)))
    threads = max(1, cores() // count)
    if count == 1:
        with open_shop(threads) as shop:
            settle_memory()
            for task in tasks:
                yield scan_camera(shop, task.point, task.camera, task.period, now=task.now)
        return
    with _pool(count, open_shop, threads) as pool:
        waiting = {pool.submit(_scan, task) for task in tasks}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield _result(future)


def _result(future: Future[CameraReport]) -> CameraReport:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise WorkerEnded from error


@contextmanager
def _pool(count: int, open_shop: OpenShop, threads: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    places = context.SimpleQueue()
    for share in shares(count, threads):
        places.put(share)
    pool = ProcessPoolExecutor(
        count, mp_context=context, initializer=_start, initargs=(open_shop, threads, places)
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker:
    """What this process scans with; set once, when the worker starts, and open as long as it lives."""

    open = ExitStack()
    shop: Shop | None = None


def _start(open_shop: OpenShop, threads: int, places: SimpleQueue[frozenset[int]]) -> None:
    keep_to(places.get())
    threading.Thread(target=end_with_parent, daemon=True).start()
    _Worker.shop = _Worker.open.enter_context(open_shop(threads))
    settle_memory()


def end_with_parent() -> None:
    """End this worker process when its parent ends, however that ends: for a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _scan(task: Task) -> CameraReport:
    assert _Worker.shop is not None
    return scan_camera(_Worker.shop, task.point, task.camera, task.period, now=task.now)

"""Where processor time goes, stage by stage."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lap:
    """What a stage took so far. `cpu_s` is the processor time of the threads that it ran in."""

    count: int
    cpu_s: float

    def __add__(self, other: Lap) -> Lap:
        return Lap(self.count + other.count, self.cpu_s + other.cpu_s)


NO_LAP = Lap(0, 0.0)


class Stopwatch:
    """Adds up what stages take, in any thread. A stage within another counts for itself and not for that other.

    What a library's own threads do is not seen.
    """

    def __init__(self) -> None:
        self._laps: defaultdict[str, Lap] = defaultdict(lambda: NO_LAP)
        self._lock = threading.Lock()
        self._own = threading.local()

    @property
    def laps(self) -> Mapping[str, Lap]:
        with self._lock:
            return dict(self._laps)

    @contextmanager
    def stage(self, name: str, count: int = 1) -> Iterator[None]:
        """What is done within is this stage's, and counts for so many."""
        outer_inner_s = getattr(self._own, "inner_s", 0.0)
        self._own.inner_s = 0.0
        began_s = time.thread_time()
        try:
            yield
        finally:
            took_s = time.thread_time() - began_s
            with self._lock:
                self._laps[name] += Lap(count, took_s - self._own.inner_s)
            self._own.inner_s = outer_inner_s + took_s

    def count(self, name: str, count: int) -> None:
        """So many more of what takes its time in another stage."""
        with self._lock:
            self._laps[name] += Lap(count, 0.0)

    def calls(self, name: str, function: Callable[..., T]) -> Callable[..., T]:
        """The function, whose calls are this stage's."""

        def timed(*args: object, **named: object) -> T:
            with self.stage(name):
                return function(*args, **named)

        return timed

"""Every look at footage is logged: once for a person and an issue within some minutes, not once for each byte range."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from detector.dispatch import Desk
from detector.issues import Issue
from detector.people import Actor, Looked

ONE_LOOK_S = 300.0
REMEMBERED = 10_000
STRIPES = 64
"""Looks whose keys fall on different ones of so many locks are logged side by side."""


class Looks:
    """Remembers who has just looked at what. Safe to share between threads.

    `clock` gives monotonic seconds: a clock that is set back must not leave looks unlogged.
    """

    def __init__(self, desk: Desk, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._clock = clock
        self._lock = threading.Lock()
        self._stripes = [threading.Lock() for _ in range(STRIPES)]
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    def tell(self, actor: Actor, issue: Issue, file: str, *, masked: bool = False) -> None:
        """Logs the look before the first byte is sent. Raises NotAllowed, UnknownIssue."""
        with self._once(actor, f"issue {issue.id}") as due:
            if due:
                self._desk.look(actor, issue.id, file, masked=masked)

    def tell_file(self, actor: Actor, file: str) -> None:
        """The same for footage that belongs to no issue."""
        with self._once(actor, file) as due:
            if due:
                self._desk.log.add(actor, Looked.FOOTAGE, file=file, details={"masked": False})

    @contextmanager
    def _once(self, actor: Actor, what: str) -> Iterator[bool]:
        """Whether a look must be logged; it counts as logged once the block has ended without an error.

        Who asks for the same meanwhile waits for that, so that nothing is sent before it is logged.
        """
        key = (actor.who, what)
        with self._stripes[hash(key) % STRIPES]:
            last = self._told.get(key)
            due = last is None or self._clock() - last >= ONE_LOOK_S
            yield due
            if due:
                self._remember(key)

    def _remember(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._told[key] = self._clock()
            self._told.move_to_end(key)
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)

"""Every look at footage is logged: once for a person and an issue within some minutes, not once for each byte range."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from detector.dispatch import Desk
from detector.issues import Issue
from detector.people import Actor, Looked

ONE_LOOK = timedelta(minutes=5)
REMEMBERED = 10_000


class Looks:
    """Remembers who has just looked at what. Safe to share between threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str], datetime] = OrderedDict()

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
        """Whether a look must be logged; it counts as logged if the block does not raise."""
        key, at = (actor.who, what), self._desk.now()
        with self._lock:
            last = self._told.get(key)
            due = last is None or at - last >= ONE_LOOK
            if due:
                self._told[key] = at
                self._told.move_to_end(key)
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
        try:
            yield due
        except BaseException:
            with self._lock:
                self._told.pop(key, None)
            raise

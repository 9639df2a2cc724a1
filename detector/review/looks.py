"""Every look at footage is logged: once for a person and an issue within some minutes, not once for each byte range."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from detector.dispatch import Desk
from detector.issues import Issue
from detector.people import Actor

ONE_LOOK = timedelta(minutes=5)
REMEMBERED = 10_000


class Looks:
    """Remembers who has just looked at what. Safe to share between threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, int], datetime] = OrderedDict()

    def tell(self, actor: Actor, issue: Issue, file: str) -> None:
        """Logs the look before the first byte is sent. Raises NotAllowed, UnknownIssue."""
        key, at = (actor.who, issue.id), self._desk.now()
        with self._lock:
            last = self._told.get(key)
            if last is not None and at - last < ONE_LOOK:
                return
            self._told[key] = at
            self._told.move_to_end(key)
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
        try:
            self._desk.look(actor, issue.id, file, masked=False)
        except BaseException:
            with self._lock:
                self._told.pop(key, None)
            raise

"""Log lines that repeat are written some times a minute, and then counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

EACH_WINDOW: Final = 10
"""Of lines of one kind in one window."""

WINDOW_S: Final = 60.0
KINDS_MOST: Final = 1000

LOGGERS: Final = ("asyncio", "uvicorn.error")
"""Those that write a line for each faulty connection."""


class Seldom(logging.Filter):
    """Passes EACH_WINDOW lines of a kind in WINDOW_S; the first line of the next window says how many were left out.

    Lines of one level and one unformatted message are of one kind. `clock` gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key, now = (record.name, record.levelno, str(record.msg)[:200]), self._clock()
        with self._lock:
            began, count = self._seen.get(key, (now, 0))
            left_out = 0
            if now - began >= WINDOW_S:
                left_out, began, count = max(0, count - EACH_WINDOW), now, 0
            if len(self._seen) >= KINDS_MOST and key not in self._seen:
                self._seen.clear()
            self._seen[key] = (began, count + 1)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like this were left out)", ()
        return count < EACH_WINDOW

    @contextmanager
    def installed(self) -> Iterator[None]:
        """On the loggers of the server, while it runs."""
        loggers = [logging.getLogger(name) for name in LOGGERS]
        for logger in loggers:
            logger.addFilter(self)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(self)

"""What pages that many people look at are made of, computed once for all of them and kept for some seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

KEPT_S: Final = 5.0
"""So old a page's content may be. A move of an issue is seen at once: its number is part of the key."""

KEPT_MOST: Final = 64


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made_at: float | None = None
        self.value: object = None


class Kept:
    """Values by key. Who asks while a value is computed waits for it. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returned within KEPT_S for the key, or returns now. Raises what it raises, and keeps nothing then."""
        entry = self._entry(key)
        with entry.lock:
            if entry.made_at is None or self._clock() - entry.made_at >= KEPT_S:
                began = self._clock()
                entry.value, entry.made_at = make(), began
            return cast("T", entry.value)

    def _entry(self, key: Hashable) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            if len(self._entries) > KEPT_MOST:
                self._entries.popitem(last=False)
            return entry


def fragment(kept: Kept, key: Hashable) -> Callable[[Any], str]:
    """For a template's `call`: the text of the block, rendered where it is not kept under the key."""

    def render(caller: Callable[[], str]) -> str:
        return kept.get(("fragment", key), caller)

    return render

"""Giving memory back to the system between pieces of work."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable


def _trimmer() -> Callable[[int], int] | None:
    """Glibc's `malloc_trim`; None on systems with another C library, which need none."""
    if not sys.platform.startswith("linux"):
        return None
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim


def give_back_memory() -> None:
    """Return what was freed to the system.

    Decoders allocate pictures in threads of their own; glibc keeps such memory scattered over its arenas, and a
    process that reads one recording after another grows by a quarter of a megabyte each (docs/soak.md).
    """
    trim = _trimmer()
    if trim is not None:
        trim(0)

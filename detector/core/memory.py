"""Giving memory back to the system between pieces of work, and not looking for it where there is none."""

from __future__ import annotations

import ctypes
import gc
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


def settle_memory() -> None:
    """Leave all that is loaded by now out of garbage collection: it stays as long as the process does, and looking
    through it again and again took a hundredth of a scan.
    """
    gc.collect()
    gc.freeze()

"""Watches what is synced to the disk, and when: the real fsync is called all the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def synced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], list[bool]]]:
    """Gives a function that says, for each time that a file was synced, whether it had its present name then."""
    real, seen = os.fsync, list[tuple[int, str]]()

    def spy(descriptor: int) -> None:
        real(descriptor)
        seen.append((os.fstat(descriptor).st_ino, str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    monkeypatch.setattr(os, "fsync", spy)
    yield lambda path: [name == str(path) for inode, name in seen if inode == path.stat().st_ino]
    monkeypatch.undo()

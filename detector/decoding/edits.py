"""Whether an MP4 delays its pictures by an edit list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MOST_BOXES = 4096
"""Maximum number of boxes of one level that are read; a fragmented file has one for each fragment."""


def has_edit_list(path: Path) -> bool:
    """Whether any track of an MP4 or MOV has an edit list (`moov/trak/edts/elst`). Reads the headers of boxes only."""
    try:
        with path.open("rb") as file:
            end = path.stat().st_size
            return any(
                True
                for moov in _boxes(file, b"moov", 0, end)
                for trak in _boxes(file, b"trak", *moov)
                for edts in _boxes(file, b"edts", *trak)
                for _ in _boxes(file, b"elst", *edts)
            )
    except OSError:
        return False


def _boxes(file: BinaryIO, kind: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The contents, [from, until) in bytes, of the boxes of a kind between two bytes."""
    for _ in range(MOST_BOXES):
        file.seek(start)
        head = file.read(8)
        if len(head) < 8 or start >= end:
            return
        size, content = int.from_bytes(head[:4], "big"), start + 8
        if size == 1:
            size, content = int.from_bytes(file.read(8), "big"), start + 16
        size = size or end - start
        if size < content - start:
            return
        if head[4:] == kind:
            yield content, min(end, start + size)
        start += size

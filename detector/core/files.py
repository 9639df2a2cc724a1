"""Files that appear whole or not at all, also after a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of the system means that a disk or a quota has no space left."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def sync(path: Path) -> None:
    """Write what the system holds of a file or a folder to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a file to; when the block ends, the file takes the place of `path`.

    The folder is made where it is missing. What was at `path` stays where the block raises. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        yield unfinished
        sync(unfinished)
        unfinished.replace(path)
        sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of a file, as `replace_atomically` does."""
    with replace_atomically(path) as unfinished:
        unfinished.write_bytes(content)

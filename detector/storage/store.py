"""What a store is to those who use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Protocol

from detector.core.errors import BadInput, KerbwatchError

Root = Path | str
"""A folder, or the URL of a place in an object store."""


class StoreAway(KerbwatchError):
    """The object store does not answer, or answers with errors only."""

    transient = True


class BadName(BadInput):
    """A name does not stay inside its store: it is absolute, holds '..', or is not in its normal form."""


def is_normal(name: str) -> bool:
    """Return whether a name is relative, stays below its root, and has one spelling only: `a/b`, never `a//b`."""
    if not name or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name != "."


def checked_name(name: str) -> str:
    """Return the name as it is. Raises BadName where it is not in its normal form."""
    if not is_normal(name):
        raise BadName(
            f"{name!r} is no name inside a store; use a relative path such as 2026-01-08/p001/clip.mp4"
        )
    return name


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file by its name in the store."""

    name: str
    size_bytes: int
    written: datetime


class Store(Protocol):
    """Files under names such as `2026-01-08/p001/3f9a/clip.mp4`, each there whole or not at all.

    Several processes, on several machines, may use one store at once. What a call has written stays written, whatever
    happens to the machine. Each call may raise StoreAway; then it can be made again. Each call with a name raises BadName
    where `is_normal` refuses it, except that `names` and `as_folder` take '' for the root.
    """

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""
        ...

    def reading(self, name: str) -> AbstractContextManager[BufferedReader]:
        """A file of this machine with the same content, open at its beginning: for what is not to be held in memory.

        Raises FileNotFoundError, and StorageFull where it must lie on this machine meanwhile and there is no room.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """A file of that name is replaced. Raises StorageFull."""
        ...

    def names(self, folder: str) -> list[str]:
        """What lies directly in a folder, sorted; nothing where there is no such folder."""
        ...

    def make_ready(self) -> None:
        """Before work begins: see that it can be written to, and sweep what runs that died left unfinished.

        Raises BadInput where it cannot be used.
        """
        ...

    def check(self) -> None:
        """That it can be written to now: asked a few times within seconds, where one answer may fail, and no more.

        A folder that is not there yet is no fault. Raises BadInput, StoreAway.
        """
        ...

    def files(self) -> Iterator[StoredFile]:
        """All that is there, what is unfinished too, in order."""
        ...

    def remove(self, name: str) -> None:
        """A file, or a folder with all in it; nothing happens where it is gone already."""
        ...

    def unfinished(self, folder: str) -> AbstractContextManager[Path]:
        """An empty folder of this machine, for files that `publish` puts in place together; gone afterwards.

        Raises StorageFull in place of a full disk's OSError.
        """
        ...

    def publish(self, unfinished: Path, folder: str, last: str) -> None:
        """Put the unfinished files in place as the whole content of `folder`.

        Readers take a folder without its file `last` for one that is not there. Raises OSError where another process
        put the same folder in place meanwhile.
        """
        ...

    def as_folder(self, folder: str) -> AbstractContextManager[Path]:
        """A folder of this machine with the same files, to be read while the context lasts; it may not be there."""
        ...

"""A store in a folder of this machine, or of a share that several machines see under the same path."""

from __future__ import annotations

import glob
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from detector.core.errors import BadInput, StorageFull
from detector.core.files import is_disk_full, sync
from detector.storage.store import StoredFile, checked_name

ABANDONED_S = 86_400.0
"""What another machine has left unfinished for so long was left by a run that died."""

PROBE = ".kerbwatch-writable"

_UNFINISHED = re.compile(r"\.tmp-[0-9a-f]+-(?P<pid>\d+)-(?P<host>.+?)(-old)?")


class FolderStore:
    """Files appear by a rename, after they were synced."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> bytes:
        return self._at(name).read_bytes()

    @contextmanager
    def reading(self, name: str) -> Iterator[BufferedReader]:
        with self._at(name).open("rb") as file:
            yield file

    def write(self, name: str, content: bytes) -> None:
        target = self._at(name)
        scratch = target.with_name(f".{target.name}.{_me()}")
        try:
            with self._full_disk_told():
                make_folder(target.parent)
                _remove_abandoned(target)
                with scratch.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                scratch.rename(target)
                sync(target.parent)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(path.name for path in self._at(folder, root=True).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def files(self) -> Iterator[StoredFile]:
        for place, folders, names in os.walk(self.root):
            folders.sort()
            for name in sorted(names):
                path = Path(place, name)
                with suppress(FileNotFoundError):  # removed since it was listed
                    status = path.stat()
                    written = datetime.fromtimestamp(status.st_mtime, UTC)
                    yield StoredFile(path.relative_to(self.root).as_posix(), status.st_size, written)

    def remove(self, name: str) -> None:
        path = self._at(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            if folder.is_relative_to(self.root) and folder != self.root:
                with suppress(OSError):  # not empty
                    folder.rmdir()

    @contextmanager
    def unfinished(self, folder: str) -> Iterator[Path]:
        target = self._at(folder)
        scratch = target.with_name(f".tmp-{target.name}-{_me().replace('.', '-', 1)}")
        with self._full_disk_told():
            try:
                make_folder(target.parent)
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir()
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def publish(self, unfinished: Path, folder: str, last: str) -> None:  # noqa: ARG002  # all appear at once
        target = self._at(folder)
        for path in unfinished.iterdir():
            sync(path)
        sync(unfinished)
        faulty = unfinished.with_name(f"{unfinished.name}-old")
        if target.exists():
            shutil.rmtree(faulty, ignore_errors=True)
            target.rename(faulty)
        try:
            unfinished.rename(target)
            sync(target.parent)
        finally:
            shutil.rmtree(faulty, ignore_errors=True)

    @contextmanager
    def as_folder(self, folder: str) -> Iterator[Path]:
        yield self._at(folder, root=True)

    def _at(self, name: str, *, root: bool = False) -> Path:
        """Return the path of a name. Raises BadName where it may lie outside the root; '' is the root itself."""
        return self.root if root and not name else self.root / checked_name(name)

    def make_ready(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.sweep()

    def check(self) -> None:
        probe = self.root / f"{PROBE}.{_me()}"
        if not self.root.exists():
            return
        try:
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise BadInput(f"{self.root} may not be written ({error.strerror})") from error

    def sweep(self) -> int:
        """Remove folders that runs that died left unfinished, and say how many that were.

        Those of other living processes stay. Those of this process's own number are taken for an earlier one's (a
        container's first process always has the same), so call it before this process writes.
        """
        removed = 0
        for folder in sorted(self.root.glob("*/*/.tmp-*")):
            name = _UNFINISHED.fullmatch(folder.name)
            if name and _is_abandoned(folder, int(name["pid"]), name["host"]):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        return removed

    @contextmanager
    def _full_disk_told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if is_disk_full(error):
                raise StorageFull(f"{self.root}: no space left") from error
            raise


def make_folder(folder: Path) -> None:
    """Make a folder and what it lies in, so that a power cut does not lose them again."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def _me() -> str:
    """The process, among those of all machines that share a folder: its number, and its machine's name."""
    return f"{os.getpid()}.{socket.gethostname()}"


def _remove_abandoned(target: Path) -> None:
    """Remove what runs that died left half written of a file."""
    for scratch in target.parent.glob(f".{glob.escape(target.name)}.*"):
        number, _, host = scratch.name.removeprefix(f".{target.name}.").partition(".")
        with suppress(OSError):
            if not number.isdigit() or (
                int(number) != os.getpid() and _is_abandoned(scratch, int(number), host)
            ):
                scratch.unlink(missing_ok=True)


def _is_abandoned(path: Path, pid: int, host: str) -> bool:
    if host != socket.gethostname():
        with suppress(OSError):
            return time.time() - path.stat().st_mtime > ABANDONED_S
        return False
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, and alive
        return False
    return _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits for its parent to hear of it; in a container that may be for ever."""
    with suppress(OSError):
        after_name = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        )
        return after_name.split()[0] in ("Z", "X")
    return False

"""A store in a bucket of S3 or of what speaks its protocol: MinIO, Ceph, the object stores of clouds.

Where it is and the keys to it come from the environment, as for every program that uses S3: AWS_ENDPOINT_URL_S3,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION. An object appears whole or not at all; of a folder that
is published, the file that speaks of the others comes last.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import fsspec
from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, NoCredentialsError

from detector.core.errors import BadInput, StorageFull
from detector.core.files import is_disk_full
from detector.storage.store import StoreAway, StoredFile, checked_name

WAITS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""How long is waited before each new try: about a minute in all."""

ASKED_S = (0.1, 0.2, 0.5)
"""The same where somebody waits to hear whether the store answers."""

PROBE = ".kerbwatch-writable"

CONNECT_S, READ_S = 10, 60

T = TypeVar("T")


class BucketStore:
    """Objects whose names begin with the URL's path."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._place = self.url.removeprefix("s3://")
        # Nothing of what others write may be hidden by a listing that is kept.
        self._fs: Any = fsspec.filesystem(
            "s3",
            use_listings_cache=False,
            config_kwargs={
                "connect_timeout": CONNECT_S,
                "read_timeout": READ_S,
                "retries": {"total_max_attempts": 1},  # we try again ourselves
            },
        )
        self._fs.retries = 1

    def read(self, name: str) -> bytes:
        return bytes(self._patiently(lambda: self._fs.cat_file(self._at(name))))

    @contextmanager
    def reading(self, name: str) -> Iterator[BufferedReader]:
        with tempfile.NamedTemporaryFile(prefix="kerbwatch-") as copy:
            # In one request: parts asked for one by one may be of two versions.
            self._patiently(lambda: self._fs.get_file(self._at(name), copy.name, max_concurrency=1))
            with Path(copy.name).open("rb") as file:
                yield file

    def write(self, name: str, content: bytes) -> None:
        try:
            self._patiently(lambda: self._fs.pipe_file(self._at(name), content))
        except FileNotFoundError as error:
            raise BadInput(f"{self.url}: there is no such bucket") from error

    def names(self, folder: str) -> list[str]:
        place = self._at(folder) if folder else self._place
        found = self._listed(place, deep=False)
        return sorted(PurePosixPath(name).name for name in found if name != place)

    def files(self) -> Iterator[StoredFile]:
        for name, info in sorted(self._listed(self._place, deep=True).items()):
            yield StoredFile(name.removeprefix(f"{self._place}/"), int(info["size"]), info["LastModified"])

    def remove(self, name: str) -> None:
        place = self._at(name)
        for found in [*self._listed(place, deep=True), place]:
            with suppress(FileNotFoundError):
                self._patiently(lambda found=found: self._fs.rm_file(found))  # type: ignore[misc]

    @contextmanager
    def unfinished(self, folder: str) -> Iterator[Path]:  # noqa: ARG002  # it lies on this machine
        with tempfile.TemporaryDirectory(prefix="kerbwatch-") as scratch:
            yield Path(scratch)

    def publish(self, unfinished: Path, folder: str, last: str) -> None:
        before, now = set(self.names(folder)), sorted(path.name for path in unfinished.iterdir())
        if last in before:
            self.remove(f"{folder}/{last}")
        for name in [name for name in now if name != last]:
            self.write(f"{folder}/{name}", (unfinished / name).read_bytes())
        for name in sorted(before - set(now)):
            self.remove(f"{folder}/{name}")
        self.write(f"{folder}/{last}", (unfinished / last).read_bytes())

    @contextmanager
    def as_folder(self, folder: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="kerbwatch-") as scratch:
            for name in self.names(folder):
                Path(scratch, name).write_bytes(self.read(f"{folder}/{name}" if folder else name))
            yield Path(scratch)

    def make_ready(self) -> None:
        self.write(PROBE, b"")
        self.remove(PROBE)

    def check(self) -> None:
        try:
            self._patiently(lambda: self._fs.pipe_file(self._at(PROBE), b""), ASKED_S)
        except FileNotFoundError as error:
            raise BadInput(f"{self.url}: there is no such bucket") from error
        with suppress(FileNotFoundError):  # another machine asked at the same time
            self._patiently(lambda: self._fs.rm_file(self._at(PROBE)), ASKED_S)

    def _at(self, name: str) -> str:
        return f"{self._place}/{checked_name(name)}"

    def _listed(self, place: str, *, deep: bool) -> dict[str, Any]:
        """What lies in a folder, or anywhere below it: names to what the store says of each."""

        def listed() -> dict[str, Any]:
            if deep:
                return dict(self._fs.find(place, detail=True))
            return {entry["name"]: entry for entry in self._fs.ls(place, detail=True)}

        try:
            return self._patiently(listed)
        except FileNotFoundError:
            return {}

    def _patiently(self, call: Callable[[], T], waits_s: Sequence[float] | None = None) -> T:
        """The call's result, however often it fails for reasons that time cures. Raises StoreAway, FileNotFoundError."""
        for wait_s in (*(WAITS_S if waits_s is None else waits_s), None):
            try:
                return call()
            except FileNotFoundError:
                raise
            except (PermissionError, NoCredentialsError) as error:
                raise BadInput(f"{self.url}: the store refuses us: {error}") from error
            except (OSError, TimeoutError, BotoCoreError, ClientPayloadError) as error:
                if is_disk_full(error):
                    raise StorageFull(f"{self.url}: no space left here for a copy") from error
                if "QuotaExceeded" in str(error) or "XMinioStorageFull" in str(error):
                    raise StorageFull(f"{self.url}: no space left") from error
                if wait_s is None:
                    raise StoreAway(f"{self.url} does not answer: {error}") from error
                time.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311  # so that workers do not come all at once
        raise AssertionError

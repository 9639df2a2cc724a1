"""The whole state in one file, taken while everything runs.

Rows speak only of files that are whole and stay as they are; so rows are read first, all as of one moment, and then
the files. A lease keeps retention away meanwhile. The manifest, with the hash of every file, comes after them, and its
signature is the last member.
Observations and evidence may lie in folders or in buckets. Files pass through one at a time.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from detector import __version__
from detector.config.settings import Settings
from detector.config.template import PLAIN_FILES
from detector.core.errors import BadInput, StorageFull
from detector.core.files import is_disk_full
from detector.database import Database
from detector.database.dump import revision, snapshot
from detector.reporting.documents import OWN_TEMPLATES, TEMPLATES
from detector.runs.lease import Leases
from detector.runs.removals import Removals
from detector.signing import SigningKey, make_key
from detector.storage import FolderStore, Root, Store, StoredFile, open_store

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
PURPOSE = "kerbwatch backup"
"""What a manifest says that it is, so that no other signed content can be taken for one."""

LEASE = "keeping"
FORMAT = 1
KINDS = ("config", "state", "observations", "evidence", "database")
HEADS = "state/heads.jsonl"
"""Where the signed heads lie in a backup, wherever the configuration puts them."""

CONFIGURATION = ("*.y*ml", "points/*.y*ml", "README.md", "templates/*.docx", "keys/*.pub")
"""What is looked for in a working folder; `is_configuration` decides by the name."""

_OWN = (*PLAIN_FILES, "labels.yaml", *(f"{OWN_TEMPLATES}/{name}" for name in TEMPLATES))
_MANY = re.compile(r"points/[\w.-]{1,80}\.ya?ml|keys/[0-9a-f]{16}\.pub")


def is_configuration(name: str) -> bool:
    """Return whether a working folder knows a file of this name: nothing else comes into a backup or out of one."""
    return name in _OWN or name.replace(".yml", ".yaml") in _OWN or bool(_MANY.fullmatch(name))


@dataclass(slots=True)
class Account:
    """What went into a backup or came out of one."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    """Files and environment variables that no backup holds and that a restored folder needs."""

    @property
    def size_bytes(self) -> int:
        return sum(int(file["size_bytes"]) for file in self.files.values())


def backup(settings: Settings, target: Path) -> Account:
    """Write everything that a working folder holds, recordings, weights and keys aside, to one signed file.

    It appears by a rename, after it was synced. What a row speaks of and is not there is in the account's faults.
    Makes the county's key if it is missing. Raises BadKey if that fails.
    Raises BadInput where the target is there already, LeaseTaken while retention or another backup runs, StorageFull,
    StoreAway, DatabaseBusy, DatabaseUnusable where the database is damaged.
    """
    if target.exists():
        raise BadInput(f"{target} is there already")
    key = make_key(settings.key_file)
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    with Database.open(settings.database_url) as database, Leases(database).held(LEASE) as still_mine:
        database.check()
        try:
            with full_disk_told(target), _private_file(scratch) as file:
                account = _written(settings, database, file, key)
                file.flush()
                os.fsync(file.fileno())
            still_mine()
            scratch.rename(target)
            fsync_folder(target.parent)
        finally:
            scratch.unlink(missing_ok=True)
    return account


def _private_file(path: Path) -> IO[bytes]:
    """A new file that only its owner may read, for it holds footage and hashes of passwords."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _written(settings: Settings, database: Database, file: IO[bytes], key: SigningKey) -> Account:
    account = Account()
    at = datetime.now(UTC)
    with tarfile.open(fileobj=file, mode="w") as tar:
        _heads_into(tar, settings, account)
        wanted = _rows_into(tar, database, account)
        for kind, store, stored in _files_of(settings):
            _file_into(tar, f"{kind}/{stored.name}", store, stored, account)
        gone = {*Removals(database).removed("evidence"), *Removals(database).removed("observations")}
        account.faults += _left_out(wanted, gone, account)
        manifest = {
            "purpose": PURPOSE,
            "format": FORMAT,
            "key": key.public.fingerprint,
            "kerbwatch": __version__,
            "schema": revision(database),
            "made_at": at.isoformat(),
            "settings_version": settings.version,
            "rows": account.rows,
            "files": account.files,
            "faults": account.faults,
            "secrets": _secret_places(settings),
        }
        content = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
        _bytes_into(tar, MANIFEST, content)
        _bytes_into(tar, SIGNATURE, key.sign(content))
    return account


def _heads_into(tar: tarfile.TarFile, settings: Settings, account: Account) -> None:
    """The signed heads come before the rows, so that no head speaks of a row that came later."""
    try:
        content = settings.heads_file.read_bytes()
    except FileNotFoundError:
        return
    _bytes_into(tar, HEADS, content, datetime.now(UTC))
    account.files[HEADS] = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


def _secret_places(settings: Settings) -> list[str]:
    """The names of files and environment variables with secrets, which no backup holds: to be set up again."""
    endpoints = settings.loop.endpoints if settings.loop else ()
    named = [
        f"environment variable {one.secret_env}" if one.secret_env else f"file {one.secret_file}"
        for one in endpoints
    ]
    mail = ["environment variable KERBWATCH_MAIL_PASSWORD"] if settings.nightly.mail else []
    return [*dict.fromkeys(named), *mail, f"file {settings.key_file}"]


def _rows_into(tar: tarfile.TarFile, database: Database, account: Account) -> dict[str, str | None]:
    """The tables; returns the files that their rows speak of, with the hash that they must have, if it is known."""
    wanted: dict[str, str | None] = {}
    with snapshot(database) as tables:
        for name, rows in tables:
            with tempfile.TemporaryFile() as packed:
                count = 0
                with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as lines:
                    for row in rows:
                        lines.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                        count += 1
                        if name == "evidence_files":
                            wanted[f"evidence/{row['folder']}/{row['name']}"] = row["sha256"]
                        elif name == "observed":
                            wanted[f"observations/{row['file']}"] = None
                packed.seek(0)
                member = f"database/{name}.jsonl.gz"
                account.rows[name] = count
                account.files[member] = _stream_into(tar, member, packed, datetime.now(UTC))
    return wanted


def _roots(settings: Settings) -> Mapping[str, Root]:
    return {"observations": settings.observations_root, "evidence": settings.evidence_root}


def _files_of(settings: Settings) -> Iterator[tuple[str, Store, StoredFile]]:
    """Every file by its kind: the configuration, evidence, observations, and what else the state holds."""
    folder, roots = settings.folder, _roots(settings)
    for path in sorted(path for pattern in CONFIGURATION for path in folder.glob(pattern)):
        with suppress(FileNotFoundError):
            status, name = path.stat(), path.relative_to(folder).as_posix()
            written = datetime.fromtimestamp(status.st_mtime, UTC)
            if path.is_file() and is_configuration(name):
                yield "config", FolderStore(folder), StoredFile(name, status.st_size, written)
    for kind, root in roots.items():
        store = open_store(root)
        yield from ((kind, store, stored) for stored in store.files() if _is_whole(stored.name))
    state = FolderStore(settings.state_root)
    for stored in state.files():
        path = settings.state_root / stored.name
        ours = any(isinstance(root, Path) and path.is_relative_to(root) for root in roots.values())
        taken = ours or path == settings.heads_file or path.name.startswith("kerbwatch.db")
        if not taken and _is_whole(stored.name):
            yield "state", state, stored


def _is_whole(name: str) -> bool:
    """What is still being written has a name with a dot, or lies in such a folder."""
    return not any(part.startswith(".") for part in PurePosixPath(name).parts)


def _file_into(tar: tarfile.TarFile, name: str, store: Store, stored: StoredFile, account: Account) -> None:
    try:
        with store.reading(stored.name) as content:
            account.files[name] = _stream_into(tar, name, content, stored.written)
    except FileNotFoundError:
        return  # removed since it was listed; if a row speaks of it, that is found below


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


def _stream_into(tar: tarfile.TarFile, name: str, content: IO[bytes], written: datetime) -> dict[str, Any]:
    """A file as long as it is now: a log that grows meanwhile has lines later that belong to later."""
    member, hashed = tarfile.TarInfo(name), _Hashed(content)
    member.size = os.fstat(content.fileno()).st_size
    member.mtime = int(written.timestamp())
    tar.addfile(member, hashed)
    return {"sha256": hashed.digest.hexdigest(), "size_bytes": member.size}


def _bytes_into(tar: tarfile.TarFile, name: str, content: bytes, written: datetime | None = None) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mtime = int((written or datetime.now(UTC)).timestamp())
    tar.addfile(member, io.BytesIO(content))


@contextmanager
def full_disk_told(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageFull(f"{place}: no space left") from error
        raise


def fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _left_out(wanted: Mapping[str, str | None], gone: set[str], account: Account) -> list[str]:
    faults = []
    for name, sha256 in wanted.items():
        kind, _, what = name.partition("/")
        removed = what in gone or (kind == "evidence" and what.rpartition("/")[0] in gone)
        if name not in account.files:
            if not removed:
                faults.append(f"{name}: a row speaks of it and it is not there")
        elif sha256 is not None and account.files[name]["sha256"] != sha256:
            faults.append(f"{name}: is not what its row says")
    return faults

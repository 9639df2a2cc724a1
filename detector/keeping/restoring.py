"""A working folder out of a backup, checked to the last byte. Observations and evidence may go into a bucket."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from detector.config.settings import Settings, load_settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.database.dump import load
from detector.evidence import verify_stored
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.keeping.backup import KINDS, Account, fsync_folder, full_disk_told
from detector.keeping.checking import BadBackup, checked_backup, is_restored
from detector.runs.removals import Removals
from detector.signing import PublicKey
from detector.storage import FolderStore, Root, Store, StoreAway, open_store

WITHHELD = frozenset({"sessions"})
"""Tables that are never restored: who had signed in signs in again."""

TOKENS = "tokens"


def restore(
    source: Path,
    folder: Path,
    database_url: str | None = None,
    *,
    observations: Root | None = None,
    evidence: Root | None = None,
    key: PublicKey | None = None,
    tokens: bool = False,
) -> tuple[Account, dict[str, str]]:
    """A working folder out of a backup, and what the environment must say where the configuration names other places.

    Observations and evidence come to lie in the folder, or where it is said, such as s3://county-2/evidence. The
    whole file is checked before anything is written, and each file is read back and compared with the manifest; then
    the rows, the chain of the history and every issue's evidence are, before the folder appears. With `key`, only what its
    holder signed is restored; without, the caller vouches for the file. Sessions are never restored, API tokens with
    `tokens` only. Raises BadBackup, UnsignedBackup;
    BadInput where the folder or a place is there and not empty; StoreAway, StorageFull, DatabaseBusy. After these what was
    put into a place is gone again, as far as it can be reached; a server's database may have to be emptied.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already and not an empty folder")
    manifest = checked_backup(source, key)
    withheld = WITHHELD if tokens else WITHHELD | {TOKENS}
    given = {"observations": observations, "evidence": evidence}
    places = {kind: _empty_place(root) for kind, root in given.items() if root is not None}
    made = _Made(_scratch_of(folder), places)
    scratch = made.scratch
    try:
        with full_disk_told(folder):
            _unpacked(source, made, manifest)
        url = database_url or f"sqlite:///{scratch / 'state' / 'kerbwatch.db'}"
        rows = load(url, manifest["schema"], _tables(scratch, manifest, withheld))
        account = Account(manifest["files"], rows, secrets=_secrets_in(manifest))
        stores = {kind: places.get(kind, FolderStore(scratch / kind)) for kind in given}
        account.faults = [*manifest["faults"], *_counted(rows, manifest, withheld), *_verified(url, stores)]
        _settle(scratch, folder)
    except BaseException:
        made.remove_written()
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return account, _environment(load_settings(folder), database_url, observations, evidence)


def _empty_place(root: Root) -> Store:
    store = open_store(root)
    store.make_ready()
    if next(iter(store.files()), None) is not None:
        raise BadInput(f"{root} is not empty")
    return store


def _scratch_of(folder: Path) -> Path:
    """Make a new folder beside the target; nothing that is there already is used or removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}.restoring-", dir=folder.parent))


@dataclass(slots=True)
class _Made:
    """What one restore has made: a folder of its own, and files in the places named for some kinds."""

    scratch: Path
    places: Mapping[str, Store]
    written: list[tuple[Store, str]] = field(default_factory=list)

    def write(self, kind: str, name: str, content: bytes) -> None:
        """Write a file of a place. It is noted first: a write that fails may have left something."""
        store = self.places[kind]
        self.written.append((store, name))
        store.write(name, content)

    def remove_written(self) -> None:
        """Remove these files again, and nothing else, as far as their places answer."""
        with suppress(StoreAway, OSError):
            for store, name in self.written:
                store.remove(name)


def _unpacked(source: Path, made: _Made, manifest: Mapping[str, Any]) -> None:
    """Put every file in its place, and read it back there. Raises BadBackup."""
    for kind in KINDS:
        (made.scratch / kind).mkdir()
    with tarfile.open(source, mode="r:") as tar:
        for member in tar:
            if member.name in manifest["files"] and is_restored(member.name):
                sha256 = _put(tar, member, made)
                if sha256 != manifest["files"][member.name]["sha256"]:
                    raise BadBackup(f"{source}: {member.name} does not come back as it was written")


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, made: _Made) -> str:
    """Write a file; return the hash of what is there now."""
    kind, _, name = member.name.partition("/")
    if (store := made.places.get(kind)) is None:
        # Older backups do not say when a file was written; retention must not take it for half a century old.
        member.mtime = member.mtime or int(time.time())
        member.mode = 0o600
        tar.extract(member, made.scratch, filter="data")
        store, name = FolderStore(made.scratch), member.name
    else:
        content = tar.extractfile(member)
        assert content is not None
        made.write(kind, name, content.read())
    with store.reading(name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settle(scratch: Path, folder: Path) -> None:
    """Give the restored folder its shape, and its name once all of it is on the disk."""
    shutil.rmtree(scratch / "database")
    for path in list((scratch / "config").iterdir()):
        path.rename(scratch / path.name)
    (scratch / "config").rmdir()
    (scratch / "observations").rename(scratch / "state" / "observations")
    os.sync()
    if folder.exists():
        folder.rmdir()
    scratch.rename(folder)
    fsync_folder(folder.parent)


def _secrets_in(manifest: Mapping[str, Any]) -> list[str]:
    named = manifest.get("secrets")
    return [str(name) for name in named] if isinstance(named, list) else []


def _tables(
    scratch: Path, manifest: Mapping[str, Any], withheld: frozenset[str]
) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
    for name in (name for name in manifest["rows"] if name not in withheld):
        yield name, _lines(scratch / "database" / f"{name}.jsonl.gz")


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise BadBackup(f"database/{path.name}: {line[:40]!r} is no row")
                yield row
    except (ValueError, EOFError, gzip.BadGzipFile, RecursionError) as error:
        raise BadBackup(f"database/{path.name}: cannot be read: {error}") from error


def _counted(rows: Mapping[str, int], manifest: Mapping[str, Any], withheld: frozenset[str]) -> list[str]:
    wanted = {name: count for name, count in manifest["rows"].items() if name not in withheld}
    return [] if rows == wanted else ["the rows are not those that the manifest counts"]


def _verified(url: str, stores: Mapping[str, Store]) -> list[str]:
    """What is wrong with what was restored, in words."""
    with Database.open(url) as database:
        queue = IssueQueue(database)
        removed = Removals(database).removed("evidence")
        folders = {row.folder for issue in queue.find() for row in queue.evidence(issue.id)} - removed
        faults = queue.verify()
        named = Catalogue(database).observed_files() - Removals(database).removed("observations")
    for folder in sorted(folders):
        faults += [f"evidence/{folder}: {fault}" for fault in verify_stored(stores["evidence"], folder)]
    there = {stored.name for stored in stores["observations"].files()}
    return faults + [f"observations/{name}: missing" for name in sorted(named - there)]


def _environment(
    settings: Settings, database_url: str | None, observations: Root | None, evidence: Root | None
) -> dict[str, str]:
    """What must be set so that a restored folder is used as it lies there, whatever its configuration names."""
    own = replace(
        settings,
        state_root=settings.folder / "state",
        observations_root=observations or settings.folder / "state" / "observations",
        evidence_root=evidence or settings.folder / "evidence",
        database_url=database_url or f"sqlite:///{settings.folder / 'state' / 'kerbwatch.db'}",
    )
    names = ("state_root", "observations_root", "evidence_root", "database_url")
    return {
        f"KERBWATCH_{name.upper()}": str(getattr(own, name))
        for name in names
        if getattr(own, name) != getattr(settings, name)
    }

"""A working folder out of a backup, checked to the last byte. Observations and evidence may go into a bucket."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from detector.config.settings import Settings, load_settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.database.dump import load
from detector.evidence import verify_stored
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.keeping.backup import FORMAT, KINDS, MANIFEST, Account, fsync_folder, full_disk_told
from detector.runs.removals import Removals
from detector.storage import FolderStore, Root, Store, StoreAway, open_store


class BadBackup(BadInput):
    """The backup is not whole, or not a backup of kerbwatch; nothing was restored."""


def restore(
    source: Path,
    folder: Path,
    database_url: str | None = None,
    *,
    observations: Root | None = None,
    evidence: Root | None = None,
) -> tuple[Account, dict[str, str]]:
    """A working folder out of a backup, and what the environment must say where the configuration names other places.

    Observations and evidence come to lie in the folder, or where it is said, such as s3://county-2/evidence. The
    whole file is checked before anything is written, and each file is read back and compared with the manifest; then
    the rows, the chain of the history and every issue's evidence are, before the folder appears. Raises BadBackup;
    BadInput where the folder or a place is there and not empty; StoreAway, StorageFull, DatabaseBusy. After these what was
    put into a place is gone again, as far as it can be reached; a server's database may have to be emptied.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already and not an empty folder")
    manifest = _checked(source)
    given = {"observations": observations, "evidence": evidence}
    places = {kind: _empty_place(root) for kind, root in given.items() if root is not None}
    scratch = folder.with_name(f".{folder.name}.restoring")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with full_disk_told(folder):
            _unpacked(source, scratch, places, manifest)
        url = database_url or f"sqlite:///{scratch / 'state' / 'kerbwatch.db'}"
        account = Account(manifest["files"], load(url, manifest["schema"], _tables(scratch, manifest)))
        stores = {kind: places.get(kind, FolderStore(scratch / kind)) for kind in given}
        account.faults = [*manifest["faults"], *_counted(account, manifest), *_verified(url, stores)]
        _settle(scratch, folder)
    except BaseException:
        for kind, store in places.items():
            _taken_back(kind, store, manifest)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return account, _environment(load_settings(folder), database_url, observations, evidence)


def _checked(source: Path) -> dict[str, Any]:
    """The manifest of a backup, every byte of which is as the manifest says. Raises BadBackup."""
    found: dict[str, dict[str, Any]] = {}
    manifest: Any = None
    try:
        with tarfile.open(source, mode="r:") as tar:
            for member in tar:
                content = tar.extractfile(member) if _is_safe(member) else None
                if content is None:
                    raise BadBackup(f"{source}: {member.name} is no file of a backup")
                if member.name == MANIFEST:
                    manifest = json.loads(content.read())
                else:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
                    found[member.name] = {"sha256": digest, "size_bytes": member.size}
    except FileNotFoundError as error:
        raise BadBackup(f"{source}: no such file") from error
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BadBackup(f"{source}: {error}") from error
    if manifest is None:
        raise BadBackup(f"{source}: no manifest: it breaks off")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BadBackup(f"{source}: not a backup that this version knows")
    wrong = sorted(
        name
        for name in found.keys() | manifest["files"].keys()
        if found.get(name) != manifest["files"].get(name)
    )
    if wrong:
        raise BadBackup(f"{source}: {len(wrong)} files are not as the manifest says: {', '.join(wrong[:5])}")
    return manifest


def _is_safe(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file within one of our kinds, and names no other place."""
    parts = PurePosixPath(member.name).parts
    known = member.name == MANIFEST or (len(parts) > 1 and parts[0] in KINDS)
    return member.isreg() and known and ".." not in parts


def _empty_place(root: Root) -> Store:
    store = open_store(root)
    store.make_ready()
    if next(iter(store.files()), None) is not None:
        raise BadInput(f"{root} is not empty")
    return store


def _unpacked(source: Path, scratch: Path, places: Mapping[str, Store], manifest: Mapping[str, Any]) -> None:
    """Put every file in its place, and read it back there. Raises BadBackup."""
    for kind in KINDS:
        (scratch / kind).mkdir(parents=True)
    with tarfile.open(source, mode="r:") as tar:
        for member in tar:
            if member.name != MANIFEST:
                sha256 = _put(tar, member, scratch, places)
                if sha256 != manifest["files"][member.name]["sha256"]:
                    raise BadBackup(f"{source}: {member.name} does not come back as it was written")


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, scratch: Path, places: Mapping[str, Store]) -> str:
    """Write a file; the hash of what is there now."""
    kind, _, name = member.name.partition("/")
    if (store := places.get(kind)) is None:
        # Older backups do not say when a file was written; retention must not take it for half a century old.
        member.mtime = member.mtime or int(time.time())
        tar.extract(member, scratch, filter="data")
        store, name = FolderStore(scratch), member.name
    else:
        content = tar.extractfile(member)
        assert content is not None
        store.write(name, content.read())
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


def _taken_back(kind: str, store: Store, manifest: Mapping[str, Any]) -> None:
    with suppress(StoreAway, OSError):
        for name in manifest["files"]:
            if name.startswith(f"{kind}/"):
                store.remove(name.removeprefix(f"{kind}/"))


def _tables(scratch: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
    for name in manifest["rows"]:
        yield name, _lines(scratch / "database" / f"{name}.jsonl.gz")


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _counted(account: Account, manifest: Mapping[str, Any]) -> list[str]:
    return [] if account.rows == manifest["rows"] else ["the rows are not those that the manifest counts"]


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

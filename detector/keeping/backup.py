"""The whole state in one file, taken while everything runs, and a working folder out of it, checked to the last byte.

Rows speak only of files that are whole and stay as they are; so rows are read first, all as of one moment, and then
the files. A lease keeps retention away meanwhile. The manifest, with the hash of every file, is the last member.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from detector import __version__
from detector.config.settings import Settings, load_settings
from detector.core.errors import BadInput
from detector.database import Database
from detector.database.dump import load, revision, snapshot
from detector.evidence import verify_evidence
from detector.footage.catalogue import Catalogue
from detector.issues.queue import IssueQueue
from detector.runs.lease import Leases
from detector.runs.removals import Removals
from detector.storage import Root

MANIFEST = "manifest.json"
LEASE = "keeping"
FORMAT = 1


class BadBackup(BadInput):
    """The backup is not whole, or not a backup of kerbwatch; nothing was restored."""


@dataclass(slots=True)
class Account:
    """What went into a backup or came out of one."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        return sum(int(file["size_bytes"]) for file in self.files.values())


def backup(settings: Settings, target: Path) -> Account:
    """Write everything that a working folder holds, recordings and weights aside, to one file.

    It appears by a rename, after it was synced. What a row speaks of and is not there is in the account's faults.
    Raises BadInput where the target is there already, LeaseTaken while retention or another backup runs.
    """
    if target.exists():
        raise BadInput(f"{target} is there already")
    for kind, root in _roots(settings).items():
        if isinstance(root, str):
            raise BadInput(
                f"{kind} in an object store: only folders are backed up; use that store's own backups"
            )
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    with Database.open(settings.database_url) as database:
        leases = Leases(database)
        lease = leases.take(LEASE)
        try:
            with scratch.open("wb") as file:
                account = _written(settings, database, file)
                file.flush()
                os.fsync(file.fileno())
            scratch.rename(target)
        finally:
            leases.give_back(lease)
            scratch.unlink(missing_ok=True)
    return account


def _written(settings: Settings, database: Database, file: IO[bytes]) -> Account:
    account = Account()
    at = datetime.now(UTC)
    with tarfile.open(fileobj=file, mode="w") as tar:
        wanted = _rows_into(tar, database, account)
        for name, path in _files_of(settings):
            _file_into(tar, name, path, account)
        gone = {*Removals(database).removed("evidence"), *Removals(database).removed("observations")}
        account.faults += _left_out(wanted, gone, account)
        manifest = {
            "format": FORMAT,
            "kerbwatch": __version__,
            "schema": revision(database),
            "made_at": at.isoformat(),
            "settings_version": settings.version,
            "rows": account.rows,
            "files": account.files,
            "faults": account.faults,
        }
        _bytes_into(tar, MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    return account


def _rows_into(tar: tarfile.TarFile, database: Database, account: Account) -> dict[str, str | None]:
    """The tables; returns the files that their rows speak of, with the hash that they must have, if it is known."""
    wanted: dict[str, str | None] = {}
    with snapshot(database) as tables:
        for name, rows in tables:
            packed, count = io.BytesIO(), 0
            with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as lines:
                for row in rows:
                    lines.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                    count += 1
                    if name == "evidence_files":
                        wanted[f"evidence/{row['folder']}/{row['name']}"] = row["sha256"]
                    elif name == "observed":
                        wanted[f"observations/{row['file']}"] = None
            member = f"database/{name}.jsonl.gz"
            account.rows[name] = count
            account.files[member] = _bytes_into(tar, member, packed.getvalue())
    return wanted


def _roots(settings: Settings) -> Mapping[str, Root]:
    return {"observations": settings.observations_root, "evidence": settings.evidence_root}


def _files_of(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Every file by its name in the backup: the configuration, evidence, observations, and what else the state holds."""
    folder, state = settings.folder, settings.state_root
    for path in sorted([*folder.glob("*.y*ml"), *folder.glob("points/*.y*ml"), *folder.glob("*.md")]):
        yield f"config/{path.relative_to(folder).as_posix()}", path
    roots = {kind: root for kind, root in _roots(settings).items() if isinstance(root, Path)}
    for kind, root in roots.items():
        for path in _below(root):
            yield f"{kind}/{path.relative_to(root).as_posix()}", path
    for path in _below(state):
        ours = any(path.is_relative_to(root) for root in roots.values())
        if not ours and not path.name.startswith("kerbwatch.db"):
            yield f"state/{path.relative_to(state).as_posix()}", path


def _below(root: Path) -> Iterator[Path]:
    """Whole files: what is still being written has a name with a dot, or lies in such a folder."""
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _file_into(tar: tarfile.TarFile, name: str, path: Path, account: Account) -> None:
    try:
        with path.open("rb") as file:
            content = file.read()
    except FileNotFoundError:
        return  # removed since it was listed; if a row speaks of it, that is found below
    account.files[name] = _bytes_into(tar, name, content)


def _bytes_into(tar: tarfile.TarFile, name: str, content: bytes) -> dict[str, Any]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


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


def restore(source: Path, folder: Path, database_url: str | None = None) -> tuple[Account, dict[str, str]]:
    """A working folder out of a backup, and what the environment must say where the configuration names other places.

    Everything is checked before the folder appears: each file against the manifest, the rows, the chain of the
    history, every issue's evidence. Raises BadBackup, and BadInput where the folder is there and not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already and not an empty folder")
    scratch = folder.with_name(f".{folder.name}.restoring")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        manifest = _unpacked(source, scratch)
        for part in ("config", "state", "observations", "evidence", "database"):
            (scratch / part).mkdir(exist_ok=True)
        url = database_url or f"sqlite:///{scratch / 'state' / 'kerbwatch.db'}"
        account = Account(manifest["files"], load(url, manifest["schema"], _tables(scratch, manifest)))
        if account.rows != manifest["rows"]:
            raise BadBackup(f"{source}: the rows are not those that the manifest counts")
        account.faults = [*manifest["faults"], *_verified(url, scratch)]
        shutil.rmtree(scratch / "database")
        for path in list((scratch / "config").iterdir()):
            path.rename(scratch / path.name)
        (scratch / "config").rmdir()
        (scratch / "observations").rename(scratch / "state" / "observations")
        if folder.exists():
            folder.rmdir()
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return account, _environment(load_settings(folder), database_url)


def _unpacked(source: Path, scratch: Path) -> dict[str, Any]:
    """Unpack, and check each file. Raises BadBackup."""
    found: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(source, mode="r:") as tar:
            for member in tar:
                tar.extract(member, scratch, filter="data")
                with (scratch / member.name).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                found[member.name] = {"sha256": digest, "size_bytes": member.size}
        manifest = json.loads((scratch / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise BadBackup(f"{source}: {'no manifest: it breaks off' if found else 'no such file'}") from error
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BadBackup(f"{source}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BadBackup(f"{source}: not a backup that this version knows")
    (scratch / MANIFEST).unlink()
    del found[MANIFEST]
    wrong = sorted(
        name
        for name in found.keys() | manifest["files"].keys()
        if found.get(name) != manifest["files"].get(name)
    )
    if wrong:
        raise BadBackup(f"{source}: {len(wrong)} files are not as the manifest says: {', '.join(wrong[:5])}")
    return manifest


def _tables(scratch: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
    for name in manifest["rows"]:
        yield name, _lines(scratch / "database" / f"{name}.jsonl.gz")


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _verified(url: str, scratch: Path) -> list[str]:
    """What is wrong with what was restored, in words."""
    with Database.open(url) as database:
        queue = IssueQueue(database)
        removed = Removals(database).removed("evidence")
        folders = {row.folder for issue in queue.find() for row in queue.evidence(issue.id)} - removed
        faults = queue.verify()
        stored = Catalogue(database).observed_files() - Removals(database).removed("observations")
    for folder in sorted(folders):
        faults += [f"evidence/{folder}: {fault}" for fault in verify_evidence(scratch / "evidence" / folder)]
    faults += [
        f"observations/{name}: missing" for name in stored if not (scratch / "observations" / name).is_file()
    ]
    return faults


def _environment(settings: Settings, database_url: str | None) -> dict[str, str]:
    """What must be set so that a restored folder is used as it lies there, whatever its configuration names."""
    own = replace(
        settings,
        state_root=settings.folder / "state",
        observations_root=settings.folder / "state" / "observations",
        evidence_root=settings.folder / "evidence",
        database_url=database_url or f"sqlite:///{settings.folder / 'state' / 'kerbwatch.db'}",
    )
    names = ("state_root", "observations_root", "evidence_root", "database_url")
    return {
        f"KERBWATCH_{name.upper()}": str(getattr(own, name))
        for name in names
        if getattr(own, name) != getattr(settings, name)
    }

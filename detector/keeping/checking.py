"""The check of a backup before anything of it is written: names, hashes, and what its manifest says."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from detector.core.errors import BadInput
from detector.keeping.backup import FORMAT, KINDS, MANIFEST, PURPOSE, SIGNATURE, is_configuration
from detector.signing import PublicKey
from detector.storage import is_normal

LARGEST_MANIFEST = 512_000_000
"""Bytes. A larger manifest is refused, for it is read into memory; one file takes about 200 bytes of it."""

_TABLE = re.compile(r"[a-z][a-z_]{0,62}")
_DATABASE = "kerbwatch.db"


class BadBackup(BadInput):
    """The backup is not whole, or not a backup of kerbwatch; nothing was restored."""


class UnsignedBackup(BadBackup):
    """Nobody says that the backup is the county's; nothing was restored."""


def checked_backup(source: Path, key: PublicKey | None = None) -> dict[str, Any]:
    """The manifest of a backup, every byte of which is as the manifest says; with `key`, one that its holder signed.

    Raises BadBackup, UnsignedBackup.
    """
    try:
        found, content, signature = _hashed_members(source)
    except FileNotFoundError as error:
        raise BadBackup(f"{source}: no such file") from error
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BadBackup(f"{source}: {error}") from error
    if content is None:
        raise BadBackup(f"{source}: no manifest: it breaks off")
    manifest = _manifest_in(source, content)
    if key is not None:
        _demand_signature(source, manifest, content, signature, key)
    wrong = sorted(
        name
        for name in found.keys() | manifest["files"].keys()
        if found.get(name) != manifest["files"].get(name)
    )
    if wrong:
        raise BadBackup(f"{source}: {len(wrong)} files are not as the manifest says: {', '.join(wrong[:5])}")
    return manifest


def _demand_signature(
    source: Path, manifest: Mapping[str, Any], content: bytes, signature: bytes | None, key: PublicKey
) -> None:
    """Raises UnsignedBackup where the holder of the key did not sign the manifest."""
    if signature is None:
        raise UnsignedBackup(
            f"{source}: has no signature; a version before signatures made it, or it was removed. Restore it with "
            "--unsigned only if you know where the file has been"
        )
    if manifest.get("purpose") != PURPOSE or not key.verifies(signature, content):
        raise UnsignedBackup(
            f"{source}: is not signed by the key {key.fingerprint}, it names the key {manifest.get('key')!r}; it was "
            "changed, or another county made it"
        )


def _hashed_members(source: Path) -> tuple[dict[str, dict[str, Any]], bytes | None, bytes | None]:
    """The hash and size of every file of a backup, the manifest's content and its signature. Raises BadBackup."""
    found: dict[str, dict[str, Any]] = {}
    alone: dict[str, bytes] = {}
    with tarfile.open(source, mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member) if is_safe(member) else None
            if content is None or member.name in found or member.name in alone:
                raise BadBackup(f"{source}: {member.name!r} is no file of a backup")
            if member.name not in (MANIFEST, SIGNATURE):
                digest = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
                found[member.name] = {"sha256": digest, "size_bytes": member.size}
            elif member.size > LARGEST_MANIFEST:
                raise BadBackup(
                    f"{source}: {member.name} has {member.size} bytes, {LARGEST_MANIFEST} at most"
                )
            else:
                alone[member.name] = content.read()
    if both := _files_and_folders(found):
        raise BadBackup(f"{source}: {both!r} is a file and a folder at once")
    return found, alone.get(MANIFEST), alone.get(SIGNATURE)


def is_safe(member: tarfile.TarInfo) -> bool:
    """Return whether a member is a plain file of one of our kinds, under a name that has one spelling only.

    The database lies in the backup as rows, and observations have a kind of their own: neither is a file of the state.
    """
    name = member.name
    if not member.isreg() or not is_normal(name):
        return False
    parts = PurePosixPath(name).parts
    if parts[0] == "state" and (parts[1:2] == ("observations",) or parts[-1].startswith(_DATABASE)):
        return False
    return name in (MANIFEST, SIGNATURE) or (len(parts) > 1 and parts[0] in KINDS)


def is_restored(name: str) -> bool:
    """Return whether a file of a checked backup is written: of the configuration only what a working folder knows."""
    kind, _, rest = name.partition("/")
    return kind != "config" or is_configuration(rest)


def _files_and_folders(names: Iterable[str]) -> str | None:
    """A name that is also the folder of another one; None where there is none."""
    known = set(names)
    folders = {str(parent) for name in known for parent in PurePosixPath(name).parents}
    return next(iter(sorted(known & folders)), None)


def _manifest_in(source: Path, content: bytes) -> dict[str, Any]:
    """What a manifest says, in the types that it must have. Raises BadBackup."""
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadBackup(f"{source}: its manifest cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BadBackup(f"{source}: not a backup that this version knows")
    for name, kind in (("files", dict), ("rows", dict), ("faults", list), ("schema", str)):
        if not isinstance(manifest.get(name), kind):
            raise BadBackup(f"{source}: its manifest has no {name}")
    if wrong := _wrong_tables(manifest):
        raise BadBackup(f"{source}: {wrong!r} is no table of a backup")
    return manifest


def _wrong_tables(manifest: Mapping[str, Any]) -> str | None:
    """A name among the rows that is no table with a file of its own; None where there is none."""
    for name in manifest["rows"]:
        if not _TABLE.fullmatch(name) or name == "alembic_version":
            return str(name)
        if f"database/{name}.jsonl.gz" not in manifest["files"]:
            return str(name)
    return None

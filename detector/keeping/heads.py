"""Signed heads: once a day, the last rows of the history and of the log are signed and added to a file.

Who may write to the database can write both chains anew. What was signed before cannot be made to fit, as long as the
key, or a copy of the file, lies where that account may not write.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

from detector.config.settings import Settings
from detector.core.errors import BadInput
from detector.core.files import sync
from detector.database import Database
from detector.issues.queue import IssueQueue
from detector.people import AuditLog
from detector.signing import PublicKey, SigningKey, known_keys, make_key

PURPOSE = "kerbwatch head"
FORMAT = 1
FIRST = "0" * 64
"""What stands for the hash of the line before the first."""

SHORT = 16
"""Hex digits of a hash that are shown to people."""


class Chain(Protocol):
    """A chain of rows in the database."""

    def hash_of(self, number: int, /) -> str | None:
        """The hash of a row; None where there is no such row."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """What one line of the file says. `line` is its bytes without the line break."""

    at: datetime
    county: str
    history: tuple[int, str]
    log: tuple[int, str]
    previous: str
    """SHA-256 of the line before it, 64 hex digits."""
    key: str
    line: bytes

    @classmethod
    def of(cls, line: bytes) -> Self:
        """Raises ValueError where a line is no head."""
        try:
            said = json.loads(line)
            if (said["purpose"], said["format"]) != (PURPOSE, FORMAT):
                raise ValueError("is no head of this format")
            history, log = ((int(part["row"]), str(part["hash"])) for part in (said["history"], said["log"]))
            at = datetime.fromisoformat(said["at"])
            return cls(at, str(said["county"]), history, log, str(said["previous"]), str(said["key"]), line)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"is no head: {error!r}") from error

    @property
    def digest(self) -> str:
        """SHA-256 of the line, 64 hex digits."""
        return hashlib.sha256(self.line).hexdigest()

    @property
    def words(self) -> str:
        """The head in one line, for a paper that nobody can change afterwards."""
        return (
            f"{self.at:%Y-%m-%d %H:%M:%S}Z {self.history[0]}:{self.history[1][:SHORT]} "
            f"{self.log[0]}:{self.log[1][:SHORT]} {self.digest[:SHORT]}"
        )

    def is_signed_by(self, key: PublicKey) -> bool:
        said = json.loads(self.line)
        try:
            signature = base64.b64decode(said.pop("signature"), validate=True)
        except (KeyError, ValueError, TypeError, AttributeError):
            return False
        return key.verifies(signature, _canonical(said))


def add_head(settings: Settings, database: Database, at: datetime) -> Head:
    """Sign the last rows of history and log as they are now, and add them to the file.

    Where nothing has happened since the last head, that one is returned and nothing is added. The county's key is made
    where there is none. Raises BadKey, BadInput where the file is damaged or may not be written.
    """
    key = make_key(settings.key_file)
    path = settings.heads_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            known = heads_in(content, path)
            head = _head_now(settings, database, at, key, known)
            if head not in known[-1:]:
                file.write((b"\n" if content and not content.endswith(b"\n") else b"") + head.line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        sync(path.parent)
    except OSError as error:
        raise BadInput(f"{path}: the signed head cannot be added ({error.strerror})") from error
    return head


def _head_now(
    settings: Settings, database: Database, at: datetime, key: SigningKey, known: Sequence[Head]
) -> Head:
    history, log = IssueQueue(database).last_row(), AuditLog(database, lambda: at).last()
    if known and (known[-1].history, known[-1].log) == (history, log):
        return known[-1]
    said: dict[str, Any] = {
        "purpose": PURPOSE,
        "format": FORMAT,
        "county": settings.name,
        "at": at.astimezone(UTC).isoformat(timespec="seconds"),
        "history": {"row": history[0], "hash": history[1]},
        "log": {"row": log[0], "hash": log[1]},
        "previous": known[-1].digest if known else FIRST,
        "key": key.public.fingerprint,
    }
    signature = base64.b64encode(key.sign(_canonical(said))).decode()
    return Head.of(_canonical({**said, "signature": signature}))


def last_head(path: Path) -> Head | None:
    """The newest head of a file; None where there is none. Raises BadInput."""
    return next(reversed(read_heads(path)), None)


def read_heads(path: Path) -> list[Head]:
    """The heads of a file, oldest first; none where there is no file. Raises BadInput for a line that is none."""
    try:
        return heads_in(path.read_bytes(), path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error


def heads_in(content: bytes, path: Path) -> list[Head]:
    heads = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            heads.append(Head.of(line))
        except ValueError as error:
            raise BadInput(f"{path}: line {number} {error}") from error
    return heads


def verify_heads(
    heads: Sequence[Head], history: Chain, log: Chain, keys: Sequence[PublicKey]
) -> Iterator[str]:
    """Everything that the database or the file says otherwise than what was signed, in words."""
    by_name = {key.fingerprint: key for key in keys}
    previous = FIRST
    for head in heads:
        place = f"head of {head.at:%Y-%m-%d %H:%M:%S}Z"
        key = by_name.get(head.key)
        if key is None:
            yield f"{place}: is signed by the key {head.key}, whose public key is not at hand"
        elif not head.is_signed_by(key):
            yield f"{place}: its signature does not fit"
        if head.previous != previous:
            yield f"{place}: does not follow from the line before it"
        previous = head.digest
        for name, chain, (row, signed) in (("history", history, head.history), ("log", log, head.log)):
            if row and (found := chain.hash_of(row)) != signed:
                what = "is missing" if found is None else "is another one than was signed"
                yield f"{place}: {name} row {row} {what}"


def keys_for(settings: Settings) -> tuple[PublicKey, ...]:
    """The county's public keys, those of earlier keys among them: beside its private key, and in its folder."""
    folders = dict.fromkeys((settings.key_file.parent, settings.folder / "keys"))
    return tuple(key for folder in folders for key in known_keys(folder))


def _canonical(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

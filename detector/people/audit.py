"""The log of who signed in, who looked at footage, and who took what out. It is added to and read, never changed.

Each row holds the hash of the row before it, so that a changed or removed row is found; signed heads show where the last
rows are missing (`detector.keeping.heads`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, insert, select

from detector.core.times import Interval
from detector.database import Database, schema, take_lock
from detector.people.roles import Actor

NOTHING: Mapping[str, Any] = MappingProxyType({})

LOCK = "audit"
"""Held by a transaction from its first row of the log to its end, so that the last row stays the last."""

GENESIS = "0" * 64
"""What stands for the hash before the first row."""


class Looked(StrEnum):
    """What the log tells."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    FOOTAGE = "footage"
    """A picture or a clip was looked at."""
    EXPORT = "export"
    """Something was taken out: a letter, a table, a picture."""
    USERS = "users"
    """An account was made or changed."""
    SETTINGS = "settings"
    REFUSED = "refused"
    """Somebody asked for what he may not have."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: int
    at: datetime
    who: str
    what: str
    issue_id: int | None
    file: str | None
    address: str | None
    details: Mapping[str, Any]
    prev_hash: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "who": self.who,
            "what": self.what,
            "issue": self.issue_id,
            "file": self.file,
            "address": self.address,
            "details": dict(self.details),
        }


class AuditLog:
    """The log over a database. Safe to share between threads."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def add(
        self,
        actor: Actor,
        what: Looked,
        *,
        issue_id: int | None = None,
        file: str | None = None,
        details: Mapping[str, Any] = NOTHING,
    ) -> None:
        with self._database.begin() as connection:
            write(
                connection,
                self._now(),
                actor.who,
                what,
                issue_id=issue_id,
                file=file,
                address=actor.address,
                details=details,
            )

    def find(
        self,
        *,
        who: str | None = None,
        what: Looked | None = None,
        issue_id: int | None = None,
        period: Interval | None = None,
        limit: int = 200,
        before: int | None = None,
    ) -> list[AuditRow]:
        """Newest first; `before` is the number of the last row of the page before."""
        table = schema.audit.c
        query = select(schema.audit).order_by(table.id.desc()).limit(limit)
        for column, value in ((table.who, who), (table.what, what), (table.issue_id, issue_id)):
            if value is not None:
                query = query.where(column == value)
        if period is not None:
            query = query.where(table.at >= period.start, table.at < period.end)
        if before is not None:
            query = query.where(table.id < before)
        with self._database.read() as connection:
            return [AuditRow(**row) for row in connection.execute(query).mappings()]

    def last(self) -> tuple[int, str]:
        """The number and the hash of the last row; 0 and GENESIS for an empty log."""
        with self._database.read() as connection:
            return _last(connection)

    def hash_of(self, number: int) -> str | None:
        """The hash of a row; None where there is no such row."""
        table = schema.audit.c
        with self._database.read() as connection:
            return connection.scalar(select(table.hash).where(table.id == number))

    def verify(self) -> list[str]:
        """Every fault of the chain, in words; an empty list where all is well."""
        with self._database.read() as connection:
            query = select(schema.audit).order_by(schema.audit.c.id).execution_options(yield_per=1000)
            return list(_faults(AuditRow(**row) for row in connection.execute(query).mappings()))


def _last(connection: Connection) -> tuple[int, str]:
    table = schema.audit.c
    row = connection.execute(select(table.id, table.hash).order_by(table.id.desc()).limit(1)).first()
    return (int(row.id), str(row.hash)) if row else (0, GENESIS)


def _faults(rows: Iterator[AuditRow]) -> Iterator[str]:
    before, prev_hash = 0, GENESIS
    for row in rows:
        if row.prev_hash != prev_hash:
            yield f"log row {row.id}: does not follow from row {before}: rows between them were removed or changed"
        if row.hash != digest(row):
            yield f"log row {row.id}: was changed, its hash does not fit"
        before, prev_hash = row.id, row.hash


def digest(row: AuditRow) -> str:
    """SHA-256, 64 hex digits, over a row and the hash of the row before it, as canonical JSON without its number."""
    content = {
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "who": row.who,
        "what": str(row.what),
        "issue": row.issue_id,
        "file": row.file,
        "address": row.address,
        "details": row.details,
        "prev_hash": row.prev_hash,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write(
    connection: Connection,
    at: datetime,
    who: str,
    what: Looked,
    *,
    issue_id: int | None = None,
    file: str | None = None,
    address: str | None = None,
    details: Mapping[str, Any] = NOTHING,
) -> None:
    """One row, in the transaction of what it tells."""
    take_lock(connection, LOCK)
    plain = json.loads(json.dumps(dict(details)))
    _, prev_hash = _last(connection)
    row = AuditRow(0, at, who, str(what), issue_id, file, address, plain, prev_hash, "")
    connection.execute(
        insert(schema.audit).values(
            at=at, who=who, what=what, issue_id=issue_id, file=file, address=address, details=plain,
            prev_hash=prev_hash, hash=digest(row),
        )
    )  # fmt: skip

"""The log of who signed in, who looked at footage, and who took what out. It is added to and read, never changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, insert, select

from detector.core.times import Interval
from detector.database import Database, schema
from detector.people.roles import Actor

NOTHING: Mapping[str, Any] = MappingProxyType({})


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
    connection.execute(
        insert(schema.audit).values(
            at=at, who=who, what=what, issue_id=issue_id, file=file, address=address, details=dict(details)
        )
    )

"""What retention has removed: every file and folder, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from detector.database import Database, schema


@dataclass(frozen=True, slots=True)
class Removal:
    """`kind` is evidence, observations or log; `what` is the path below that kind's root."""

    kind: str
    what: str
    size_bytes: int
    why: str


class Removals:
    """The log of removals. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def log(self, removal: Removal, at: datetime) -> None:
        values = {
            "at": at,
            "kind": removal.kind,
            "what": removal.what,
            "size_bytes": removal.size_bytes,
            "why": removal.why,
        }
        with self._database.begin() as connection:
            connection.execute(insert(schema.removals).values(values))

    def all(self) -> list[Removal]:
        """Oldest first."""
        table = schema.removals
        columns = (table.c.kind, table.c.what, table.c.size_bytes, table.c.why)
        with self._database.read() as connection:
            return [Removal(*row) for row in connection.execute(select(*columns).order_by(table.c.id))]

    def removed(self, kind: str) -> set[str]:
        return {removal.what for removal in self.all() if removal.kind == kind}

    def find(self, kind: str, folder: str, part: str) -> Removal | None:
        """The newest removal of a kind below `folder` (it ends with '/') whose path contains `part`, if there is one."""
        table = schema.removals
        columns = (table.c.kind, table.c.what, table.c.size_bytes, table.c.why)
        query = select(*columns).where(
            table.c.kind == kind,
            table.c.what.startswith(folder, autoescape=True),
            table.c.what.contains(part, autoescape=True),
        )
        with self._database.read() as connection:
            row = connection.execute(query.order_by(table.c.id.desc()).limit(1)).first()
        return Removal(*row) if row else None

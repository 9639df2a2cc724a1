"""Which local days of which cameras are done, and under what; so that what is owed is never a guess."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from detector.database import Database, schema
from detector.runs.lease import Lease, Leases


class CameraDays:
    """Days that were observed, judged and filed to the end. `key` names recordings, model and rules of that moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def done(self, camera_id: str) -> dict[date, str]:
        table = schema.camera_days
        query = select(table.c.day, table.c.key).where(table.c.camera_id == camera_id)
        with self._database.read() as connection:
            return {date.fromisoformat(row.day): row.key for row in connection.execute(query)}

    def mark(
        self, leases: Leases, lease: Lease, camera_id: str, day: date, key: str, run_id: int, at: datetime
    ) -> None:
        """Says that a day is done. Saying it again changes nothing. Raises LeaseLost."""
        table = schema.camera_days
        rest = {"key": key, "run_id": run_id, "done_at": at}
        insert = self._database.insert(table).values(camera_id=camera_id, day=day.isoformat(), **rest)
        with self._database.begin() as connection:
            leases.hold(connection, lease)
            connection.execute(insert.on_conflict_do_update(index_elements=["camera_id", "day"], set_=rest))

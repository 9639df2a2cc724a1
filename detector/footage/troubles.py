"""Recordings that could not be worked with, how often, and which are given up: the quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import RowMapping, select, update

from detector.database import Database, schema


class TroubleKind(StrEnum):
    """What happened to whoever worked with a recording."""

    CRASHED = "crashed"
    """The worker process ended: a crash of a decoder, or no memory."""
    STALLED = "stalled"
    """The worker did nothing for too long, or took too long, and was ended."""
    UNREADABLE = "unreadable"
    """It could not be read, though the file is there and unchanged."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One recording, as it was on the disk then: a file that has changed since is another recording."""

    recording_id: str
    camera_id: str
    path: str
    kind: TroubleKind
    times: int
    reason: str
    at: datetime
    given_up: bool


class Troubles:
    """The troubles of all recordings. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        recording_id: str,
        camera_id: str,
        path: str,
        kind: TroubleKind,
        *,
        run_id: int,
        reason: str,
        at: datetime,
        limit: int,
    ) -> Trouble:
        """Counts a trouble; at `limit` the recording is given up. One that is unreadable counts once a run."""
        table = schema.troubles
        mine = (table.c.recording_id == recording_id) & (table.c.kind == kind)
        with self._database.begin(lock="troubles") as connection:
            old = connection.execute(select(table).where(mine)).mappings().first()
            again = old is not None and kind is TroubleKind.UNREADABLE and old["run_id"] == run_id
            times = (old["times"] if old is not None else 0) + (0 if again else 1)
            rest = {
                "camera_id": camera_id,
                "path": path,
                "times": times,
                "run_id": run_id,
                "reason": reason,
                "at": at,
                "given_up": times >= limit,
            }
            insert = self._database.insert(table).values(recording_id=recording_id, kind=kind.value, **rest)
            connection.execute(
                insert.on_conflict_do_update(index_elements=["recording_id", "kind"], set_=rest)
            )
            return _trouble(connection.execute(select(table).where(mine)).mappings().one())

    def given_up(self, camera_id: str) -> dict[str, str]:
        """By recording, why it is in quarantine."""
        table = schema.troubles
        query = select(table).where(table.c.camera_id == camera_id, table.c.given_up)
        with self._database.read() as connection:
            found = [_trouble(row) for row in connection.execute(query).mappings()]
        return {t.recording_id: f"in quarantine: {t.kind} {t.times} times, last: {t.reason}" for t in found}

    def all(self) -> list[Trouble]:
        """Every trouble, the last one first."""
        table = schema.troubles
        with self._database.read() as connection:
            rows = connection.execute(select(table).order_by(table.c.at.desc(), table.c.path)).mappings()
            return [_trouble(row) for row in rows]

    def release(self) -> int:
        """Lets every recording out of quarantine, to be tried anew; returns how many."""
        table = schema.troubles
        with self._database.begin(lock="troubles") as connection:
            freed = update(table).where(table.c.given_up).values(given_up=False, times=0)
            return int(connection.execute(freed).rowcount)


def _trouble(row: RowMapping) -> Trouble:
    return Trouble(
        recording_id=row["recording_id"],
        camera_id=row["camera_id"],
        path=row["path"],
        kind=TroubleKind(row["kind"]),
        times=row["times"],
        reason=row["reason"],
        at=row["at"],
        given_up=row["given_up"],
    )

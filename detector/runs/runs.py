"""The rows of nightly runs: what each did, as far as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, insert, select, update

from detector.core.times import Interval
from detector.database import Database, schema
from detector.runs.lease import Lease, Leases

LEASE = "nightly"
"""What a run holds while it lives."""


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    """Nothing that could be read is owed."""
    PARTIAL = "partial"
    """Stopped before that: by its deadline, by a person, by a full disk; `summary` says why."""
    FAILED = "failed"
    DIED = "died"
    """Its process ended without a word: nobody holds the lease, or the next run found it so."""


@dataclass(frozen=True, slots=True)
class Run:
    """One nightly run over a period. `summary` holds plain values; see `detector.scheduling.book`."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    period: Interval
    state: RunState
    summary: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "from": self.period.start.isoformat(),
            "until": self.period.end.isoformat(),
            "state": self.state.value,
            "summary": dict(self.summary),
        }


class Runs:
    """The runs of a database. What a run writes, it writes under its lease; see `Leases.hold`."""

    def __init__(self, database: Database, leases: Leases) -> None:
        self._database = database
        self._leases = leases

    def begin(self, lease: Lease, period: Interval, at: datetime, summary: Mapping[str, Any]) -> Run:
        """A new run. One that was still running can only have died, for it no longer has the lease. Raises LeaseLost."""
        table = schema.runs
        died = {"state": RunState.DIED.value, "finished_at": at}
        with self._database.begin() as connection:
            self._leases.hold(connection, lease)
            connection.execute(update(table).where(table.c.state == RunState.RUNNING).values(died))
            values = {
                "started_at": at,
                "start": period.start,
                "end": period.end,
                "state": RunState.RUNNING.value,
                "summary": dict(summary),
            }
            (run_id,) = connection.execute(insert(table).values(values)).inserted_primary_key or (0,)
        return self.get(int(run_id))

    def keep(self, lease: Lease, run_id: int, summary: Mapping[str, Any]) -> None:
        """How far it has come. Raises LeaseLost."""
        self._set(lease, run_id, {"summary": dict(summary)})

    def end(
        self, lease: Lease, run_id: int, state: RunState, at: datetime, summary: Mapping[str, Any]
    ) -> Run:
        """Raises LeaseLost."""
        self._set(lease, run_id, {"state": state.value, "finished_at": at, "summary": dict(summary)})
        return self.get(run_id)

    def _set(self, lease: Lease, run_id: int, values: Mapping[str, Any]) -> None:
        with self._database.begin() as connection:
            self._leases.hold(connection, lease)
            connection.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(values))

    def get(self, run_id: int) -> Run:
        with self._database.read() as connection:
            row = connection.execute(select(schema.runs).where(schema.runs.c.id == run_id)).mappings().one()
        return _run(row)

    def latest(self, limit: int = 30) -> list[Run]:
        """The last runs, newest first. One that says it runs and of which nobody lives is told as died."""
        query = select(schema.runs).order_by(schema.runs.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            found = [_run(row) for row in connection.execute(query).mappings()]
        return [self._as_it_is(run) if run.state is RunState.RUNNING else run for run in found]

    def _as_it_is(self, run: Run) -> Run:
        if self._leases.holder(LEASE) is not None:
            return run
        again = self.get(run.id)  # it may have ended between the two looks
        return replace(again, state=RunState.DIED) if again.state is RunState.RUNNING else again


def _run(row: RowMapping) -> Run:
    return Run(
        id=row["id"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        period=Interval(row["start"], row["end"]),
        state=RunState(row["state"]),
        summary=row["summary"],
    )

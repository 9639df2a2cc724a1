"""What of the outbox each endpoint has been told, has still to be told, and refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Join, Row, and_, delete, func, or_, select, update

from detector.database import Database, schema
from detector.issues.events import event_of
from detector.issues.values import Event

PAGE = 500
"""So many undelivered events are looked at in one go."""

FIRST_WAIT_S = 10.0
LONGEST_WAIT_S = 3600.0


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    POISON = "poison"
    """The endpoint refused it too often; it is put aside until somebody asks for another try."""


@dataclass(frozen=True, slots=True)
class Due:
    """An event that an endpoint is to be told now. `attempt` counts this try, from 1."""

    event: Event
    attempt: int


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How far an endpoint is behind."""

    endpoint: str
    delivered: int
    waiting: int
    poison: int
    oldest_waiting: datetime | None
    last_error: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "endpoint": self.endpoint,
            "delivered": self.delivered,
            "waiting": self.waiting,
            "poison": self.poison,
            "oldest_waiting": self.oldest_waiting.isoformat() if self.oldest_waiting else None,
            "last_error": self.last_error,
        }


class Deliveries:
    """The deliveries over a database. Safe to share between threads and processes."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def take(self, endpoint: str, moves: Sequence[str], *, lease_s: float) -> Due | None:
        """The next event that an endpoint is due to be told, reserved for so long; None where there is none.

        An issue's events are told in order: none before an earlier one was delivered or put aside.
        """
        with self._database.begin(lock=f"webhook {endpoint}") as connection:
            at, held = self._now(), set[int]()
            for row in self._undelivered(connection, endpoint, moves):
                if row.next_at is not None and row.next_at > at:
                    held.add(row.issue_id)
                if row.issue_id in held:
                    continue
                attempt = (row.attempts or 0) + 1
                self._note(
                    connection, row.id, endpoint, state=DeliveryState.WAITING, attempts=attempt,
                    next_at=at + timedelta(seconds=lease_s),
                )  # fmt: skip
                return Due(_event(row), attempt)
        return None

    def delivered(self, endpoint: str, due: Due) -> None:
        with self._database.begin() as connection:
            at = self._now()
            self._note(
                connection, due.event.id, endpoint, state=DeliveryState.DELIVERED, attempts=due.attempt,
                next_at=at, delivered_at=at, last_error=None,
            )  # fmt: skip

    def failed(self, endpoint: str, due: Due, why: str, *, give_up: bool) -> None:
        """Waits twice as long as after the try before, or puts it aside."""
        state = DeliveryState.POISON if give_up else DeliveryState.WAITING
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(due.attempt - 1, 20))
        with self._database.begin() as connection:
            self._note(
                connection, due.event.id, endpoint, state=state, attempts=due.attempt,
                next_at=self._now() + timedelta(seconds=wait_s), last_error=why[:500],
            )  # fmt: skip

    def retry(self, endpoint: str) -> int:
        """Gives everything that waits or was put aside another try at once; says how many those are."""
        table = schema.deliveries
        again = (
            update(table)
            .where(table.c.endpoint == endpoint, table.c.state != DeliveryState.DELIVERED)
            .values(state=DeliveryState.WAITING, attempts=0, next_at=self._now())
        )
        with self._database.begin() as connection:
            return connection.execute(again).rowcount

    def state(self, endpoint: str, moves: Sequence[str]) -> EndpointState:
        with self._database.read() as connection:
            table = schema.deliveries
            counted = select(table.c.state, func.count()).where(table.c.endpoint == endpoint)
            counts = {row[0]: int(row[1]) for row in connection.execute(counted.group_by(table.c.state))}
            waiting = _waiting(moves)
            total, oldest = connection.execute(
                select(func.count(), func.min(schema.outbox.c.at))
                .select_from(_joined(endpoint))
                .where(waiting)
            ).one()
            error = connection.scalar(
                select(table.c.last_error)
                .where(table.c.endpoint == endpoint, table.c.last_error.is_not(None))
                .order_by(table.c.outbox_id.desc())
                .limit(1)
            )
        delivered = counts.get(DeliveryState.DELIVERED, 0)
        return EndpointState(endpoint, delivered, total, counts.get(DeliveryState.POISON, 0), oldest, error)

    def prune(self, before: datetime, endpoints: Sequence[str]) -> int:
        """Removes events from before a moment that no endpoint still has to be told; says how many."""
        table, told = schema.outbox, schema.deliveries
        with self._database.begin(lock="webhook prune") as connection:
            owed = [select(table.c.id).select_from(_joined(name)).where(_waiting(())) for name in endpoints]
            old = table.c.at < before
            gone = select(table.c.id).where(old, *(table.c.id.not_in(query) for query in owed))
            ids = list(connection.scalars(gone))
            for start in range(0, len(ids), PAGE):
                part = ids[start : start + PAGE]
                connection.execute(delete(told).where(told.c.outbox_id.in_(part)))
                connection.execute(delete(table).where(table.c.id.in_(part)))
        return len(ids)

    def _undelivered(self, connection: Connection, endpoint: str, moves: Sequence[str]) -> Iterator[Row[Any]]:
        told = schema.deliveries.c
        query = (
            select(schema.outbox, told.attempts, told.next_at)
            .select_from(_joined(endpoint))
            .where(_waiting(moves))
            .order_by(schema.outbox.c.id)
            .limit(PAGE)
        )
        return iter(connection.execute(query).all())

    def _note(self, connection: Connection, outbox_id: int, endpoint: str, **values: object) -> None:
        row = {"outbox_id": outbox_id, "endpoint": endpoint, **values}
        note = self._database.insert(schema.deliveries).values(row)
        connection.execute(
            note.on_conflict_do_update(
                index_elements=["outbox_id", "endpoint"],
                set_=values,
                where=schema.deliveries.c.state != DeliveryState.DELIVERED,
            )
        )


def _joined(endpoint: str) -> Join:
    told = schema.deliveries.c
    own = and_(told.outbox_id == schema.outbox.c.id, told.endpoint == endpoint)
    return schema.outbox.outerjoin(schema.deliveries, own)


def _waiting(moves: Sequence[str]) -> ColumnElement[bool]:
    told = schema.deliveries.c
    waiting = or_(told.state.is_(None), told.state == DeliveryState.WAITING)
    return and_(waiting, schema.outbox.c.move.in_(moves)) if moves else waiting


def _event(row: Row[Any]) -> Event:
    names = [column.name for column in schema.outbox.c]
    return event_of({name: getattr(row, name) for name in names})

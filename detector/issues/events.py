"""What happens to issues, kept for other systems in the transaction in which it happens: the outbox."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from detector.database import schema
from detector.issues.values import Event, Issue


def announce(
    connection: Connection,
    issue: Issue,
    move: str,
    who: str,
    at: datetime,
    **more: Any,  # noqa: ANN401  # JSON
) -> None:
    """Puts one event into the outbox; `issue` is as the move left it."""
    data = {"who": who, "issue": issue.to_json(), **more}
    connection.execute(
        insert(schema.outbox).values(
            event_id=str(uuid.uuid4()),
            issue_id=issue.id,
            version=issue.version,
            move=move,
            at=at,
            data=data,
        )
    )


def events_after(connection: Connection, seen: int, limit: int) -> list[Event]:
    """Events whose number is above `seen`, in the order in which they happened."""
    table = schema.outbox
    query = select(table).where(table.c.id > seen).order_by(table.c.id).limit(limit)
    return [event_of(row) for row in connection.execute(query).mappings()]


def last_event(connection: Connection) -> int:
    return connection.scalar(select(func.max(schema.outbox.c.id))) or 0


def event_of(row: RowMapping | Mapping[str, Any]) -> Event:
    return Event(**dict(row))

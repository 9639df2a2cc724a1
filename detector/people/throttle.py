"""Wrong passwords must wait. Works inside the caller's transaction, which holds a lock of its own."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from detector.database import schema
from detector.people.errors import SignInThrottled

WINDOW_S = 900.0
"""What was wrong so long ago is forgotten."""

FREE_TRIES = 5
"""Of one login from one address; then each wrong password makes the next try wait twice as long."""

FIRST_WAIT_S = 5.0

FROM_ANYWHERE = 30
"""Of one login from all addresses, and of one address for all logins, before it waits for the window's end."""

KEPT_S = 86_400.0


def count(connection: Connection, login: str, address: str, at: datetime) -> int:
    """Counts a try as wrong until it is known to be right; returns its number. Raises SignInThrottled."""
    table = schema.sign_ins
    connection.execute(delete(table).where(table.c.at < at - timedelta(seconds=KEPT_S)))
    wait_s = max(
        _wait_of_pair(connection, login, address, at),
        _wait_of_many(connection, table.c.login == login, at),
        _wait_of_many(connection, table.c.address == address, at),
    )
    if wait_s > 0:
        raise SignInThrottled(wait_s)
    values = {"login": login, "address": address, "at": at, "succeeded": False}
    return int(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())


def succeeded(connection: Connection, attempt: int) -> None:
    table = schema.sign_ins
    connection.execute(update(table).where(table.c.id == attempt).values(succeeded=True))


def _wait_of_pair(connection: Connection, login: str, address: str, at: datetime) -> float:
    """One login from one address: what was wrong before its last success is forgiven."""
    table = schema.sign_ins.c
    own = (table.login == login, table.address == address)
    right = connection.scalar(select(func.max(table.id)).where(*own, table.succeeded.is_(True))) or 0
    wrong = connection.scalars(
        select(table.at)
        .where(*own, table.id > right, table.at > at - timedelta(seconds=WINDOW_S))
        .order_by(table.at)
    ).all()
    if len(wrong) < FREE_TRIES:
        return 0.0
    wait_s = min(WINDOW_S, FIRST_WAIT_S * 2.0 ** (len(wrong) - FREE_TRIES))
    return float(wait_s - (at - wrong[-1]).total_seconds())


def _wait_of_many(connection: Connection, which: ColumnElement[bool], at: datetime) -> float:
    table = schema.sign_ins.c
    wrong = connection.scalars(
        select(table.at)
        .where(which, table.succeeded.is_(False), table.at > at - timedelta(seconds=WINDOW_S))
        .order_by(table.at.desc())
        .limit(FROM_ANYWHERE)
    ).all()
    return WINDOW_S - (at - wrong[-1]).total_seconds() if len(wrong) == FROM_ANYWHERE else 0.0

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
"""Of one login from all addresses, and of one address for all logins, before it waits for the window's end. A login does
not wait at an address from which it has signed in within KEPT_S: a stranger elsewhere must not lock somebody out."""

KEPT_S = 7 * 86_400.0


def settle(connection: Connection, at: datetime) -> None:
    """Takes tries of later than now for tries of now: the clock was set back, and nobody waits longer than the window.

    In a transaction of its own, for a refused try leaves nothing of its transaction.
    """
    table = schema.sign_ins
    connection.execute(update(table).where(table.c.at > at).values(at=at))


def count(connection: Connection, login: str, address: str, at: datetime) -> int:
    """Counts a try as wrong until it is known to be right; returns its number. Raises SignInThrottled."""
    table = schema.sign_ins
    connection.execute(delete(table).where(table.c.at < at - timedelta(seconds=KEPT_S)))
    wait_s = _wait_of_pair(connection, login, address, at)
    if not _is_known(connection, login, address):
        many = (table.c.login == login, table.c.address == address)
        wait_s = max(wait_s, *(_wait_of_many(connection, one, at) for one in many))
    if wait_s > 0:
        raise SignInThrottled(wait_s)
    values = {"login": login, "address": address, "at": at, "succeeded": False}
    return int(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())


def succeeded(connection: Connection, attempt: int) -> None:
    table = schema.sign_ins
    connection.execute(update(table).where(table.c.id == attempt).values(succeeded=True))


def forgive(connection: Connection, **which: str) -> int:
    """Forgets the wrong passwords of a login or of an address; returns how many there were."""
    table = schema.sign_ins
    own = [table.c[name] == value for name, value in which.items()]
    return connection.execute(delete(table).where(table.c.succeeded.is_(False), *own)).rowcount


def _is_known(connection: Connection, login: str, address: str) -> bool:
    """Whether a login has signed in from an address within KEPT_S."""
    table = schema.sign_ins.c
    right = select(table.id).where(table.login == login, table.address == address, table.succeeded.is_(True))
    return connection.execute(right.limit(1)).first() is not None


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

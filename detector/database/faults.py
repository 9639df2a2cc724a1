"""What a driver reports, turned into the error tree."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from detector.core.errors import BadInput, KerbwatchError, StorageFull


class DatabaseBusy(KerbwatchError):
    """The database is locked by others or does not answer; try again later."""

    transient = True


class DatabaseUnusable(BadInput):
    """The database cannot be used as it is; a person must change it or its URL."""


RESTORE = (
    "keep what is there, and restore the last backup into a new folder (kerbwatch restore BACKUP FOLDER)"
)
"""What a person can do about a damaged database."""

SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
SQLITE_UNUSABLE = frozenset(
    {
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_IOERR,
    }
)

POSTGRESQL_FULL = frozenset({"53100"})
POSTGRESQL_BUSY = ("08", "40", "53", "55P03", "57P", "57014")
"""Connection lost, serialisation or deadlock, no resources, lock or statement timed out, shutting down."""
POSTGRESQL_UNUSABLE = ("25006", "28", "3D", "42501", "XX001", "XX002", "58")
"""Read-only, login refused, no such database, no permission, damaged data, a fault of the server's files."""

POSTGRESQL_DAMAGED = ("XX001", "XX002", "42P01")
"""Damaged data, a damaged index, a table that is missing."""

NO_TABLE = "no such table"
"""What SQLite says of a table that is missing; it has no code of its own for it."""

POSTGRESQL_REFUSALS = (
    "does not exist",
    "authentication failed",
    "no pg_hba.conf entry",
    "no password supplied",
)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raises StorageFull, DatabaseBusy or DatabaseUnusable for what a driver reports inside; `name` shows no password.

    What is a mistake of the program (a constraint, a syntax error) goes through unchanged.
    """
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy(f"{name}: all connections are in use") from error
    except DBAPIError as error:
        kind = _kind(error)
        if kind is None:
            raise
        remedy = f"; {RESTORE}" if _is_damage(error) else ""
        raise kind(f"{name}: {_first_line(error)}{remedy}") from error


def _is_damage(error: DBAPIError) -> bool:
    """Whether the database's content is damaged, and not only out of reach."""
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        return code in SQLITE_DAMAGED or str(error.orig).startswith(NO_TABLE)
    return (getattr(error.orig, "sqlstate", None) or "").startswith(POSTGRESQL_DAMAGED)


def _kind(error: DBAPIError) -> type[KerbwatchError] | None:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_kind(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # not connected, or no longer: the driver has only libpq's words
        return _connection_kind(error)
    if state in POSTGRESQL_FULL:
        return StorageFull
    if state.startswith(POSTGRESQL_BUSY):
        return DatabaseBusy
    unusable = (*POSTGRESQL_UNUSABLE, *POSTGRESQL_DAMAGED)
    return DatabaseUnusable if state.startswith(unusable) else None


def _sqlite_kind(error: sqlite3.Error) -> type[KerbwatchError] | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest says more about it
    if code == sqlite3.SQLITE_FULL:
        return StorageFull
    if code in SQLITE_BUSY:
        return DatabaseBusy
    is_unusable = code in SQLITE_UNUSABLE or str(error).startswith(NO_TABLE)
    return DatabaseUnusable if is_unusable else None


def _connection_kind(error: DBAPIError) -> type[KerbwatchError] | None:
    if not isinstance(error, OperationalError):
        return None
    refused = any(words in str(error.orig) for words in POSTGRESQL_REFUSALS)
    return DatabaseUnusable if refused else DatabaseBusy


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]

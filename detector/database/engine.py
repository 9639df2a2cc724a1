"""One door to the database: transactions that do not deadlock, and errors of our own tree."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from detector.core.errors import StorageFull
from detector.core.files import is_disk_full
from detector.database import migrations
from detector.database.faults import RESTORE, DatabaseUnusable, translated

BUSY_TIMEOUT_S = 30.0
"""How long a transaction waits for the locks of others before it gives up as DatabaseBusy."""

BEGUN_WITHIN_S = 3.0
"""So soon after another process has made the file of a new SQLite database, that has content."""


class Database:
    """An open database. Safe to share between threads; a process that forks opens its own afterwards."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.url.render_as_string(hide_password=True)
        self.dialect = engine.dialect.name
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        snapshot: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = engine.execution_options(**snapshot) if self.dialect == "postgresql" else engine

    @classmethod
    def open(
        cls,
        url: str,
        *,
        migrate: bool = True,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        revision: str | None = None,
    ) -> Self:
        """The database at `sqlite:///FILE` or `postgresql+psycopg://...`, its schema brought up to date.

        The folder of a SQLite file is created. With `migrate=False` nothing is created or changed. With `revision`
        an empty database gets that version of the schema, to be filled from an old backup.
        Raises DatabaseUnusable (a wrong URL, no permission, a damaged or empty file, a schema this version cannot use),
        DatabaseBusy (locked, not reachable), StorageFull.
        """
        parsed = _parsed(url)
        name = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite":
            _prepare_file(name, parsed, create=migrate, may_be_empty=revision is not None)
        database = cls(_engine(parsed, busy_timeout_s))
        try:
            if revision is None:
                database._settle_schema(migrate=migrate)
            else:
                database._create_schema(revision)
        except BaseException:
            database.close()
            raise
        return database

    def _settle_schema(self, *, migrate: bool) -> None:
        with self.read() as connection:
            fault = migrations.fault(connection)
        if fault is None:
            return
        if not (migrate and fault.upgradable):
            raise DatabaseUnusable(f"{self.name}: {fault.what}")
        # The lock and not the look above decides: whoever comes second finds nothing left to do.
        with self.begin(lock="migrate") as connection:
            migrations.upgrade(connection)

    def _create_schema(self, revision: str) -> None:
        if not migrations.knows(revision):
            raise DatabaseUnusable(f"{self.name}: schema {revision} is of a newer kerbwatch")
        with self.begin(lock="migrate") as connection:
            if migrations.found(connection) is None:
                migrations.upgrade(connection, revision)
            elif migrations.found(connection) != revision:
                raise DatabaseUnusable(f"{self.name}: has another schema than {revision} already")

    @contextmanager
    def begin(self, *, lock: str | None = None) -> Iterator[Connection]:
        """A transaction that writes: committed at the end, rolled back by an exception.

        SQLite allows one such at a time. PostgreSQL allows many, but one at a time of those with the same `lock`.
        """
        with translated(self.name), self._writer.begin() as connection:
            if lock is not None:
                take_lock(connection, lock)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads: every query in it sees the same moment."""
        with translated(self.name), self._reader.begin() as connection:
            yield connection

    def check(self) -> None:
        """Read all of a SQLite file and see whether it is whole; a server looks after its files itself.

        Raises DatabaseUnusable for a damaged file.
        """
        if self.dialect != "sqlite":
            return
        with self.read() as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if said != "ok":
            raise DatabaseUnusable(f"{self.name}: is damaged ({str(said).splitlines()[0]}); {RESTORE}")

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that knows ON CONFLICT, in this database's dialect."""
        return postgresql.insert(table) if self.dialect == "postgresql" else sqlite.insert(table)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend, driver = parsed.get_backend_name(), parsed.get_driver_name()
    except (ArgumentError, NoSuchModuleError) as error:
        raise DatabaseUnusable(
            "a database's URL is sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME, got something else"
        ) from error
    if (backend, driver) not in (("sqlite", "pysqlite"), ("postgresql", "psycopg")):
        raise DatabaseUnusable(
            f"a database is sqlite:// or postgresql+psycopg://, not {parsed.drivername}://"
        )
    if backend == "sqlite" and (not parsed.database or parsed.database == ":memory:"):
        raise DatabaseUnusable("a database in memory is lost with its process; name a file: sqlite:///FILE")
    return parsed


def _prepare_file(name: str, url: URL, *, create: bool, may_be_empty: bool) -> None:
    path = Path(url.database or "")
    if not may_be_empty and _stays_empty(path):
        what = "the file is empty (0 bytes), which is no county without issues"
        raise DatabaseUnusable(f"{name}: {what}; {RESTORE}, or remove the file to begin anew")
    if not create and not path.exists():
        raise DatabaseUnusable(f"{name}: no such file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = StorageFull if is_disk_full(error) else DatabaseUnusable
        raise kind(f"{name}: {error.strerror}") from error


def _stays_empty(path: Path) -> bool:
    """Whether a file has no content, and another process is not just making a database of it."""
    deadline = time.monotonic() + BEGUN_WITHIN_S
    while True:
        try:
            if path.stat().st_size:
                return False
        except OSError:
            return False
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)


def _engine(url: URL, busy_timeout_s: float) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": busy_timeout_s})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = {
        "connect_timeout": 10,
        "options": f"-c timezone=UTC -c lock_timeout={busy_timeout_s * 1000:.0f}",
    }
    try:
        return create_engine(url, connect_args=arguments, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise DatabaseUnusable("PostgreSQL needs a driver: pip install 'psycopg[binary]'") from error


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: `_begin_sqlite` does
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
    if _is_ours(connection):
        _switch_to_wal(connection)


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether a file is new or kerbwatch's: the file of another program is not changed, not even its journal's mode."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {name for (name,) in rows}
    return not names or migrations.VERSION_TABLE in names


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """WAL is kept in the file, but the switch itself does not wait for others who switch at the same moment."""
    (wait_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + wait_ms / 1000
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for its lock; so a writer locks at once.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def take_lock(connection: Connection, name: str) -> None:
    """Wait until no other transaction has this lock, and hold it until the end of this one.

    A transaction that writes to SQLite is the only one anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_lock_number(name))))


def _lock_number(name: str) -> int:
    digest = hashlib.sha256(f"kerbwatch {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)

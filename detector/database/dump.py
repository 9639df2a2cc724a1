"""All rows of a database as plain values, and back: from SQLite to SQLite or PostgreSQL, and the other way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, func, insert, inspect, select, text

from detector.database import migrations
from detector.database.engine import Database
from detector.database.faults import DatabaseUnusable
from detector.database.schema import metadata
from detector.database.types import UtcTime

CHUNK = 500

Row = Mapping[str, Any]


@contextmanager
def snapshot(database: Database) -> Iterator[Iterator[tuple[str, Iterator[Row]]]]:
    """Every table's name and rows as of one moment, whatever is written meanwhile. Values fit into JSON."""
    with database.read() as connection:
        yield ((table.name, _rows(connection, table)) for table in metadata.sorted_tables)


def revision(database: Database) -> str:
    """The version of the schema."""
    with database.read() as connection:
        return migrations.found(connection) or ""


def load(url: str, at: str, tables: Iterable[tuple[str, Iterable[Row]]]) -> dict[str, int]:
    """Fill an empty database with a snapshot of schema `at`, bring it up to date, and say how many rows each got.

    Raises DatabaseUnusable where it is not empty, or where `at` is newer than this kerbwatch.
    """
    counts: dict[str, int] = {}
    with Database.open(url, revision=at) as database, database.begin(lock="migrate") as connection:
        taken = [t for t in inspect(connection).get_table_names() if t != "alembic_version"]
        kept = {t.name: t for t in metadata.sorted_tables if t.name in taken}
        full = [
            name for name, table in kept.items() if connection.execute(select(table.c[0]).limit(1)).first()
        ]
        if full:
            raise DatabaseUnusable(f"{database.name} is not empty: it has rows in {', '.join(full)}")
        for name, rows in tables:
            counts[name] = _fill(connection, name, rows)
        _go_on_counting(connection)
    Database.open(url).close()
    return counts


def _rows(connection: Connection, table: Table) -> Iterator[Row]:
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=CHUNK)
    for row in connection.execute(query).mappings():
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: object) -> object:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _fill(connection: Connection, name: str, rows: Iterable[Row]) -> int:
    if not inspect(connection).has_table(name):
        raise DatabaseUnusable(f"this schema has no table {name!r}")
    there = Table(name, MetaData(), autoload_with=connection)
    known = metadata.tables.get(name)
    columns = [
        Column(c.name, known.c[c.name].type if known is not None and c.name in known.c else c.type)
        for c in there.columns
    ]
    table = Table(name, MetaData(), *columns)
    times = {column.name for column in columns if isinstance(column.type, UtcTime)}
    iterator, count = iter(rows), 0
    while chunk := list(islice(iterator, CHUNK)):
        values = [
            {k: datetime.fromisoformat(v) if k in times and v is not None else v for k, v in row.items()}
            for row in chunk
        ]
        connection.execute(insert(table), values)
        count += len(chunk)
    return count


def _go_on_counting(connection: Connection) -> None:
    """PostgreSQL counts by itself; tell it how far the numbers are taken."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None or not inspect(connection).has_table(table.name):
            continue
        sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
        highest = connection.execute(select(func.max(column))).scalar()
        if sequence and highest:
            connection.execute(text("SELECT setval(:s, :n)"), {"s": sequence, "n": highest})


__all__ = ["load", "revision", "snapshot"]

"""The database: engine, tables, migrations. SQLite by default, PostgreSQL by URL, one schema for both."""

from detector.database.engine import Database, take_lock
from detector.database.faults import DatabaseBusy, DatabaseUnusable

__all__ = ["Database", "DatabaseBusy", "DatabaseUnusable", "take_lock"]

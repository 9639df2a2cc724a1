"""The schema's versions, as Alembic revisions; run by `Database.open`, no alembic.ini needed.

A way back is a backup: revisions have no downgrade. A new one, after a change of schema.py:

    with Database.open("sqlite:////tmp/before.db").begin() as connection:  # on a checkout before the change
        migrations.draft(connection, "what it does", number="0002")
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from detector.database.faults import RESTORE
from detector.database.schema import metadata

VERSION_TABLE = "alembic_version"
"""Where Alembic keeps the version of the schema."""


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """Why a schema is not the one this version works with, and whether an upgrade helps."""

    what: str
    upgradable: bool


def fault(connection: Connection) -> SchemaFault | None:
    """What stands between a database's schema and ours, or None."""
    script = ScriptDirectory.from_config(_config())
    found = MigrationContext.configure(connection).get_current_revision()
    names = set(inspect(connection).get_table_names()) - {VERSION_TABLE}
    if found == script.get_current_head():
        missing = sorted(metadata.tables.keys() - names)
        if missing:
            return SchemaFault(f"lacks the table {missing[0]!r}; {RESTORE}", upgradable=False)
        return None
    if found is None:
        # A server's database may hold tables of others beside ours; a file that does is another program's.
        taken = sorted(names if connection.dialect.name == "sqlite" else metadata.tables.keys() & names)
        if taken:
            what = f"holds a table {taken[0]!r} of another program; name another database (database.url)"
            return SchemaFault(what, upgradable=False)
        return SchemaFault("holds no kerbwatch tables yet", upgradable=True)
    if found not in {revision.revision for revision in script.walk_revisions()}:
        return SchemaFault(f"was written by a newer kerbwatch (schema {found})", upgradable=False)
    return SchemaFault(f"has the schema of an older kerbwatch ({found})", upgradable=True)


def found(connection: Connection) -> str | None:
    """The version of a database's schema; None where it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Brings the schema up to date, or up to an older revision, inside the connection's open transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def knows(revision: str) -> bool:
    """Whether this kerbwatch has such a revision."""
    script = ScriptDirectory.from_config(_config())
    return revision in {known.revision for known in script.walk_revisions()}


def draft(connection: Connection, message: str, *, number: str) -> None:
    """Writes a revision with what schema.py has and the database has not; to be read and corrected by hand."""
    config = _config()
    config.attributes["connection"] = connection
    command.revision(config, message, autogenerate=True, rev_id=number)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "detector.database:migrations")
    config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
    return config

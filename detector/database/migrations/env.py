"""Run by Alembic; the connection, and its transaction, are the caller's."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from detector.database.schema import metadata
from detector.database.types import UtcTime, Words


def render(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Our column type by the name that revisions import it by."""
    own = kind == "type" and isinstance(item, UtcTime | Words)
    return f"{type(item).__name__}()" if own else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite alters a table by writing it anew
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()

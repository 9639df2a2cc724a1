"""the chain of the log: each row holds the hash of the row before it"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

import detector.database.types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CHUNK = 1000
"""Rows that are read and written at a time."""

audit = sa.table(
    "audit",
    sa.column("id", sa.Integer()),
    sa.column("at", detector.database.types.UtcTime()),
    *(sa.column(name, sa.Text()) for name in ("who", "what", "file", "address", "prev_hash", "hash")),
    sa.column("issue_id", sa.Integer()),
    sa.column("details", sa.JSON()),
)


def upgrade() -> None:
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("prev_hash", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("hash", sa.Text(), nullable=True))
    _chain(op.get_bind())
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.alter_column("prev_hash", existing_type=sa.Text(), nullable=False)
        batch_op.alter_column("hash", existing_type=sa.Text(), nullable=False)


def _chain(connection: sa.Connection) -> None:
    """Compute the hashes of the rows that are there, in the order of their ids."""
    last, prev_hash = 0, "0" * 64
    query = sa.select(audit).order_by(audit.c.id).limit(CHUNK)
    changed = sa.update(audit).where(audit.c.id == sa.bindparam("row"))
    changed = changed.values(prev_hash=sa.bindparam("before"), hash=sa.bindparam("own"))
    while rows := connection.execute(query.where(audit.c.id > last)).mappings().all():
        hashes = []
        for row in rows:
            own = _digest(row, prev_hash)
            hashes.append({"row": row["id"], "before": prev_hash, "own": own})
            last, prev_hash = row["id"], own
        connection.execute(changed, hashes)


def _digest(row: Any, prev_hash: str) -> str:  # noqa: ANN401  # a row of any driver
    """As `detector.people.audit.digest` computes it at this revision."""
    content = {
        "at": row["at"].isoformat(timespec="microseconds"),
        "who": row["who"],
        "what": row["what"],
        "issue": row["issue_id"],
        "file": row["file"],
        "address": row["address"],
        "details": row["details"],
        "prev_hash": prev_hash,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

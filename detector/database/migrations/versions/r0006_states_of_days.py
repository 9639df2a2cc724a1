"""states of days"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import detector.database.types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "surveys",
        sa.Column("camera_id", sa.Text(), nullable=False),
        sa.Column("until", detector.database.types.UtcTime(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name=op.f("pk_surveys")),
    )
    op.create_table(
        "judged",
        sa.Column("camera_id", sa.Text(), nullable=False),
        sa.Column("from", detector.database.types.UtcTime(), nullable=False),
        sa.Column("until", detector.database.types.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "from", name=op.f("pk_judged")),
    )
    # Earlier versions judged what they observed, and looked through a folder whenever they found its recordings.
    op.execute(
        "INSERT INTO surveys (camera_id, until, fault) "
        "SELECT camera_id, MAX(last_seen), '' FROM recordings GROUP BY camera_id"
    )
    op.execute(
        'INSERT INTO judged (camera_id, "from", until) '
        'SELECT r.camera_id, o."from", MAX(o.until) FROM recordings r JOIN observed o ON o.recording_id = r.id '
        'WHERE o."from" IS NOT NULL GROUP BY r.camera_id, o."from"'
    )

"""the queue page"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("issues", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issues_start"))
        batch_op.create_index(
            batch_op.f("ix_issues_start_end_state"), ["start", "end", "state"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_issues_claimed_until"), ["claimed_until"], unique=False)

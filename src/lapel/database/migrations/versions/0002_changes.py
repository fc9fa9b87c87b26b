"""Add the table of changed entities, for the caches of other processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Bytes, String, Whole

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "changes",
        sa.Column("entity", String(), nullable=False),
        sa.Column("key", Bytes(), nullable=False),
        sa.Column("changed_in", Whole(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "key", name=op.f("pk_changes")),
        sqlite_strict=True,
    )
    op.create_index("ix_changes_changed_in", "changes", ["changed_in"], unique=False)

"""Add the log of prepared transactions that are to be committed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import String, Timestamp

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "two_phase_decisions",
        sa.Column("name", String(), nullable=False),
        sa.Column("decided_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_two_phase_decisions")),
        sqlite_strict=True,
    )

"""Add the table of requests with an idempotency key that were carried out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Bytes, Identifier, Json, Timestamp

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "idempotent_requests",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("fingerprint", Bytes(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("outcome", Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_idempotent_requests_organisation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_idempotent_requests"),
        sqlite_strict=True,
    )
    op.create_index("ix_idempotent_requests_created_at", "idempotent_requests", ["created_at"])

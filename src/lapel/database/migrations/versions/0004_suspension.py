"""Add suspendable achievements, and index suspended credentials as withdrawn, in addition to revoked ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Flag

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column, and replace the index of revoked credentials by one of all that are not active."""
    op.add_column("achievement_versions", sa.Column("suspendable", Flag(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_credentials_issuer_id_revoked", table_name="credentials")
    op.create_index(
        "ix_credentials_issuer_id_withdrawn",
        "credentials",
        ["issuer_id", "id"],
        unique=False,
        sqlite_where=sa.text("status <> 'active'"),
        postgresql_where=sa.text("status <> 'active'"),
    )

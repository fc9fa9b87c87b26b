"""Add the issue key, which identifies what a credential was issued for if that may be done only once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Bytes

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column and its unique index."""
    op.add_column("credentials", sa.Column("issue_key", Bytes(), nullable=True))
    op.create_index(
        "uq_credentials_issue_key",
        "credentials",
        ["issue_key"],
        unique=True,
        sqlite_where=sa.text("issue_key IS NOT NULL"),
        postgresql_where=sa.text("issue_key IS NOT NULL"),
    )

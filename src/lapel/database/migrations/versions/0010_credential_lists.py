"""Add the indexes for lists of credentials by validity and status.

They have a revision of their own: with many credentials, building them takes long while others read the table, and a
transaction that then requested a stronger lock would deadlock with waiting writers.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_WITHDRAWN = sa.text("status <> 'active'")


def upgrade() -> None:
    """Create the indexes."""
    op.create_index(
        "ix_credentials_organisation_id_valid_from_id", "credentials", ["organisation_id", "valid_from", "id"]
    )
    for column in ("organisation_id", "achievement_id"):
        op.create_index(
            f"ix_credentials_{column}_withdrawn",
            "credentials",
            [column, "id"],
            sqlite_where=_WITHDRAWN,
            postgresql_where=_WITHDRAWN,
        )

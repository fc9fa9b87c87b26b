"""What lists of credentials are narrowed by: validity and standing.

Alone in its revision: building these takes long where there are many credentials, which meanwhile are read, and a
transaction that held this lock and asked for a stronger one would meet the writers who wait.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_WITHDRAWN = sa.text("status <> 'active'")


def upgrade() -> None:
    """Add the indices."""
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

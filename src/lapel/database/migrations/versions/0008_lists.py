"""Index names for lists, compared byte by byte, and add the links between replaced credentials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Folded, Identifier

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Truncate folded names to an index's limit, index them, and add the columns. SQLite already compares bytes."""
    for table in ("issuers", "achievements"):
        op.execute(
            f"UPDATE {table} SET name_folded = substr(name_folded, 1, 200) "  # noqa: S608 - our own two names
            "WHERE length(name_folded) > 200"
        )
        if op.get_context().dialect.supports_alter:
            op.alter_column(table, "name_folded", type_=Folded())
        op.create_index(f"ix_{table}_organisation_id_name_folded_id", table, ["organisation_id", "name_folded", "id"])
    for column in ("replaces_id", "replaced_by_id"):
        op.add_column("credentials", sa.Column(column, Identifier(), nullable=True))

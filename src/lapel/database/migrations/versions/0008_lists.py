"""What lists are narrowed by: names compared byte by byte, standing, validity; and what replaces what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Folded, Identifier

revision = "0008"
down_revision = "0007"

_WITHDRAWN = sa.text("status <> 'active'")


def upgrade() -> None:
    """Cut folded names to what an index holds, and add columns and indices. SQLite compares bytes as it is."""
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

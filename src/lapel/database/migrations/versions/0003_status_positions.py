"""Make credentials unique by the position of their status list's allocation, instead of by the bit's random index.

Positions are sequential, so that the unique index grows at its end. Existing credentials have no position; their bits
are not reused, because the positions that were allocated in their lists are not allocated again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Bytes, Identifier, String, Timestamp, Whole

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column and its unique constraint. SQLite can only do that by copying the table."""
    with op.batch_alter_table("credentials", copy_from=_credentials(), table_kwargs={"sqlite_strict": True}) as batch:
        batch.add_column(sa.Column("status_position", Whole(), nullable=True))
        batch.drop_constraint("uq_credentials_status_list_id_status_index", type_="unique")
        batch.create_unique_constraint(
            "uq_credentials_status_list_id_status_position", ["status_list_id", "status_position"]
        )


def _credentials() -> sa.Table:
    """Return the table as created by the first revision."""

    def partial(name: str, *columns: str, where: str) -> sa.Index:
        return sa.Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

    return sa.Table(
        "credentials",
        sa.MetaData(),
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("issuer_id", Identifier(), nullable=False),
        sa.Column("achievement_id", Identifier(), nullable=True),
        sa.Column("achievement_version", Whole(), nullable=True),
        sa.Column("format", String(), nullable=False),
        sa.Column("signed", Bytes(), nullable=False),
        sa.Column("recipient_type", String(), nullable=False),
        sa.Column("recipient_lookup", Bytes(), nullable=False),
        sa.Column("valid_from", Timestamp(), nullable=False),
        sa.Column("valid_until", Timestamp(), nullable=True),
        sa.Column("status", String(), nullable=False),
        sa.Column("status_reason", String(), nullable=True),
        sa.Column("status_changed_at", Timestamp(), nullable=True),
        sa.Column("status_list_id", Identifier(), nullable=True),
        sa.Column("status_index", Whole(), nullable=True),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.CheckConstraint("format IN ('eddsa-rdfc-2022', 'vc-jwt')", name="ck_credentials_format"),
        sa.CheckConstraint("status IN ('active', 'suspended', 'revoked')", name="ck_credentials_status"),
        sa.ForeignKeyConstraint(
            ["achievement_id", "achievement_version"],
            ["achievement_versions.achievement_id", "achievement_versions.version"],
            name="fk_credentials_achievement_id",
        ),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name="fk_credentials_issuer_id"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_credentials_organisation_id"),
        sa.ForeignKeyConstraint(["status_list_id"], ["status_lists.id"], name="fk_credentials_status_list_id"),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.UniqueConstraint("status_list_id", "status_index", name="uq_credentials_status_list_id_status_index"),
        sa.Index("ix_credentials_achievement_id_id", "achievement_id", "id"),
        sa.Index("ix_credentials_issuer_id_id", "issuer_id", "id"),
        sa.Index("ix_credentials_organisation_id_id", "organisation_id", "id"),
        sa.Index("ix_credentials_recipient_lookup_id", "recipient_lookup", "id"),
        partial("ix_credentials_issuer_id_revoked", "issuer_id", "id", where="status = 'revoked'"),
        partial(
            "ix_credentials_status_list_id_status",
            "status_list_id",
            "status",
            "status_index",
            where="status <> 'active'",
        ),
    )

"""The audit log, and credentials whose recipient has been erased."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from lapel.database.append_only import append_only
from lapel.database.types import Identifier, Json, String, Timestamp

revision = "0007"
down_revision = "0006"

_FULL = [
    "achievements:write",
    "credentials:issue",
    "credentials:status",
    "issuers:write",
    "keys:admin",
    "read",
]


def upgrade() -> None:
    """Make the table, which the database itself keeps from being changed; add the columns; widen full keys."""
    op.create_table(
        "audit_log",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("at", Timestamp(), nullable=False),
        sa.Column("actor", String(), nullable=False),
        sa.Column("action", String(), nullable=False),
        sa.Column("entity_id", Identifier(), nullable=True),
        sa.Column("address", String(), nullable=True),
        sa.Column("request_id", String(), nullable=True),
        sa.Column("details", Json(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_audit_log_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sqlite_strict=True,
    )
    for columns in (["id"], ["actor", "id"], ["action", "id"]):
        named = ["organisation_id", *columns]
        op.create_index(f"ix_audit_log_{'_'.join(named)}", "audit_log", named)
    op.create_index(
        "ix_audit_log_entity_id_id",
        "audit_log",
        ["entity_id", "id"],
        sqlite_where=sa.text("entity_id IS NOT NULL"),
        postgresql_where=sa.text("entity_id IS NOT NULL"),
    )
    for statement in append_only(op.get_context().dialect):
        op.execute(statement)
    op.add_column("credentials", sa.Column("erased_at", Timestamp(), nullable=True))
    op.add_column("credentials", sa.Column("issued_in", Identifier(), nullable=True))
    _widen_full_keys()


def _widen_full_keys() -> None:
    """Keys of owners and admins that might do everything may do what is new, too."""
    for full in (_FULL, sorted([*_FULL, "organisations:admin"])):
        widened = sorted([*full, "audit:read", "recipients:erase"])
        op.execute(
            f"UPDATE api_keys SET scopes = '{_json(widened)}'"  # noqa: S608 - our own words
            f" WHERE role IN ('owner', 'admin') AND CAST(scopes AS TEXT) = '{_json(full)}'"
        )


def _json(scopes: Sequence[str]) -> str:
    return json.dumps(scopes, separators=(",", ":"))

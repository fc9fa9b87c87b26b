"""The audit log, and credentials whose recipient has been erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.append_only import append_only
from lapel.database.types import Identifier, Json, String, Timestamp

revision = "0007"
down_revision = "0005"

_OLD_SCOPES = (
    "achievements:write",
    "credentials:issue",
    "credentials:status",
    "issuers:write",
    "keys:admin",
    "read",
)


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
    api_keys = sa.table("api_keys", sa.column("role", sa.Text()), sa.column("scopes", Json()))
    text = sa.cast(api_keys.c.scopes, sa.Text())
    widened = (
        sa.update(api_keys)
        .where(
            api_keys.c.role.in_(["owner", "admin"]),
            *(text.contains(f'"{scope}"') for scope in _OLD_SCOPES),
        )
        .values(scopes=sa.cast(sa.func.replace(text, "]", ',"audit:read","recipients:erase"]'), Json()))
    )
    sql = widened.compile(dialect=op.get_context().dialect, compile_kwargs={"literal_binds": True})
    op.execute(str(sql).replace(":", r"\:"))  # a colon is no parameter here

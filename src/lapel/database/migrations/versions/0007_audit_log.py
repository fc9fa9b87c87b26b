"""Add the audit log, and the erasure of credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

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
_FIRST_KEY = "00000000-0000-7000-8000-000000000002"

# A copy of `lapel.database.append_only` at the time of this revision, which must never change.
_PRUNED = """EXISTS (
  SELECT 1 FROM audit_log AS pruned WHERE pruned.organisation_id = OLD.organisation_id
     AND pruned.action = 'audit_log.pruned' AND pruned.entity_id > OLD.id AND pruned.entity_id <= pruned.id
     AND OLD.action <> 'audit_log.pruned')"""
# INSERT OR REPLACE deletes the existing row without firing a DELETE trigger.
_IN_PLACE = "EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR rowid = NEW.rowid)"
_REFUSED = "entries of the audit log are never changed"

_APPEND_ONLY: Mapping[str, Sequence[str]] = {
    "sqlite": (
        f"CREATE TRIGGER audit_log_not_replaced BEFORE INSERT ON audit_log WHEN {_IN_PLACE}\n"
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
        "CREATE TRIGGER audit_log_not_changed BEFORE UPDATE ON audit_log\n"
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
        f"CREATE TRIGGER audit_log_not_deleted BEFORE DELETE ON audit_log WHEN NOT {_PRUNED}\n"
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
        f"IF TG_OP = 'DELETE' THEN IF {_PRUNED} THEN RETURN OLD; END IF; END IF;\n"
        f"RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'check_violation', TABLE = 'audit_log'; END $$",
        "CREATE TRIGGER audit_log_not_changed BEFORE UPDATE OR DELETE ON audit_log\n"
        "FOR EACH ROW EXECUTE FUNCTION audit_log_append_only()",
        "CREATE TRIGGER audit_log_not_emptied BEFORE TRUNCATE ON audit_log\n"
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()",
    ),
}


def upgrade() -> None:
    """Create the table with its triggers, add the new scopes to keys with all scopes, and add the columns."""
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
    for statement in _APPEND_ONLY.get(op.get_context().dialect.name, ()):
        op.execute(statement)
    _widen_full_keys()
    op.add_column("credentials", sa.Column("erased_at", Timestamp(), nullable=True))
    op.add_column("credentials", sa.Column("issued_in", Identifier(), nullable=True))


def _widen_full_keys() -> None:
    """Allow keys of owners and admins with all scopes to read the audit log, and the first key also to erase.

    Keys for which all scopes were listed look the same, so the scope for what cannot be undone goes to no other key.
    """
    for full in (_FULL, sorted([*_FULL, "organisations:admin"])):
        for new, which in (
            (("audit:read", "recipients:erase"), f"id = '{_FIRST_KEY}'"),
            (("audit:read",), "role IN ('owner', 'admin')"),
        ):
            op.execute(
                f"UPDATE api_keys SET scopes = '{_json(sorted([*full, *new]))}'"  # noqa: S608 - our own words
                f" WHERE {which} AND CAST(scopes AS TEXT) = '{_json(full)}'"
            )


def _json(scopes: Sequence[str]) -> str:
    return json.dumps(scopes, separators=(",", ":"))

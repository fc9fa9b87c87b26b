"""Triggers that make the audit log append-only: no entry can be changed, and none deleted that is not pruned.

Entries can be deleted once an entry of their organisation says so (``audit_log.pruned``, whose `entity_id` is the id
before which they are deleted), but not that entry. On other kinds of database only the repository enforces this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.engine import Dialect

from lapel.database.session import TransactionSession

__all__ = ["append_only", "missing_triggers", "own_triggers"]

_PRUNED: Final = """EXISTS (
  SELECT 1 FROM audit_log AS pruned WHERE pruned.organisation_id = OLD.organisation_id
     AND pruned.action = 'audit_log.pruned' AND pruned.entity_id > OLD.id AND pruned.entity_id <= pruned.id
     AND OLD.action <> 'audit_log.pruned')"""
# INSERT OR REPLACE deletes the existing row without firing a DELETE trigger.
_IN_PLACE: Final = "EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id OR rowid = NEW.rowid)"
_REFUSED: Final = "entries of the audit log are never changed"

_STATEMENTS: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": (
        f"CREATE TRIGGER audit_log_not_replaced BEFORE INSERT ON audit_log WHEN {_IN_PLACE}\n"
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
        "CREATE TRIGGER audit_log_not_changed BEFORE UPDATE ON audit_log\n"
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
        f"CREATE TRIGGER audit_log_not_deleted BEFORE DELETE ON audit_log WHEN NOT {_PRUNED}\n"
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
        f"IF TG_OP = 'DELETE' THEN IF {_PRUNED} THEN RETURN OLD; END IF; END IF;\n"
        f"RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'check_violation', TABLE = 'audit_log'; END $$",
        "CREATE TRIGGER audit_log_not_changed BEFORE UPDATE OR DELETE ON audit_log\n"
        "FOR EACH ROW EXECUTE FUNCTION audit_log_append_only()",
        "CREATE TRIGGER audit_log_not_emptied BEFORE TRUNCATE ON audit_log\n"
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()",
    ),
}

_EXISTING: Final[Mapping[str, str]] = {
    "sqlite": "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit_log'",
    "postgresql": "SELECT tgname::text, '$$' || prosrc || '$$' FROM pg_catalog.pg_trigger"
    " JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = 'audit_log'::regclass AND tgenabled <> 'D'",
}
"""Selects the name of each enabled trigger and its definition, which is contained in one of the statements."""


def append_only(dialect: Dialect) -> Sequence[str]:
    """Return the statements that create the triggers; none for other dialects."""
    return _STATEMENTS.get(dialect.name, ())


def own_triggers(dialect: Dialect) -> Mapping[str, str]:
    """Return the statements that create a trigger, by the trigger's name."""
    return {match[1]: each for each in append_only(dialect) if (match := re.match(r"CREATE TRIGGER (\w+)", each))}


async def missing_triggers(session: TransactionSession, dialect: Dialect) -> Mapping[str, str]:
    """Return the triggers that are missing, disabled or altered, each with the statement that restores it.

    The table must exist.
    """
    statements, triggers = append_only(dialect), own_triggers(dialect)
    rows = await session.run(_EXISTING[dialect.name]) if triggers else []
    existing = {str(name): str(text) for name, text in rows}
    missing = {name: each for name, each in triggers.items() if name not in existing}
    altered = [name for name in triggers if name in existing and not any(existing[name] in each for each in statements)]
    function = next((each for each in statements if "FUNCTION" in each.partition("(")[0]), None)
    return missing | {name: function or triggers[name] for name in altered}

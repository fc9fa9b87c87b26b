"""What a database itself refuses to the audit log: any change of an entry, and to take one away that is not pruned.

Entries may go once an entry of their organisation says so (``audit_log.pruned``, whose `entity_id` is the id before
which they go), and that one stays. On a database of another kind the repository alone keeps to it.
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
# INSERT OR REPLACE takes away what is there, and no trigger for deleting fires.
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

_THERE: Final[Mapping[str, str]] = {
    "sqlite": "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit_log'",
    "postgresql": "SELECT tgname::text, '$$' || prosrc || '$$' FROM pg_catalog.pg_trigger"
    " JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = 'audit_log'::regclass AND tgenabled <> 'D'",
}
"""Each trigger, and of what it does the text, as it stands in one of the statements."""


def append_only(dialect: Dialect) -> Sequence[str]:
    """The statements after which the database refuses; none for a dialect that they are not written in."""
    return _STATEMENTS.get(dialect.name, ())


def own_triggers(dialect: Dialect) -> Mapping[str, str]:
    """Of the same statements those that make a trigger, by its name."""
    return {found[1]: each for each in append_only(dialect) if (found := re.match(r"CREATE TRIGGER (\w+)", each))}


async def missing_triggers(session: TransactionSession, dialect: Dialect) -> Mapping[str, str]:
    """The triggers that are not there, turned off or do something else, and the statement that mends each.

    The table must be there.
    """
    statements, made = append_only(dialect), own_triggers(dialect)
    rows = await session.run(_THERE[dialect.name]) if made else []
    there = {str(name): str(text) for name, text in rows}
    mending = {name: each for name, each in made.items() if name not in there}
    changed = [name for name in made if name in there and not any(there[name] in each for each in statements)]
    function = next((each for each in statements if "FUNCTION" in each.partition("(")[0]), None)
    return mending | {name: function or made[name] for name in changed}

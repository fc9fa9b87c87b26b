"""Checks a whole database: its revision, its schema, its integrity, and the invariants of its rows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from lapel.database.append_only import missing_triggers, own_triggers
from lapel.database.errors import CorruptDatabase, DatabaseError, StorageFailure, WrongSchema
from lapel.database.interface import Database
from lapel.database.schema.catalogue import Finding, declared
from lapel.database.schema.invariants import MAX_SHOWN, Invariant, invariants
from lapel.database.tables import audit_log
from lapel.maintenance.comparison import compare_schemas

__all__ = ["Finding", "check"]

_Findings: TypeAlias = AsyncGenerator[Finding, None]


async def check(database: Database, begin_step: Callable[[str], None] = lambda step: None) -> _Findings:
    """Yield what is wrong with the schema, the stored data and the database's integrity.

    The check reads everything once. On SQLite it blocks the event loop, so run it in a process of its own; a server may
    run at the same time. Each step uses a snapshot of its own.

    Args:
        begin_step: called with the name of each step before it begins.
    """
    steps: list[tuple[str, Callable[[], _Findings]]] = [
        ("the revision", lambda: _revision(database)),
        ("the schema", lambda: _schema(database)),
        ("the database's own checks", lambda: _damage(database)),
        *((str(invariant), lambda invariant=invariant: _broken(database, invariant)) for invariant in invariants()),
    ]
    reported: set[tuple[str, str]] = set()
    for name, step in steps:
        begin_step(name)
        try:
            has_findings = False
            async with aclosing(step()) as findings:
                async for finding in findings:
                    has_findings = True
                    yield finding
        except DatabaseError as error:
            has_findings = True
            about = name.partition(":")[0]
            if (error.code, about) not in reported:  # one damaged page fails every query of its table
                reported.add((error.code, about))
                detail = f"Checking {about} failed: {error.detail}{_driver_message(error)}"
                hint = error.hint or "The database's log says more."
                yield Finding(code=error.code, about=about, detail=detail, hint=hint)
        if has_findings and name == "the revision":
            return  # any other finding would be a consequence


def _driver_message(error: DatabaseError) -> str:
    """Return the database's own message of damage; other messages may contain stored values."""
    is_of_damage = isinstance(error, CorruptDatabase | StorageFailure)
    return f" The database says: {error.__cause__}." if is_of_damage and error.__cause__ else ""


async def _revision(database: Database) -> _Findings:
    if pending := (await database.migration_status()).pending:
        yield Finding(
            code="pending_migration",
            about="the schema",
            detail=f"The schema is not this version's; migrations to run: {', '.join(pending)}.",
            hint="Run `lapel db migrate`, and check again.",
        )


async def _schema(database: Database) -> _Findings:
    async with database.maintenance() as session:
        live = await database.catalogue.facts(session)
        has_audit_log = any(fact.table == audit_log.name for fact in live)
        missing = await missing_triggers(session, database.dialect) if has_audit_log else {}
    statements = declared(database.dialect)
    expected = await database.catalogue.facts_of(statements)
    triggers = {(audit_log.name, "trigger", name) for name in own_triggers(database.dialect)}  # checked above
    for finding in compare_schemas({fact for fact in live if fact[:3] not in triggers}, expected, statements):
        yield finding
    for name, statement in missing.items():
        yield Finding(
            code="missing_trigger",
            about=f"trigger {name} of {audit_log.name}",
            detail=f"The trigger {name} of {audit_log.name} is missing, turned off or altered: entries can be changed.",
            hint=f"Find out who did it. To restore it, run `{statement};` (drop a trigger of that name first).",
        )


async def _damage(database: Database) -> _Findings:
    async with database.maintenance() as session, aclosing(database.catalogue.damage(session)) as findings:
        async for finding in findings:
            yield finding


async def _broken(database: Database, invariant: Invariant) -> _Findings:
    try:
        async with database.maintenance() as session:
            rows = await session.run(invariant.sql(database.dialect))
    except WrongSchema:  # a table or column is missing, which the comparison has reported
        return
    if rows:
        keys, more = [" ".join(map(str, row)) for row in rows], " and more" if len(rows) == MAX_SHOWN else ""
        detail = f"Rows of {invariant.table} {invariant.wrong}: {', '.join(keys)}{more}."
        yield Finding(code="broken_rows", about=invariant.table, detail=detail, hint=invariant.hint)

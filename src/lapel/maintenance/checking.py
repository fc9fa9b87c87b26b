"""The check of a whole database, step by step: whose it is, its schema, its integrity, what is stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from lapel.database.append_only import missing_triggers, own_triggers
from lapel.database.errors import CorruptDatabase, DatabaseError, StorageFailure, WrongSchema
from lapel.database.interface import Database
from lapel.database.schema.catalogue import Finding, declared
from lapel.database.schema.invariants import MOST_SHOWN, Invariant, invariants
from lapel.database.tables import audit_log
from lapel.maintenance.comparison import compared

__all__ = ["Finding", "check"]

_Findings: TypeAlias = AsyncGenerator[Finding, None]


async def check(database: Database, tell: Callable[[str], None] = lambda step: None) -> _Findings:
    """Look for what is not as it should be: the schema, the stored data, the database's own integrity.

    It reads everything once, on SQLite without letting the event loop go: best in a process of its own, beside a
    running server or not. Each step sees a snapshot of its own.

    Args:
        tell: is told of each step before it begins.
    """
    steps: list[tuple[str, Callable[[], _Findings]]] = [
        ("the revision", lambda: _revision(database)),
        ("the schema", lambda: _schema(database)),
        ("the database's own checks", lambda: _damage(database)),
        *((str(invariant), lambda invariant=invariant: _broken(database, invariant)) for invariant in invariants()),
    ]
    told: set[tuple[str, str]] = set()
    for name, step in steps:
        tell(name)
        try:
            found = False
            async with aclosing(step()) as findings:
                async for finding in findings:
                    found = True
                    yield finding
        except DatabaseError as error:
            found = True
            about = name.partition(":")[0]
            if (error.code, about) not in told:  # one damaged page fails every question about its table
                told.add((error.code, about))
                detail = f"Checking {about} failed: {error.detail}{_said(error)}"
                hint = error.hint or "The database's log says more."
                yield Finding(code=error.code, about=about, detail=detail, hint=hint)
        if found and name == "the revision":
            return  # whatever else is found is a consequence


def _said(error: DatabaseError) -> str:
    """The database's own words, of damage only: in others' may stand what is stored."""
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
        is_there = any(fact.table == audit_log.name for fact in live)
        missing = await missing_triggers(session, database.dialect) if is_there else {}
    statements = declared(database.dialect)
    wanted = await database.catalogue.facts_of(statements)
    ours = {(audit_log.name, "trigger", name) for name in own_triggers(database.dialect)}  # looked at above
    for finding in compared({fact for fact in live if fact[:3] not in ours}, wanted, statements):
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
    except WrongSchema:  # a table or column is not there: the comparison has said so
        return
    if rows:
        keys, more = [" ".join(map(str, row)) for row in rows], " and more" if len(rows) == MOST_SHOWN else ""
        detail = f"Rows of {invariant.table} {invariant.wrong}: {', '.join(keys)}{more}."
        yield Finding(code="broken_rows", about=invariant.table, detail=detail, hint=invariant.hint)

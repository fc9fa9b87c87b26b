"""Reads the schema of a PostgreSQL database, and runs the checks that need no superuser."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from lapel.database.errors import DatabaseError, PermissionDenied
from lapel.database.postgresql.connection_manager import PostgresqlConnectionManager
from lapel.database.postgresql.session import PostgresqlTransactionSession
from lapel.database.schema.catalogue import Fact, Finding
from lapel.database.session import TransactionSession
from lapel.database.two_phase.participant import BranchName
from lapel.domain.ports import Isolation

__all__ = ["PostgresqlCatalogue"]

# By scans of the catalogue, because to_regclass may use a cache from before a migration that was just committed.
_RELATIONS = """
SELECT c.oid, c.relname::text AS name, c.relkind FROM pg_catalog.pg_class c
 WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
_TABLES = f"SELECT oid, name FROM ({_RELATIONS}) c WHERE relkind IN ('r', 'p')"  # noqa: S608 - nothing from outside
_COLUMNS = """
SELECT t.name, a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ', not null' ELSE '' END,
       pg_get_expr(d.adbin, d.adrelid)
  FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
"""
_KINDS = "('p', 'primary key'), ('u', 'unique'), ('f', 'foreign key'), ('c', 'check')"
_FACTS = f"""
WITH relations AS ({_RELATIONS}), tables AS ({_TABLES}), columns (name, attribute, form, preset) AS ({_COLUMNS})
SELECT name, 'table', '', '' FROM tables
UNION ALL
SELECT name, 'column', attribute, form FROM columns
UNION ALL
SELECT name, 'default', attribute, preset FROM columns WHERE preset IS NOT NULL
UNION ALL
SELECT t.name, k.kind,
       CASE c.contype WHEN 'c' THEN c.conname::text
       ELSE (SELECT string_agg(a.attname, ', ' ORDER BY place)
               FROM unnest(c.conkey) WITH ORDINALITY AS key (number, place)
               JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = key.number) END,
       replace(pg_get_constraintdef(c.oid), ' NOT VALID', '')
  FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
  JOIN (VALUES {_KINDS}) k (letter, kind) ON k.letter = c.contype
UNION ALL
SELECT t.name, 'index', i.indexrelid::regclass::text,
       CASE WHEN i.indisunique THEN 'unique ' ELSE '' END
       || regexp_replace(pg_get_indexdef(i.indexrelid, 0, true), '^.*? USING ', '')
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid
 WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT r.name, 'trigger', g.tgname, '' FROM relations r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT r.name, 'rule', w.rulename, '' FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid
 WHERE w.rulename <> '_RETURN'
"""  # noqa: S608 - nothing in it comes from outside

_NOT_ENFORCED = f"""
WITH tables AS ({_TABLES})
SELECT 'invalid_index', t.name, i.indexrelid::regclass::text, 'is not valid: its making was cut short',
       'REINDEX INDEX ' || i.indexrelid::regclass
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid WHERE NOT i.indisvalid
UNION ALL
SELECT 'unvalidated_constraint', t.name, c.conname, 'is not validated: older rows may break it',
       'ALTER TABLE ' || c.conrelid::regclass || ' VALIDATE CONSTRAINT ' || quote_ident(c.conname)
  FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid WHERE NOT c.convalidated
UNION
SELECT 'disabled_constraint', t.name, c.conname, 'is turned off: its triggers are disabled',
       'ALTER TABLE ' || g.tgrelid::regclass || ' ENABLE TRIGGER ALL'
  FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid JOIN pg_constraint c ON c.oid = g.tgconstraint
 WHERE g.tgisinternal AND g.tgenabled = 'D'
"""  # noqa: S608 - nothing in it comes from outside
_PREPARED = """
SELECT gid, extract(epoch FROM now() - prepared)::bigint FROM pg_prepared_xacts WHERE database = current_database()
"""
_LONG_SECONDS = 60  # a running coordinator commits what it has prepared within a moment
_AMCHECK = """
SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'amcheck'
"""
_BTREES = f"""
WITH tables AS ({_TABLES})
SELECT t.name, i.indexrelid::regclass::text, i.indexrelid::bigint
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid AND i.indisvalid JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree' WHERE c.relkind = 'i'
"""  # noqa: S608 - nothing in it comes from outside


class PostgresqlCatalogue:
    """`lapel.database.schema.catalogue.Catalogue` for PostgreSQL.

    Other schemas are created as temporary tables. That needs the privilege TEMPORARY, which all users have by default.
    """

    def __init__(self, manager: PostgresqlConnectionManager) -> None:
        self._manager = manager

    async def tables(self, session: TransactionSession) -> set[str]:
        return {str(name) for _, name in await session.run(_TABLES)}

    async def facts(self, session: TransactionSession) -> set[Fact]:
        return {Fact(*map(str, row)) for row in await session.run(_FACTS)}

    async def facts_of(self, statements: Sequence[str]) -> set[Fact]:
        scratch = PostgresqlTransactionSession(self._manager, isolation=Isolation.READ_COMMITTED, read_only=False)
        await scratch.begin()
        try:
            await scratch.run("SET LOCAL search_path = pg_temp")
            for statement in statements:
                await scratch.run(statement)
            return await self.facts(scratch)
        finally:
            await scratch.rollback()

    async def damage(self, session: TransactionSession) -> AsyncGenerator[Finding, None]:
        for code, table, name, state, command in await session.run(_NOT_ENFORCED):
            yield Finding(
                code=str(code), about=str(table), detail=f"{name} of {table} {state}.", hint=f"Run `{command};`."
            )
        for name, seconds in await session.run(_PREPARED):
            is_ours = BranchName.parsed(str(name)) is not None
            yield Finding(
                code="prepared_transaction",
                about=f"transaction {name}",
                detail=f"It has stood prepared for {seconds} s. It keeps its locks, and VACUUM from its work.",
                hint="Run `lapel db recover`, with --database for the other database that it is in."
                if is_ours
                else "Whoever has prepared it is to commit it or to roll it back.",
                is_note=not is_ours or int(str(seconds)) < _LONG_SECONDS,
            )
        for (amcheck,) in await session.run(_AMCHECK):
            for table, index, oid in await session.run(_BTREES):
                await session.command("SAVEPOINT btree")
                try:
                    await session.run(f"SELECT {amcheck}.bt_index_check({oid}::regclass, true)")
                    await session.command("RELEASE SAVEPOINT btree")
                except DatabaseError as error:
                    await session.command("ROLLBACK TO SAVEPOINT btree")
                    if isinstance(error, PermissionDenied):
                        return  # this user may not run the check
                    yield Finding(
                        code="damaged_index",
                        about=str(table),
                        detail=f"The index {index} of {table} is damaged: {error.__cause__ or error.detail}.",
                        hint=f"Run `REINDEX INDEX {index};`, and look for the cause: the disk, or a changed locale.",
                    )

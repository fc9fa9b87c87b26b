"""Reads the schema of an SQLite database, and runs SQLite's integrity check."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import closing

from lapel.database.schema.catalogue import Fact, Finding
from lapel.database.session import TransactionSession
from lapel.database.sqlite.driver import MEMORY, Connector
from lapel.database.statement import Row

__all__ = ["SqliteCatalogue"]

_TABLES = r"SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"
_FACTS = rf"""
WITH tables AS ({_TABLES}),
keys AS (
  SELECT t.name AS "table", i.name, i."unique", i.origin,
         (SELECT group_concat(part, ', ') FROM (
            SELECT coalesce(c.name, '(expression)') || iif(c.coll = 'BINARY', '', ' COLLATE ' || c.coll)
                   || iif(c.desc, ' DESC', '') AS part
              FROM pragma_index_xinfo(i.name) c WHERE c.key ORDER BY c.seqno)) AS columns
    FROM tables t JOIN pragma_index_list(t.name) i
),
referring AS (
  SELECT t.name AS "table", f."table" AS other, f.on_update, f.on_delete,
         (SELECT group_concat(part, ', ') FROM (
            SELECT p."from" AS part FROM pragma_foreign_key_list(t.name) p
             WHERE p.id = f.id ORDER BY p.seq)) AS columns,
         (SELECT group_concat(part, ', ') FROM (
            SELECT p."to" AS part FROM pragma_foreign_key_list(t.name) p
             WHERE p.id = f.id ORDER BY p.seq)) AS others
    FROM tables t JOIN pragma_foreign_key_list(t.name) f ON f.seq = 0
)
SELECT t.name, 'table', '', iif(l.strict, 'strict', 'not strict')
  FROM tables t JOIN pragma_table_list l ON l.schema = 'main' AND l.name = t.name
UNION ALL
SELECT t.name, 'column', c.name, lower(c.type) || iif(c."notnull", ', not null', '')
  FROM tables t JOIN pragma_table_xinfo(t.name) c
UNION ALL
SELECT t.name, 'default', c.name, c.dflt_value
  FROM tables t JOIN pragma_table_xinfo(t.name) c WHERE c.dflt_value IS NOT NULL
UNION ALL
SELECT "table", 'primary key', columns, '' FROM keys WHERE origin = 'pk'
UNION ALL
SELECT "table", 'unique', columns, '' FROM keys WHERE origin = 'u'
UNION ALL
SELECT k."table", 'index', k.name, iif(k."unique", 'unique ', '') || '(' || k.columns || ')'
       || iif(instr(upper(s.sql), ' WHERE '), substr(s.sql, instr(upper(s.sql), ' WHERE ')), '')
  FROM keys k JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = k.name WHERE k.origin = 'c'
UNION ALL
SELECT "table", 'foreign key', columns, 'to ' || other || ' (' || coalesce(others, '') || ')'
       || iif(on_update = 'NO ACTION', '', ' ON UPDATE ' || on_update)
       || iif(on_delete = 'NO ACTION', '', ' ON DELETE ' || on_delete)
  FROM referring
UNION ALL
SELECT tbl_name, type, name, '' FROM main.sqlite_schema WHERE type = 'trigger'
"""  # noqa: S608 - nothing in it comes from outside
_MAX_FINDINGS = 20


class SqliteCatalogue:
    """`lapel.database.schema.catalogue.Catalogue` for SQLite.

    Args:
        connector: opens a database in memory to create other schemas in.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def tables(self, session: TransactionSession) -> set[str]:
        return {str(name) for name, _ in await session.run(_TABLES)}

    async def facts(self, session: TransactionSession) -> set[Fact]:
        return _facts(await session.run(_FACTS), await session.run(_TABLES))

    async def facts_of(self, statements: Sequence[str]) -> set[Fact]:
        with closing(self._connector(MEMORY)) as scratch:
            for statement in statements:
                scratch.execute(statement).fetchall()
            return _facts(scratch.execute(_FACTS).fetchall(), scratch.execute(_TABLES).fetchall())

    async def damage(self, session: TransactionSession) -> AsyncGenerator[Finding, None]:
        for (message,) in await session.run(f"PRAGMA integrity_check({_MAX_FINDINGS})"):
            if message != "ok":
                yield Finding(
                    code="damaged_file",
                    about="the file",
                    detail=f"SQLite's integrity check says: {message}.",
                    hint="Stop the server. Where only an index is named, `REINDEX` mends it; else restore a backup.",
                )


def _facts(rows: Sequence[Row], tables: Sequence[Row]) -> set[Fact]:
    facts = {Fact(*map(str, row)) for row in rows}
    for table, sql in tables:
        # Checks are read from the table's SQL, because no PRAGMA lists them.
        for part in " ".join(str(sql).split()).split("CONSTRAINT ")[1:]:
            name, is_check, text = part.partition(" CHECK ")
            if is_check:
                facts.add(Fact(str(table), "check", name.strip('"'), _first_parentheses(text)))
    return facts


def _first_parentheses(text: str) -> str:
    """Return `text`, which begins with a parenthesis, up to the matching one."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return text[: index + 1]
    return text

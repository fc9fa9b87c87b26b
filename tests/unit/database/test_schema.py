"""The migrations lead to the schema of tables.py, and every query has an index that serves it."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from operator import ge, gt, le, lt
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.sql import visitors

from lapel.database import repositories
from lapel.database.append_only import append_only
from lapel.database.interface import DatabaseSettings
from lapel.database.migrations.runner import STAMP, _Collector, plan, status
from lapel.database.postgresql import session as postgresql
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.schema.catalogue import declared
from lapel.database.sqlite import session as sqlite
from lapel.database.tables import metadata
from lapel.database.types import String
from tests.support.connections import connection_to
from tests.support.databases import opened
from tests.support.sent_sql import statements
from tests.support.source_tree import source_files

CATALOGUE = """
    SELECT 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""


def sqlite_schema(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    """Every table, column, key and index, and the checks by their text."""
    found: set[tuple[object, ...]] = set()
    masters = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
    )
    for kind, name, sql in masters.fetchall():
        # The text but for its lines, the order in which a table's constraints are written, and the quotes around a name
        # that was given later: none of it matters, and SQLite writes a later column on the line of the last one.
        parts = sorted(part.strip().rstrip(",") for part in re.split(r"\n|, (?![^()]*\))", sql.replace('"', "")))
        found.add((kind, name, *filter(None, parts)))
    return found


async def test_in_sqlite_the_migrations_lead_to_the_declared_schema(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "migrated.sqlite")):
        pass
    with (
        closing(sqlite3.connect(tmp_path / "migrated.sqlite")) as migrated,
        closing(sqlite3.connect(":memory:")) as made,
    ):
        for statement in (*declared(sqlite.DIALECT), *append_only(sqlite.DIALECT)):
            made.execute(statement)
        assert sqlite_schema(migrated) == sqlite_schema(made)
        strict = {
            name for (name, is_strict) in migrated.execute("SELECT name, strict FROM pragma_table_list") if is_strict
        }
        assert strict >= set(metadata.tables)


async def test_in_postgresql_the_migrations_lead_to_the_declared_schema(postgres_dsn: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn)):
        pass
    async with connection_to(postgres_dsn) as connection:
        await connection.execute("DROP TABLE alembic_version")
        migrated = set(map(tuple, await connection.fetch(CATALOGUE)))
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        for statement in declared(postgresql.DIALECT):
            await connection.execute(statement)
        assert set(map(tuple, await connection.fetch(CATALOGUE))) == migrated


@pytest.mark.parametrize("dialect", [sqlite.DIALECT, postgresql.DIALECT], ids=["sqlite", "postgresql"])
@pytest.mark.parametrize("text", ["a;\n\nb;", "it''s -- no comment", "%s %% $1 ?", "é\U0001f3c5\n", "/* ; */"])
def test_a_migrations_text_reaches_the_database_as_it_is_written(dialect: sa.Dialect, text: str) -> None:
    collected = _Collector()
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": collected})
    with Operations.context(context):
        op.execute(f"INSERT INTO t VALUES ('{text}')")
        op.execute("DELETE FROM t")
    assert collected == [f"INSERT INTO t VALUES ('{text}')", "DELETE FROM t"]


def test_nothing_is_planned_for_a_database_that_is_up_to_date() -> None:
    head = status((), ()).head
    assert list(plan(sqlite.DIALECT, status({STAMP, "organisations", "server_facts"}, [head]))) == []


STATEMENTS = dict(statements())
QUERIES = {
    name: statement for name, statement in STATEMENTS.items() if "INSERT" not in statement.compiled(sqlite.DIALECT).sql
}
ORDERED = {name: query for name, query in QUERIES.items() if re.search(r"_BY_(NAME|VALIDITY)", name)}
SORTED = {name for name in ORDERED if "recipient_lookup" in name}
"""A recipient's credentials are few, and may be sorted."""
PAGES = {name: query for name, query in QUERIES.items() if "_PAGE" in name}


def test_every_statement_in_the_source_is_looked_at() -> None:
    made = {
        target.id
        for file in source_files("src")
        if file.module.startswith(f"{repositories.__name__}.")
        for node in file.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and "Statement(" in f"{node.value and ast.unparse(node.value)}"
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    looked_at = {re.split(r"\W", name.partition(".")[2])[0] for name in STATEMENTS}
    assert len(QUERIES) > 100
    assert made <= looked_at


def test_no_statement_skips_rows_that_it_has_read() -> None:
    assert not [name for name, found in STATEMENTS.items() if "OFFSET" in found.compiled(postgresql.DIALECT).sql]


def test_every_page_begins_where_the_last_one_ended() -> None:
    assert len(PAGES) >= 9
    for name, page in PAGES.items():
        sql = page.compiled(postgresql.DIALECT).sql
        assert re.search(r"\.id < \$\d", sql), name
        assert re.search(r"ORDER BY \w+\.id DESC\s+LIMIT", sql), name


def test_every_page_in_another_order_begins_where_the_last_one_ended() -> None:
    assert len(ORDERED) >= 35
    for name, page in ORDERED.items():
        sql = page.compiled(postgresql.DIALECT).sql
        assert re.search(r"\((\w+\.\w+), (\w+\.id)\) [<>] \(\$\d+[^$]*\$\d+[^$]*\)", sql), name
        assert re.search(r"ORDER BY (\w+\.\w+)( DESC|), \w+\.id\2\s+LIMIT", sql), name


def test_no_order_depends_on_a_collation_or_on_where_nulls_go() -> None:
    for name, found in STATEMENTS.items():
        core = found._core
        compared = [
            side
            for element in visitors.iterate(core)
            if isinstance(element, sa.BinaryExpression) and element.operator in (lt, le, gt, ge)
            for side in (element.left, element.right)
        ]
        ordered = [part for clause in getattr(core, "_order_by_clauses", ()) for part in visitors.iterate(clause)]
        columns = [column for column in (*ordered, *compared) if isinstance(column, sa.Column)]
        assert not [column for column in columns if isinstance(column.type, String)], name
        may_be_null = [column for column in ordered if isinstance(column, sa.Column) and column.nullable]
        sql = found.compiled(postgresql.DIALECT).sql
        assert not [column for column in may_be_null if f"{column} IS NOT NULL" not in sql], name


@pytest.fixture(scope="module", params=[False, True], ids=["", "latest index first"])
def sqlite_database(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """Without statistics: of two indexes that seem as good, SQLite takes the one that was created first, or last."""
    with closing(sqlite3.connect(":memory:")) as connection:
        made = list(declared(sqlite.DIALECT))
        indexes = [statement for statement in made if re.match(r"CREATE (UNIQUE )?INDEX", statement)]
        tables = [statement for statement in made if statement not in indexes]
        for statement in (*tables, *(reversed(indexes) if request.param else indexes)):
            connection.execute(statement)
        yield connection


def plan_in_sqlite(name: str, connection: sqlite3.Connection) -> list[str]:
    sql = QUERIES[name].compiled(sqlite.DIALECT).sql
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
    return [step for _, _, _, step in rows]


@pytest.mark.parametrize("name", QUERIES)
def test_in_sqlite_an_index_serves(name: str, sqlite_database: sqlite3.Connection) -> None:
    steps = plan_in_sqlite(name, sqlite_database)
    if "access._ANY" not in name:
        assert not [step for step in steps if step.startswith("SCAN")], steps
    assert name in SORTED or not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.mark.parametrize("name", QUERIES)
def test_in_sqlite_no_query_reads_a_whole_organisation_for_what_another_index_finds(
    name: str, sqlite_database: sqlite3.Connection
) -> None:
    sql = QUERIES[name].compiled(sqlite.DIALECT).sql
    steps = plan_in_sqlite(name, sqlite_database)
    for table in re.findall(r"SEARCH (\w+) USING INDEX \w+ \(organisation_id=\? AND id", str(steps)):
        found_by = {index.columns[0].name for index in metadata.tables[table].indexes} - {"organisation_id"}
        assert not found_by & set(re.findall(rf"\b{table}\.(\w+) = \?", sql)), steps


@asynccontextmanager
async def planner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    database = PostgresqlDatabase(DatabaseSettings(url=dsn))
    await database.connect()
    await database.migrate()
    await database.disconnect()
    async with connection_to(dsn) as connection:
        # An empty table is scanned and sorted because that is cheap: only what cannot be done otherwise shall be left.
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        for way in ("seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin"):
            await connection.execute(f"SET enable_{way} = off")
        yield connection


async def test_in_postgresql_an_index_serves_each(postgres_dsn: str) -> None:
    served_badly = {}
    async with planner(postgres_dsn) as connection:
        for name, query in QUERIES.items():
            sql = query.compiled(postgresql.DIALECT).sql
            values = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", sql))))
            await connection.execute(f"PREPARE query AS {sql}")
            rows = await connection.fetch(f"EXPLAIN EXECUTE query({values})" if values else f"EXPLAIN {sql}")
            await connection.execute("DEALLOCATE query")
            steps = "\n".join(row[0] for row in rows)
            is_sorted = "Sort" in steps and name not in SORTED
            if "Seq Scan" in steps or is_sorted or "Index" not in steps:
                served_badly[name] = steps
    assert served_badly == {}

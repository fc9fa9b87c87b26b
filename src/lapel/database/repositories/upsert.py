"""``INSERT … ON CONFLICT DO NOTHING``: the first writer's row stays, and the second is told by the row count."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from lapel.database.repositories.base import bind
from lapel.database.statement import Statement

__all__ = ["InsertUnlessThere", "insert_unless_there"]


class InsertUnlessThere(Insert):
    """An insert that does nothing where a unique constraint is in its way.

    SQLite and PostgreSQL spell it alike; a module for a database that does not registers its own spelling with
    `sqlalchemy.ext.compiler.compiles`.
    """

    inherit_cache = True


@compiles(InsertUnlessThere)
def _compile(element: InsertUnlessThere, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.visit_insert(element, **options)} ON CONFLICT DO NOTHING"  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it


def insert_unless_there(table: Table) -> Statement:
    """The statement for `table`: every column a parameter of its name."""
    core = InsertUnlessThere(table).values({column.name: bind(column) for column in table.columns})
    return Statement(core)

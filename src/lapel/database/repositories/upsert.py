"""``INSERT … ON CONFLICT DO NOTHING``: the first writer's row stays, and the second is told by the row count."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["InsertUnlessThere"]


class InsertUnlessThere(Insert):
    """An insert that does nothing where a unique constraint is in its way, for `lapel.database.statement.insertion`.

    SQLite and PostgreSQL spell it alike; a module for a database that does not registers its own spelling with
    `sqlalchemy.ext.compiler.compiles`.
    """

    inherit_cache = True


@compiles(InsertUnlessThere)
def _compile(element: InsertUnlessThere, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.visit_insert(element, **options)} ON CONFLICT DO NOTHING"  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it

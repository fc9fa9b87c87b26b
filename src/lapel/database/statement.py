"""A SQLAlchemy Core statement, compiled once per database and run on the raw driver.

SQLAlchemy writes the SQL and knows the types; the driver runs it. What is left per call is binding: a few
microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Delete, Insert, Select, Table, Update
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["CompiledStatement", "InsertUnlessThere", "Parameters", "Row", "Statement", "insertion", "selection"]

Parameters: TypeAlias = Mapping[str, object] | tuple[object, ...]
"""A statement's parameters: by name, or all of them in the order in which they stand in it."""
Row: TypeAlias = Sequence[object]
"""Values in the order of the statement's columns."""

_Conversions: TypeAlias = tuple[tuple[int, Callable[[object], object]], ...]


class CompiledStatement:
    """SQL of one dialect with what is needed to bind its parameters and read its rows."""

    __slots__ = ("_bound", "_defaults", "_names", "_read", "sql")

    def __init__(self, core: Select[*tuple[object, ...]] | Insert | Update | Delete, dialect: Dialect) -> None:
        compiled = core.compile(dialect=dialect)
        self.sql = str(compiled)
        binds = [compiled.binds[name] for name in compiled.positiontup or ()]
        self._names = [bind.key for bind in binds]
        self._defaults = {bind.key: bind.effective_value for bind in binds if not bind.required}
        self._bound = _conversions(bind.type.dialect_impl(dialect).bind_processor(dialect) for bind in binds)
        self._read = _conversions(
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in core.exported_columns
        )

    def bind(self, parameters: Parameters) -> list[object]:
        """The positional arguments for the driver.

        Raises:
            KeyError: a parameter is missing: a mistake of the calling code.
        """
        if isinstance(parameters, tuple):
            values = list(parameters)
        else:
            given = {**self._defaults, **parameters} if self._defaults else parameters
            values = [given[name] for name in self._names]
        for index, convert in self._bound:
            if (value := values[index]) is not None:
                values[index] = convert(value)
        return values

    def row(self, raw: Iterable[object]) -> Row:
        """A driver's row with every value in its outside form."""
        values = list(raw)
        for index, convert in self._read:
            if (value := values[index]) is not None:
                values[index] = convert(value)
        return values


class Statement:
    """A Core statement with named parameters (`sqlalchemy.bindparam`), compiled at first use on each dialect.

    Attributes:
        reads: it only reads, and locks nothing.
    """

    __slots__ = ("_compiled", "_core", "reads")

    def __init__(self, core: Select[*tuple[object, ...]] | Insert | Update | Delete) -> None:
        self.reads = isinstance(core, Select) and core._for_update_arg is None  # SQLAlchemy has no public name for it
        self._core = core
        self._compiled: dict[Dialect, CompiledStatement] = {}

    def __str__(self) -> str:
        return str(self._core)  # the SQL of no product, names in place of values

    def compiled(self, dialect: Dialect) -> CompiledStatement:
        """This statement for `dialect`."""
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = CompiledStatement(self._core, dialect)
        return found


class InsertUnlessThere(Insert):
    """An insert that does nothing where a unique constraint is in its way, for `insertion`.

    SQLite and PostgreSQL spell it alike; a module for a database that does not registers its own spelling with
    `sqlalchemy.ext.compiler.compiles`.
    """

    inherit_cache = True


@compiles(InsertUnlessThere)
def _compile(element: InsertUnlessThere, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.visit_insert(element, **options)} ON CONFLICT DO NOTHING"  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it


@cache
def insertion(table: Table, insert: type[Insert] = Insert) -> Statement:
    """``INSERT`` of every column of `table`, each a parameter of the column's name, in the table's order."""
    binds = {column.name: sa.bindparam(column.name, type_=column.type) for column in table.columns}
    return Statement(insert(table).values(binds))


@cache
def selection(table: Table) -> Statement:
    """``SELECT`` of every row, in no order, its columns in the table's."""
    return Statement(sa.select(*table.columns))


def _conversions(converters: Iterable[Callable[[object], object] | None]) -> _Conversions:
    """Those values alone that need one: (position, converter of what is not None)."""
    return tuple((index, convert) for index, convert in enumerate(converters) if convert is not None)

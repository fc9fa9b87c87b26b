"""SQLAlchemy Core statements, compiled once per dialect and run on the raw driver.

SQLAlchemy generates the SQL and knows the types; the driver runs it. Each call only binds the parameters, which takes
a few microseconds.
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

__all__ = ["CompiledStatement", "InsertIfAbsent", "Parameters", "Row", "Statement", "insertion", "selection"]

Parameters: TypeAlias = Mapping[str, object] | tuple[object, ...]
"""A statement's parameters: by name, or all of them in the order of the SQL."""
Row: TypeAlias = Sequence[object]
"""The values of a row, in the order of the statement's columns."""

_Conversions: TypeAlias = tuple[tuple[int, Callable[[object], object]], ...]


class CompiledStatement:
    """A statement's SQL for one dialect, with the conversions of its parameters and rows."""

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
        """Return the positional arguments for the driver.

        Raises:
            KeyError: a parameter is missing, which is a bug in the caller.
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
        """Return a driver's row with every value in its Python form."""
        values = list(raw)
        for index, convert in self._read:
            if (value := values[index]) is not None:
                values[index] = convert(value)
        return values


class Statement:
    """A Core statement with named parameters (`sqlalchemy.bindparam`), compiled on first use with each dialect.

    Attributes:
        reads: whether it only reads and takes no locks.
        scans: whether it may read many rows to return few, so that the event loop should not wait for it.
    """

    __slots__ = ("_compiled", "_core", "reads", "scans")

    def __init__(self, core: Select[*tuple[object, ...]] | Insert | Update | Delete, *, scans: bool = False) -> None:
        self.scans = scans
        self.reads = isinstance(core, Select) and core._for_update_arg is None  # SQLAlchemy has no public name for it
        self._core = core
        self._compiled: dict[Dialect, CompiledStatement] = {}

    def __str__(self) -> str:
        return str(self._core)  # generic SQL, with names in place of values

    def compiled(self, dialect: Dialect) -> CompiledStatement:
        """Return the statement compiled for `dialect`."""
        if (compiled := self._compiled.get(dialect)) is None:
            compiled = self._compiled[dialect] = CompiledStatement(self._core, dialect)
        return compiled


class InsertIfAbsent(Insert):
    """An insert that skips rows that violate a unique constraint, for `insertion`.

    A module whose dialect has no ``ON CONFLICT DO NOTHING`` registers its own SQL with
    `sqlalchemy.ext.compiler.compiles`.
    """

    inherit_cache = True


@compiles(InsertIfAbsent)
def _compile(element: InsertIfAbsent, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.visit_insert(element, **options)} ON CONFLICT DO NOTHING"  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it


@cache
def insertion(table: Table, insert: type[Insert] = Insert) -> Statement:
    """Return an ``INSERT`` of every column of `table`, in order, each with a parameter of the column's name."""
    binds = {column.name: sa.bindparam(column.name, type_=column.type) for column in table.columns}
    return Statement(insert(table).values(binds))


@cache
def selection(table: Table) -> Statement:
    """Return a ``SELECT`` of all rows, in no particular order, with the columns in the table's order."""
    return Statement(sa.select(*table.columns))


def _conversions(converters: Iterable[Callable[[object], object] | None]) -> _Conversions:
    """Return (position, converter) of the values that need one. Converters are not called with None."""
    return tuple((index, convert) for index, convert in enumerate(converters) if convert is not None)

"""A SQLAlchemy Core statement, compiled once per database and run on the raw driver.

SQLAlchemy writes the SQL and knows the types; the driver runs it. What is left per call is binding: a few
microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy import Delete, Insert, Select, Table, Update
from sqlalchemy.engine import Dialect

__all__ = ["CompiledStatement", "Parameters", "Row", "Statement", "insertion"]

Parameters: TypeAlias = Mapping[str, object]
Row: TypeAlias = tuple[object, ...]

_Convert: TypeAlias = "Callable[[object], object] | None"


class CompiledStatement:
    """SQL of one dialect with what is needed to bind its parameters and read its rows."""

    __slots__ = ("_convert", "_defaults", "_parameters", "sql")

    def __init__(self, core: Select[*tuple[object, ...]] | Insert | Update | Delete, dialect: Dialect) -> None:
        compiled = core.compile(dialect=dialect)
        self.sql = str(compiled)
        names: Sequence[str] = compiled.positiontup or ()
        binds = compiled.binds
        self._parameters: list[tuple[str, _Convert]] = [
            (name, binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names
        ]
        self._defaults = {
            name: bind.effective_value for name, bind in binds.items() if not bind.required and name in set(names)
        }
        columns = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in core.exported_columns
        ]
        self._convert = tuple((index, convert) for index, convert in enumerate(columns) if convert is not None)

    def bind(self, parameters: Parameters) -> list[object]:
        """The positional arguments for the driver.

        Raises:
            KeyError: a parameter is missing: a mistake of the calling code.
        """
        if self._defaults:
            parameters = {**self._defaults, **parameters}
        return [
            parameters[name] if convert is None else convert(parameters[name]) for name, convert in self._parameters
        ]

    def row(self, raw: Iterable[object]) -> Row:
        """A driver's row with every value in its outside form."""
        values = list(raw)
        for index, convert in self._convert:
            values[index] = convert(values[index])
        return tuple(values)


class Statement:
    """A Core statement with named parameters (`sqlalchemy.bindparam`), compiled at first use on each dialect.

    Attributes:
        reads: it only reads.
    """

    __slots__ = ("_compiled", "_core", "reads")

    def __init__(self, core: Select[*tuple[object, ...]] | Insert | Update | Delete) -> None:
        self.reads = isinstance(core, Select)
        self._core = core
        self._compiled: dict[Dialect, CompiledStatement] = {}

    def compiled(self, dialect: Dialect) -> CompiledStatement:
        """This statement for `dialect`."""
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = CompiledStatement(self._core, dialect)
        return found


@cache
def insertion(table: Table) -> Statement:
    """``INSERT`` of every column of `table`, each a parameter of the column's name."""
    return Statement(
        sa.insert(table).values({column.name: sa.bindparam(column.name, type_=column.type) for column in table.columns})
    )

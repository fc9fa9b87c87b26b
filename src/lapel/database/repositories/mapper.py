"""Data mappers between rows and entities, derived from the entity's type hints and the table's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from operator import attrgetter
from types import UnionType
from typing import Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table

from lapel.database.statement import Row
from lapel.domain import json

__all__ = ["Mapper"]

Entity = TypeVar("Entity")


class Mapper(Generic[Entity]):
    """Maps a struct with at least two fields.

    Args:
        entity: the struct's class.
        table: the table with columns of the fields' names.
        elsewhere: the columns of fields that are stored in another table.
        derived: functions that compute further columns of `table` from the entity.

    Attributes:
        columns: the columns to select, in the order of the fields.
        select: a ``SELECT`` of those columns.
        row: returns an entity's values in the order of `table`'s columns, for `insertion` and ``bulk_insert``. The
            caller appends the values of the last columns that are not the entity's.
    """

    def __init__(
        self,
        entity: type[Entity],
        table: Table,
        *,
        elsewhere: Mapping[str, ColumnElement[object]] | None = None,
        derived: Mapping[str, Callable[[Entity], object]] | None = None,
    ) -> None:
        hints = get_type_hints(entity, localns=vars(json))
        self.table = table
        self._names: tuple[str, ...] = entity.__struct_fields__  # type: ignore[attr-defined]  # only structs are mapped
        self._entity = entity
        self._derived = derived or {}
        self.row: Callable[[Entity], tuple[object, ...]] = self._row_of(table)
        self._convert = tuple((name, convert) for name in self._names if (convert := _reader(hints[name])) is not None)
        columns = {**table.c, **(elsewhere or {})}
        self.columns: Sequence[ColumnElement[object]] = [columns[name] for name in self._names]
        self.select = sa.select(*self.columns)

    def entity(self, row: Row) -> Entity:
        """Return the entity of a row of `columns`."""
        values = dict(zip(self._names, row, strict=True))
        for name, convert in self._convert:
            if (value := values[name]) is not None:
                values[name] = convert(value)
        return self._entity(**values)

    def values(self, entity: Entity) -> dict[str, object]:
        """Return the parameters by name: all fields and derived columns."""
        values = {name: getattr(entity, name) for name in self._names}
        for name, derive in self._derived.items():
            values[name] = derive(entity)
        return values

    def _row_of(self, table: Table) -> Callable[[Entity], tuple[object, ...]]:
        names = [column.key for column in table.columns if column.key in {*self._names, *self._derived}]
        assert names == [column.key for column in table.columns][: len(names)]
        if not self._derived:
            return attrgetter(*names)
        getters = [self._derived.get(name) or attrgetter(name) for name in names]
        return lambda entity: tuple(get(entity) for get in getters)


def _reader(hint: object) -> Callable[[object], object] | None:
    """Return a converter from stored values to the type `hint`; None if they need no conversion."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {member.value: member for member in hint}.__getitem__  # ten times as fast as calling the class
    if get_origin(hint) is tuple:
        item = _reader(get_args(hint)[0])
        if item is None:
            return tuple  # type: ignore[return-value]  # accepts any iterable
        return lambda values: tuple(map(item, values))  # type: ignore[call-overload]  # a stored sequence
    return None

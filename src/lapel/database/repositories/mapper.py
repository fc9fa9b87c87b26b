"""Data mappers: rows to entities and back, built from the entity's type hints and the table's columns."""

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
    """Maps one struct of two fields or more.

    Args:
        entity: the class.
        table: where its fields are stored, by the same names.
        elsewhere: columns of fields that stand in another table.
        derived: further columns of `table`, computed from the entity when it is written.

    Attributes:
        columns: what to select, in the order that `entity` expects.
        select: ``SELECT`` of those.
        row: gives an entity's values in the order of `table`'s columns, as `insertion` and ``bulk_insert`` take them;
            without those of its last columns that are not the entity's, which whoever stores it adds.
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
        """The entity in a row of `columns`."""
        values = dict(zip(self._names, row, strict=True))
        for name, convert in self._convert:
            if (value := values[name]) is not None:
                values[name] = convert(value)
        return self._entity(**values)

    def values(self, entity: Entity) -> dict[str, object]:
        """What to bind by name: every field, and the derived columns."""
        values = {name: getattr(entity, name) for name in self._names}
        for name, derive in self._derived.items():
            values[name] = derive(entity)
        return values

    def _row_of(self, table: Table) -> Callable[[Entity], tuple[object, ...]]:
        names = [column.key for column in table.columns if column.key in {*self._names, *self._derived}]
        assert names == [column.key for column in table.columns][: len(names)]
        if not self._derived:
            return attrgetter(*names)
        takers = [self._derived.get(name) or attrgetter(name) for name in names]
        return lambda entity: tuple(take(entity) for take in takers)


def _reader(hint: object) -> Callable[[object], object] | None:
    """How a stored value becomes a value of the type `hint`; None if it is one already."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {member.value: member for member in hint}.__getitem__  # ten times as fast as asking the class
    if get_origin(hint) is tuple:
        item = _reader(get_args(hint)[0])
        if item is None:
            return tuple  # type: ignore[return-value]  # any iterable will do
        return lambda values: tuple(map(item, values))  # type: ignore[call-overload]  # a stored sequence
    return None

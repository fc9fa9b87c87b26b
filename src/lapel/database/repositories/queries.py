"""The SQL that repositories share, in parameters: each stands for a value that is bound when the statement is run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, Table

from lapel.database.statement import Statement

__all__ = ["AT_ONCE", "among", "any_of", "bind", "deletion", "equal", "ordered_page_of", "page_of", "pruning", "update"]

_Select: TypeAlias = Select[*tuple[object, ...]]
_Column: TypeAlias = ColumnElement[object]
_Condition: TypeAlias = ColumnElement[bool]

AT_ONCE: Final = 64
_LIMIT: Final = sa.bindparam("limit", type_=sa.Integer())


def bind(column: _Column, name: str | None = None) -> _Column:
    """A named parameter of `column`'s type; its name is the column's unless told."""
    return sa.bindparam(name or str(column.key), type_=column.type)


def equal(column: _Column, name: str | None = None) -> _Condition:
    """That `column` is the parameter of its name, or of the name told."""
    return column == bind(column, name)


def among(column: _Column, number: int = AT_ONCE) -> _Condition:
    """That `column` is one of so many parameters, for `EntityRepository._among`."""
    return column.in_([bind(column, f"key{each}") for each in range(number)])


def any_of(column: sa.Column[object]) -> Statement:
    """A row whose `column` is ``id``, if there is one."""
    return Statement(sa.select(column).where(equal(column, "id")).limit(1))


def update(
    table: Table,
    columns: Iterable[str],
    *filters: _Condition,
    key: _Condition | None = None,
    gives: Sequence[_Column] = (),
) -> Statement:
    """``UPDATE`` of these columns, each to the parameter of its name.

    Args:
        filters: what else must be true of the row.
        key: which row; the one whose primary key is the parameter ``key`` unless told.
        gives: what is answered of the rows that were updated.
    """
    which = equal(table.primary_key.columns[0], "key") if key is None else key
    statement = sa.update(table).where(which, *filters).values({name: bind(table.c[name]) for name in columns})
    return Statement(statement.returning(*gives) if gives else statement)


def deletion(column: sa.Column[object]) -> Statement:
    """``DELETE`` of the rows whose `column` is ``id``."""
    return Statement(sa.delete(column.table).where(equal(column, "id")))


def pruning(key: sa.Column[object], order: _Column, *filters: _Condition) -> Statement:
    """``DELETE`` of the first ``limit`` rows of which the filters are true, in the order of `order`."""
    return Statement(sa.delete(key.table).where(key.in_(sa.select(key).where(*filters).order_by(order).limit(_LIMIT))))


def page_of(select: _Select, key: _Column, *filters: _Condition) -> Statement:
    """A page of `select`, newest first: ``limit`` rows whose `key` sorts before ``before``."""
    return Statement(select.where(*filters, key < bind(key, "before")).order_by(key.desc()).limit(_LIMIT))


def ordered_page_of(
    select: _Select, key: _Column, id_: _Column, *filters: _Condition, descending: bool = False
) -> Statement:
    """A page of `select` in the order of `key`: ``limit`` rows after (``from_key``, ``from_id``), up to ``to_key``."""
    here, there, end = sa.tuple_(key, id_), sa.tuple_(bind(key, "from_key"), bind(id_, "from_id")), bind(key, "to_key")
    within = (here < there, key >= end) if descending else (here > there, key < end)
    order = [each.desc() if descending else each for each in (key, id_)]
    return Statement(select.where(*filters, *within).order_by(*order).limit(_LIMIT))

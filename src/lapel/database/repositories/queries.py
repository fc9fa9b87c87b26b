"""Builders for the parameterised SQL that repositories share."""

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
"""The default number of keys of `among`."""
_LIMIT: Final = sa.bindparam("limit", type_=sa.Integer())


def bind(column: _Column, name: str | None = None) -> _Column:
    """Return a parameter of `column`'s type, named like the column by default."""
    return sa.bindparam(name or str(column.key), type_=column.type)


def equal(column: _Column, name: str | None = None, *, indexed: bool = True) -> _Condition:
    """Return the condition that `column` equals the parameter of that name, by default the column's.

    Args:
        indexed: whether an index may serve it. If not, a planner without statistics cannot choose that index instead of
            a better one.
    """
    return (column if indexed else sa.func.coalesce(column, column)) == bind(column, name)


def among(column: _Column, number: int = AT_ONCE) -> _Condition:
    """Return the condition that `column` equals one of so many parameters, for `EntityRepository._among`."""
    return column.in_([bind(column, f"key{each}") for each in range(number)])


def any_of(column: sa.Column[object]) -> Statement:
    """Return a query for one row whose `column` equals ``id``."""
    return Statement(sa.select(column).where(equal(column, "id")).limit(1))


def update(
    table: Table,
    columns: Iterable[str] = (),
    *filters: _Condition,
    key: _Condition | None = None,
    gives: Sequence[_Column] = (),
    **computed: _Column,
) -> Statement:
    """Return an ``UPDATE`` that sets these columns to the parameters of their names.

    Args:
        filters: further conditions.
        key: the condition that selects the row; by default, that the primary key equals ``key``.
        gives: the columns to return of the updated rows.
        computed: further columns, and what each is set to.
    """
    is_row = equal(table.primary_key.columns[0], "key") if key is None else key
    values = {name: bind(table.c[name]) for name in columns} | computed
    statement = sa.update(table).where(is_row, *filters).values(values)
    return Statement(statement.returning(*gives) if gives else statement)


def deletion(column: sa.Column[object], *filters: _Condition) -> Statement:
    """Return a ``DELETE`` of the rows whose `column` equals ``id``, and that match the filters."""
    return Statement(sa.delete(column.table).where(equal(column, "id"), *filters))


def pruning(key: sa.Column[object], order: _Column, *filters: _Condition) -> Statement:
    """Return a ``DELETE`` of the first ``limit`` rows that match the filters, ordered by `order`."""
    return Statement(sa.delete(key.table).where(key.in_(sa.select(key).where(*filters).order_by(order).limit(_LIMIT))))


def page_of(select: _Select, key: _Column, *filters: _Condition, scans: bool = False) -> Statement:
    """Return a query for a page of `select`, newest first: ``limit`` rows whose `key` is less than ``before``."""
    return Statement(select.where(*filters, key < bind(key, "before")).order_by(key.desc()).limit(_LIMIT), scans=scans)


def ordered_page_of(
    select: _Select, key: _Column, id_: _Column, *filters: _Condition, descending: bool = False, scans: bool = False
) -> Statement:
    """Return a query for a page in the order of `key`: ``limit`` rows after ``from_key, from_id``, up to ``to_key``."""
    place, start, end = sa.tuple_(key, id_), sa.tuple_(bind(key, "from_key"), bind(id_, "from_id")), bind(key, "to_key")
    within = (place < start, key >= end) if descending else (place > start, key < end)
    order = [each.desc() if descending else each for each in (key, id_)]
    return Statement(select.where(*filters, *within).order_by(*order).limit(_LIMIT), scans=scans)

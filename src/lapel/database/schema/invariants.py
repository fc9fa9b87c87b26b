"""Invariants of the rows: those of the constraints, which are checked again, and those that no constraint can express.

An existing constraint may be violated by older rows, while its triggers are disabled, or because of a damaged index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ColumnElement, Dialect, Select, Table, UniqueConstraint

from lapel.database.tables import achievement_versions, achievements, credentials, issuers, metadata, status_lists

__all__ = ["MAX_SHOWN", "Invariant", "invariants"]

MAX_SHOWN = 10
"""The maximum number of rows that are listed for a broken invariant."""

_RESTORE = "Restore a backup, or mend these rows by hand with the server stopped."


@dataclass(frozen=True, slots=True)
class Invariant:
    """A condition that every row of a table must meet.

    Attributes:
        wrong: what rows that break it do, to follow “rows of issuers …”.
        broken: a query for the primary keys of those rows.
    """

    table: str
    wrong: str
    broken: Select[*tuple[object, ...]]
    hint: str = _RESTORE

    def __str__(self) -> str:
        return f"{self.table}: {self.wrong}"

    def sql(self, dialect: Dialect) -> str:
        """Return the SQL that selects the first rows that break it."""
        return str(self.broken.limit(MAX_SHOWN).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def invariants() -> Iterator[Invariant]:
    """Yield all invariants, table by table."""
    for table in metadata.sorted_tables:
        yield from _constraint_invariants(table)
    yield from _further_invariants()


def _constraint_invariants(table: Table) -> Iterator[Invariant]:
    key = list(table.primary_key.columns)
    for foreign in table.foreign_key_constraints:
        other = foreign.referred_table.alias("other")
        own = [element.parent for element in foreign.elements]
        exists = sa.exists().where(*(each.parent == other.c[each.column.name] for each in foreign.elements))
        orphans = sa.select(*key).where(*(column.is_not(None) for column in own), ~exists)
        yield Invariant(table.name, f"refer to {foreign.referred_table.name} that are not there", orphans)
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            broken = sa.select(*key).where(sa.text(f"NOT ({constraint.sqltext})"))
            yield Invariant(table.name, f"are not as {constraint.name} says", broken)
        elif isinstance(constraint, UniqueConstraint):
            yield _unique(table, list(constraint.columns))
    yield _unique(table, key)
    for index in table.indexes:
        if index.unique:
            condition = index.dialect_options["sqlite"]["where"]
            yield _unique(table, [table.c[column.name] for column in index.columns], condition)


def _unique(
    table: Table, columns: Sequence[ColumnElement[object]], condition: ColumnElement[bool] | None = None
) -> Invariant:
    duplicates = sa.select(*columns).group_by(*columns).having(sa.func.count() > 1)
    filters = [column.is_not(None) for column in columns] if condition is None else [condition]
    names = ", ".join(str(column.key) for column in columns)
    return Invariant(table.name, f"share their {names}", duplicates.where(*filters))


def _further_invariants() -> Iterator[Invariant]:
    columns, lists, newest = credentials.c, status_lists.c, achievement_versions.c
    ids = sa.select(columns.id)
    in_list = ids.join_from(credentials, status_lists, columns.status_list_id == lists.id)
    is_empty = sa.func.length(columns.signed) == 0
    of_credentials = {
        "stand outside of their status list": in_list.where(
            sa.or_(columns.status_index < 0, columns.status_index >= lists.length)
        ),
        "stand in a status list of another issuer": in_list.where(columns.issuer_id != lists.issuer_id),
        "have a status list without a position in it, or a position without a list": ids.where(
            columns.status_list_id.is_(None) != columns.status_index.is_(None)
        ),
        "have nothing that was signed": ids.where(is_empty, columns.erased_at.is_(None)),
        "are erased and not empty": ids.where(~is_empty, columns.erased_at.is_not(None)),
    }
    for wrong, broken in of_credentials.items():
        yield Invariant("credentials", wrong, broken)
    yield _unique(credentials, [columns.status_list_id, columns.status_index])
    used = sa.select(sa.func.count()).where(columns.status_list_id == lists.id).scalar_subquery()
    yield Invariant(
        "status_lists",
        "have given out fewer positions than credentials hold, and may give one out again",
        sa.select(lists.id).where(used > lists.allocated),
        "Restore a backup, or set `allocated` to `length`, so that a new list is begun.",
    )
    version = sa.exists().where(newest.achievement_id == achievements.c.id, newest.version == achievements.c.version)
    unversioned = sa.select(achievements.c.id).where(~version)
    yield Invariant("achievements", "have no such version as their newest", unversioned)
    for table in metadata.sorted_tables:
        if {"issuer_id", "organisation_id"} <= set(table.columns.keys()):
            joined = sa.select(table.c.id).join_from(table, issuers, table.c.issuer_id == issuers.c.id)
            mismatched = joined.where(table.c.organisation_id != issuers.c.organisation_id)
            yield Invariant(table.name, "belong to another organisation than their issuer", mismatched)

"""The interface to a database's own description of its schema, and the findings of a check."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final, NamedTuple, Protocol

from msgspec import Struct
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from lapel.database.session import TransactionSession
from lapel.database.tables import metadata

__all__ = ["ACTING", "Catalogue", "Fact", "Finding", "declared"]

ACTING: Final = frozenset({"trigger", "rule"})
"""The kinds of schema objects that change rows by themselves, unnoticed by Lapel."""


class Fact(NamedTuple):
    """One object of a schema.

    Attributes:
        kind: ``table``, ``column``, ``default``, ``primary key``, ``unique``, ``foreign key``, ``check``, ``index``, or
            one of `ACTING`, which no declared table has.
        name: the object's name; for keys, whose names do not matter, their columns; empty for a table.
        definition: the database's own description, which is equal for equal objects.
    """

    table: str
    kind: str
    name: str
    definition: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.table}" if self.name else f"{self.kind} {self.table}"


class Finding(Struct, frozen=True, kw_only=True, rename="camel"):
    """A problem that a check has found, or a note.

    Attributes:
        code: a stable code, for programs.
        about: the table or a part of it.
        detail: a sentence that describes the problem.
        hint: what to do about it.
        is_note: whether it does no harm to Lapel.
    """

    code: str
    about: str
    detail: str
    hint: str
    is_note: bool = False


def declared(dialect: Dialect) -> list[str]:
    """Return the statements that create the schema of `lapel.database.tables`."""
    statements: list[CreateTable | CreateIndex] = []
    for table in metadata.sorted_tables:
        statements += [CreateTable(table), *map(CreateIndex, table.indexes)]
    return [str(each.compile(dialect=dialect)).strip() for each in statements]


class Catalogue(Protocol):
    """Access to a database's description of its schema, provided by its module."""

    async def tables(self, session: TransactionSession) -> set[str]:
        """Return the names of the tables in Lapel's schema, without those of the database itself and its extensions."""

    async def facts(self, session: TransactionSession) -> set[Fact]:
        """Return the objects of these tables."""

    async def facts_of(self, statements: Sequence[str]) -> set[Fact]:
        """Return the objects that `statements` create, without changing the database."""

    def damage(self, session: TransactionSession) -> AsyncGenerator[Finding, None]:
        """Yield the findings of the database's own checks, as far as its user may run them."""

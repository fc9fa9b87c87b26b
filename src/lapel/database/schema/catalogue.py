"""What a database tells of itself, and what a check finds: the words of this room."""

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
"""What acts on rows out of Lapel's sight. A catalogue tells those that its database has."""


class Fact(NamedTuple):
    """One thing that a schema has.

    Attributes:
        kind: ``table``, ``column``, ``default``, ``primary key``, ``unique``, ``foreign key``, ``check``, ``index``, or
            one of `ACTING`, which no declared table has.
        name: as the database calls it; of keys, which may be called anything, their columns; of a table nothing.
        definition: in the database's own words, which are the same for the same thing.
    """

    table: str
    kind: str
    name: str
    definition: str

    def __str__(self) -> str:
        if not self.name:
            return f"{self.kind} {self.table}"
        return f"{self.kind} {self.name} of {self.table}"


class Finding(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that is not as it should be, or a note of something that is nobody's fault.

    Attributes:
        code: stable, for programs.
        about: the table, or the part of one.
        detail: what is so, in a sentence.
        hint: what to do about it.
        is_note: nothing of Lapel's is harmed by it.
    """

    code: str
    about: str
    detail: str
    hint: str
    is_note: bool = False


def declared(dialect: Dialect) -> list[str]:
    """The statements that make the schema of `lapel.database.tables`."""
    made: list[CreateTable | CreateIndex] = []
    for table in metadata.sorted_tables:
        made += [CreateTable(table), *map(CreateIndex, table.indexes)]
    return [str(one.compile(dialect=dialect)).strip() for one in made]


class Catalogue(Protocol):
    """How a database module lets its database be looked at."""

    async def tables(self, session: TransactionSession) -> set[str]:
        """The names of the tables where Lapel's are, but for those of the database's own and of its extensions."""

    async def facts(self, session: TransactionSession) -> set[Fact]:
        """What is there of these tables."""

    async def facts_of(self, statements: Sequence[str]) -> set[Fact]:
        """The same of the schema that `statements` make, which are run aside and leave nothing behind."""

    def damage(self, session: TransactionSession) -> AsyncGenerator[Finding, None]:
        """What the database's own checks find, as far as its user may ask for them."""

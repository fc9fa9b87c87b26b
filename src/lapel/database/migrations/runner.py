"""Which SQL brings a database to this code's revision.

Alembic knows the revisions and writes their SQL for a dialect; the module's session runs it. So a database needs
no DB-API driver to be migrated, and revisions are written without looking at the data (Alembic's offline mode).
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Dialect

from lapel.database.errors import ForeignDatabase, NewerDatabase

__all__ = ["STAMP", "MigrationStatus", "head", "plan", "status"]

STAMP = "alembic_version"
"""The table that names the revision."""

_SIGNS = {"achievements", "server_facts"}
"""Tables that a database of ours has at every revision; without any of them it is another project's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """Where the database's schema stands.

    Attributes:
        current: the revision of the database; None where there is none yet.
        head: the revision of this code.
        pending: revisions still to be run, in order.
    """

    current: str | None
    head: str
    pending: tuple[str, ...]


_scripts = ScriptDirectory(str(Path(__file__).parent))


@cache
def head() -> str:
    """The revision of this code."""
    newest = _scripts.get_current_head()
    assert newest is not None
    return newest


def status(tables: Collection[str], stamps: Sequence[str]) -> MigrationStatus:
    """Where a database with these tables stands.

    Args:
        tables: the names of all that are there.
        stamps: what the table `STAMP` holds, if it is among them.

    Raises:
        NewerDatabase: a later version of this code made it.
        ForeignDatabase: somebody else did.
    """
    revisions = [script.revision for script in _scripts.walk_revisions()]  # the newest first
    if not tables:
        return MigrationStatus(current=None, head=head(), pending=tuple(reversed(revisions)))
    if STAMP not in tables:
        raise ForeignDatabase(f"The database has tables that Lapel did not make: {_listed(tables)}.")
    if len(stamps) != 1 or _SIGNS.isdisjoint(tables):
        raise ForeignDatabase(
            f"The database is another project's: its {STAMP} says {_listed(stamps) or 'nothing'},"
            f" and its tables are {_listed(tables)}."
        )
    (current,) = stamps
    if current not in revisions:
        raise NewerDatabase(f"The database is at revision {current}, which this version of Lapel does not know.")
    return MigrationStatus(current=current, head=head(), pending=tuple(reversed(revisions[: revisions.index(current)])))


@lru_cache(16)
def plan(dialect: Dialect, where: MigrationStatus) -> Sequence[str]:
    """The SQL from `where` to this code's revision: statements to be run in order, in one transaction.

    Writing it takes longer than SQLite takes to run it, so it is kept for the next database.
    """
    collected = _Collector()
    if where.current is None:
        collected.statements += [
            f"CREATE TABLE {STAMP} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            f"INSERT INTO {STAMP} (version_num) VALUES ('')",  # noqa: S608 - from our own files
        ]
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": collected})
    with Operations.context(context):
        for revision in where.pending:
            _scripts.get_revision(revision).module.upgrade()
            collected.statements.append(f"UPDATE {STAMP} SET version_num = '{revision}'")  # noqa: S608 - from our own files
    return tuple(collected.statements)


def _listed(names: Collection[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(sorted(names)[:most])}{more}"


class _Collector(io.StringIO):
    """Takes what Alembic would print: one statement a write, ended by a semicolon."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[str] = []

    def write(self, text: str) -> int:
        self.statements.append(text.strip().removesuffix(";"))
        return len(text)

"""Generates the SQL that migrates a database to this code's revision.

Alembic generates the SQL of the revisions for a dialect, and the module's session runs it. So migrations need no DB-API
driver, and revisions cannot look at the data (Alembic's offline mode).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Dialect

from lapel.database.errors import ForeignDatabase, NewerDatabase

__all__ = ["SELECT_STAMP", "STAMP", "MigrationStatus", "head", "plan", "status"]

STAMP = "alembic_version"
"""The table with the current revision."""
SELECT_STAMP = f"SELECT version_num FROM {STAMP}"  # noqa: S608 - our own

_OWN_TABLES = {"achievements", "server_facts"}
"""Tables that a Lapel database has at every revision. A database with none of them belongs to another project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """The state of a database's schema.

    Attributes:
        current: the revision of the database; None if there is no schema yet.
        head: the revision of this code.
        pending: the revisions to run, in order.
    """

    current: str | None
    head: str
    pending: tuple[str, ...]


_scripts = ScriptDirectory(str(Path(__file__).parent))


@cache
def head() -> str:
    """Return the revision of this code."""
    newest = _scripts.get_current_head()
    assert newest is not None
    return newest


def status(tables: Collection[str], stamps: Sequence[str]) -> MigrationStatus:
    """Return the state of a database's schema.

    Args:
        tables: the names of all tables.
        stamps: the rows of the table `STAMP`, if it exists.

    Raises:
        NewerDatabase: the database is at a revision of a later version of Lapel.
        ForeignDatabase: the database belongs to another project.
    """
    revisions = [script.revision for script in _scripts.walk_revisions()]  # newest first
    if not tables:
        return MigrationStatus(current=None, head=head(), pending=tuple(reversed(revisions)))
    if STAMP not in tables:
        raise ForeignDatabase(f"The database has tables that Lapel did not make: {_listed(tables)}.")
    if len(stamps) != 1 or _OWN_TABLES.isdisjoint(tables):
        raise ForeignDatabase(
            f"The database is another project's: its {STAMP} says {_listed(stamps) or 'nothing'},"
            f" and its tables are {_listed(tables)}."
        )
    (current,) = stamps
    if current not in revisions:
        raise NewerDatabase(f"The database is at revision {current}, which this version of Lapel does not know.")
    return MigrationStatus(current=current, head=head(), pending=tuple(reversed(revisions[: revisions.index(current)])))


@lru_cache(16)
def plan(dialect: Dialect, migration: MigrationStatus) -> Sequence[str]:
    """Return the statements that run the pending revisions, to be run in order, in one transaction.

    The result is cached, because generating the SQL takes longer than SQLite takes to run it.
    """
    statements = _Collector()
    if migration.current is None:
        statements += [
            f"CREATE TABLE {STAMP} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            f"INSERT INTO {STAMP} (version_num) VALUES ('')",  # noqa: S608 - from our own files
        ]
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": statements})
    with Operations.context(context):
        for revision in migration.pending:
            _scripts.get_revision(revision).module.upgrade()
            statements.append(f"UPDATE {STAMP} SET version_num = '{revision}'")  # noqa: S608 - from our own files
    return tuple(statements)


def _listed(names: Collection[str], max_shown: int = 5) -> str:
    more = f" and {len(names) - max_shown} more" if len(names) > max_shown else ""
    return f"{', '.join(sorted(names)[:max_shown])}{more}"


class _Collector(list[str]):
    """Collects Alembic's output, which is one statement per write, ended by a semicolon."""

    def write(self, text: str) -> None:
        self.append(text.strip().removesuffix(";"))

    def flush(self) -> None:
        """Do nothing: Alembic flushes after each statement."""

"""Which SQL brings a database to this code's revision.

Alembic knows the revisions and writes their SQL for a dialect; the module's raw driver runs it. So a database needs
no DB-API driver to be migrated, and revisions are written without looking at the data (Alembic's offline mode).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Dialect

from lapel.database.errors import NewerDatabase

__all__ = ["MigrationPlan", "MigrationStatus", "head", "plan", "status"]


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


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """SQL statements, in order, to be run in one transaction; empty when nothing is pending."""

    statements: tuple[str, ...]
    status: MigrationStatus


@cache
def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


@cache
def head() -> str:
    """The revision of this code."""
    newest = _scripts().get_current_head()
    assert newest is not None
    return newest


def status(current: str | None) -> MigrationStatus:
    """Where a database at revision `current` stands.

    Raises:
        NewerDatabase: this code does not know that revision.
    """
    scripts = _scripts()
    revisions = [script.revision for script in scripts.walk_revisions()]  # the newest first
    if current is not None and current not in revisions:
        raise NewerDatabase(f"The database is at revision {current}, which this version of Lapel does not know.")
    pending = revisions if current is None else revisions[: revisions.index(current)]
    return MigrationStatus(current=current, head=head(), pending=tuple(reversed(pending)))


def plan(dialect: Dialect, *, current: str | None) -> MigrationPlan:
    """The SQL from `current` (None: an empty database) to this code's revision.

    Raises:
        NewerDatabase: this code does not know that revision.
    """
    where = status(current)
    collected = _Collector()
    if current is None and where.pending:
        collected.statements += [
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            "INSERT INTO alembic_version (version_num) VALUES ('')",
        ]
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": collected})
    with Operations.context(context):
        for revision in where.pending:
            _scripts().get_revision(revision).module.upgrade()
            collected.statements.append(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - from our own files
    return MigrationPlan(tuple(collected.statements), where)


class _Collector(io.StringIO):
    """Takes what Alembic would print: one statement a write, ended by a semicolon."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[str] = []

    def write(self, text: str) -> int:
        self.statements.append(text.strip().removesuffix(";"))
        return len(text)

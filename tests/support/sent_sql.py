"""All the SQL that Lapel sends to PostgreSQL, collected from where it is written: for tests that read it.

Statements of the repositories and of `lapel db check` are compiled, the migrations are planned, and what is written as
text, or asked of the driver by a method of its own, is found in the source.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from uuid import UUID

from lapel.database import repositories
from lapel.database.migrations.runner import plan, status
from lapel.database.postgresql.session import DIALECT
from lapel.database.repositories.audit_log import entries_page
from lapel.database.repositories.credential_lists import credential_list
from lapel.database.schema.catalogue import declared
from lapel.database.schema.invariants import invariants
from lapel.database.statement import Statement
from lapel.domain.credential import CredentialStatus
from lapel.domain.listing import CredentialFilter
from tests.support.source_tree import SourceFile, source_files

__all__ = ["sent_sql", "statements"]

_ELSEWHERE = tuple(f"lapel.database.{part}." for part in ("sqlite", "conformance", "migrations.versions"))
"""Parts of the database layer whose text PostgreSQL does not see, or sees by a plan of the migrations."""
_SQL = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|DROP|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET"
    r"|NOTIFY|LISTEN|PREPARE|LOCK|TRUNCATE|COPY|REINDEX|DECLARE|FETCH|DISCARD|RESET|EXPLAIN|; SET|FROM|VALUES)\b"
)
_OF_SQLITE = re.compile(r"sqlite_|RAISE\(ABORT")
_DRIVER = {
    "add_listener": "LISTEN … (the driver's)",
    "copy_records_to_table": "COPY … FROM STDIN (FORMAT binary) (the driver's)",
    "copy_to_table": "COPY … FROM STDIN (the driver's)",
    "copy_from_query": "COPY … TO STDOUT (the driver's)",
    "copy_from_table": "COPY … TO STDOUT (the driver's)",
    "cursor": "FETCH from a portal (the driver's)",
    "transaction": "BEGIN (the driver's)",
    "prepare": "PREPARE by the protocol (the driver's)",
    "fetch": "PREPARE by the protocol (the driver's)",
    "fetchrow": "PREPARE by the protocol (the driver's)",
    "fetchval": "PREPARE by the protocol (the driver's)",
    "server_settings": "STARTUP parameters (the driver's)",
}


def credential_lists() -> Iterator[tuple[str, Statement]]:
    """That of each way to narrow a list of credentials."""
    id_, moment = UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC)
    narrowing: dict[str, Sequence[object]] = {
        "issuer_id": [id_],
        "achievement_id": [id_],
        "recipient_lookup": [b"1"],
        "status": [CredentialStatus.ACTIVE, CredentialStatus.REVOKED],
        "created_since": [moment],
        "valid_since": [moment],
    }
    for values in product(*([None, *some] for some in narrowing.values())):
        wanted = CredentialFilter(**dict(zip(narrowing, values, strict=True)))  # type: ignore[arg-type]  # each its own
        statement, given = credential_list(wanted, before=None, valid_before=None)
        order = "BY_VALIDITY" if wanted.by_validity else "PAGE"
        yield f"credential_lists._{order} {sorted(given)} {wanted.status}", statement


def audit_log_pages() -> Iterator[tuple[str, Statement]]:
    """That of each way to narrow the audit log."""
    for given in product((None, "actor"), (None, "action"), (None, "entity_id")):
        names = [name for name in given if name is not None]
        yield f"audit_log._PAGE {names}", entries_page(*names)


def statements() -> Iterator[tuple[str, Statement]]:
    """Every statement that a repository module holds, however it holds it, and those that are made when asked for."""

    def within(name: str, value: object) -> Iterator[tuple[str, Statement]]:
        if isinstance(value, Statement):
            yield name, value
        elif isinstance(value, type) and value.__module__.startswith(repositories.__name__):
            yield from within(name, vars(value))
        elif isinstance(value, Mapping):
            for key, found in value.items():
                yield from within(f"{name}{key}", found)
        elif isinstance(value, list | tuple | set | frozenset):
            for index, found in enumerate(value):
                yield from within(f"{name}[{index}]", found)

    for module in pkgutil.iter_modules(repositories.__path__):
        for name, value in vars(importlib.import_module(f"{repositories.__name__}.{module.name}")).items():
            yield from within(f"{module.name}.{name}", value)
    yield from credential_lists()
    yield from audit_log_pages()


def sent_sql() -> Iterator[tuple[str, str]]:
    """Where something is written, by file (`postgresql/session.py`) or directory, and the SQL."""
    for name, statement in statements():
        yield f"repositories/{name.partition('.')[0]}.py", statement.compiled(DIALECT).sql
    for sql in plan(DIALECT, status((), ())):
        yield "migrations/", sql
    for sql in declared(DIALECT):
        yield "tables.py", sql
    for invariant in invariants():
        yield "schema/invariants.py", invariant.sql(DIALECT)
    for file in source_files("src"):
        if not f"{file.module}.".startswith(_ELSEWHERE):
            where = file.path.removeprefix("src/lapel/").removeprefix("database/")
            yield from ((where, sql) for sql in (*_written_in(file), *_asked_of_the_driver(file)))


def _written_in(file: SourceFile) -> Iterator[str]:
    docstrings = {id(node.value) for node in ast.walk(file.tree) if isinstance(node, ast.Expr)}
    parts = {
        id(part) for node in ast.walk(file.tree) if isinstance(node, ast.JoinedStr) for part in node.values
    }  # said by the whole
    for node in ast.walk(file.tree):
        if id(node) in docstrings or id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        else:
            continue
        if _SQL.match(text) and not _OF_SQLITE.search(text):
            yield text


def _asked_of_the_driver(file: SourceFile) -> Iterator[str]:
    if not file.module.startswith("lapel.database.postgresql."):
        return
    for node in ast.walk(file.tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.arg if isinstance(node, ast.keyword) else ""
        if sql := _DRIVER.get(name or ""):
            yield sql

"""While tests run: no service commits a change without an entry in the audit log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Select

from lapel.database.interface import Database
from lapel.database.repositories.base import BaseRepository
from lapel.database.statement import Statement
from lapel.database.transaction import DatabaseTransaction

__all__ = ["every_change_is_recorded"]

NOBODYS_DEED = {"status list", "server fact", "idempotent request"}
"""What changes with what is done, or is the server's own: positions that are handed out, facts about itself, and that a
request has been answered, which is kept of one that changed nothing, too."""


def _caller() -> str:
    """The module that asked for a transaction: the first one outside of the database layer."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name: str = frame.f_globals.get("__name__", "")
        if not name.startswith(("lapel.database", "contextlib", __name__)):
            return name
        frame = frame.f_back
    return ""


@pytest.fixture(scope="session", autouse=True)
def every_change_is_recorded() -> Iterator[None]:
    """Fails the commit of a service's transaction that changes something and records nothing."""
    transaction, run, commit = Database.transaction, BaseRepository._run, DatabaseTransaction._commit

    def watched_transaction(self: Any, **options: Any) -> Any:
        opened: Any = transaction(self, **options)
        opened.caller = _caller()
        opened.written = set()
        return opened

    async def watched_run(self: Any, operation: str, method: Any, subject: Any, given: Any) -> Any:
        result = await run(self, operation, method, subject, given)
        writes = not (isinstance(subject, Statement) and (isinstance(subject._core, Select) or not result))
        if writes and hasattr(self._context, "written"):
            self._context.written.add((self.entity, operation))
        return result

    async def watched_commit(self: Any) -> None:
        if self.caller.startswith("lapel.services."):
            changed = {operation for entity, operation in self.written if entity not in NOBODYS_DEED}
            recorded = {operation for operation in changed if operation.startswith("audit_log.")}
            if changed and not recorded:
                await self._session.rollback()
                raise AssertionError(f"{self.caller} records nothing of {', '.join(sorted(changed))}")
        await commit(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Database, "transaction", watched_transaction)
        patched.setattr(BaseRepository, "_run", watched_run)
        patched.setattr(DatabaseTransaction, "_commit", watched_commit)
        yield

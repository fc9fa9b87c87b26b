"""A commit that happens, and of which nobody hears."""

from __future__ import annotations

import pytest

from lapel.database.errors import OutcomeUnknown
from lapel.database.transaction import DatabaseTransaction

__all__ = ["unheard"]


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets the first transaction that notes a request under an idempotency key commit, and its outcome be unknown.

    Its id is here then.
    """
    commit, lost = DatabaseTransaction._commit, list[str]()

    async def committed(self: DatabaseTransaction) -> None:
        await commit(self)
        if not lost and any(one.startswith("idempotent_requests.create") for one in self.operations):
            lost.append(self.id)
            raise OutcomeUnknown

    monkeypatch.setattr(DatabaseTransaction, "_commit", committed)
    return lost

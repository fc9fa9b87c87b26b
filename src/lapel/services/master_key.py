"""The right master key for the database: its check value is kept in the database."""

from __future__ import annotations

from typing import Final

from lapel.credentials.master_key import MasterKey
from lapel.domain.ports import Store

__all__ = ["check_master_key"]

_FACT: Final = "master_key_check"


async def check_master_key(store: Store, master_key: MasterKey) -> None:
    """Note the key's check value in a new database; afterwards refuse any other key. Call it once at the start.

    Raises:
        WrongMasterKey: the database was made under another master key.
    """
    async with store.transaction() as tx:
        kept = await tx.server_facts.put_if_absent(_FACT, master_key.check_value())
    master_key.check(kept)

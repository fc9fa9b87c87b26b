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
    value = master_key.check_value()
    kept = await store.run(lambda tx: tx.server_facts.put_if_absent(_FACT, value), idempotent=True)
    master_key.check(kept)

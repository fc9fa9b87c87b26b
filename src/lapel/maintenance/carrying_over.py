"""Repeats, on a restored backup, the irrevocable removals made in the replaced database since the backup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from lapel.database.errors import DatabaseError
from lapel.database.interface import Database
from lapel.domain.access import ApiKey, acting_for
from lapel.domain.audit import Action
from lapel.domain.credential import Credential, CredentialErased, CredentialStatus
from lapel.domain.listing import CredentialFilter
from lapel.domain.ports import Isolation, Transaction
from lapel.domain.signing_key import SigningKey
from lapel.maintenance.examining import Installation, Services
from lapel.maintenance.staging import state_of
from lapel.services.auditing.recording import record
from lapel.services.paging import all_pages

__all__ = ["CarriedOver", "carry_over"]

_BATCH: Final = 500
_REVOKED: Final = CredentialFilter(status=CredentialStatus.REVOKED)


@dataclass(slots=True)
class CarriedOver:
    """What was repeated, and what was not.

    Attributes:
        erased: the number of credentials that were erased again.
        api_keys: the number of API keys that were revoked again.
        signing_keys: the number of signing keys that were marked again as compromised, or since an earlier time.
        valid_again: credentials whose revocation was not repeated.
        seen: `lapel.maintenance.staging.state_of` the replaced database after it was read.
    """

    erased: int = 0
    api_keys: int = 0
    signing_keys: int = 0
    valid_again: list[UUID] = field(default_factory=list)
    seen: Sequence[object] = ()


@dataclass(slots=True)
class _Removals:
    erased: list[Credential] = field(default_factory=list)
    revoked: list[UUID] = field(default_factory=list)
    api_keys: list[ApiKey] = field(default_factory=list)
    signing_keys: list[SigningKey] = field(default_factory=list)


async def carry_over(
    own: Path, copy: Database, services: Services, installation: Installation, begin_step: Callable[[str], None]
) -> CarriedOver | None:
    """Repeat on `copy` the removals in the database at `own`. Returns None if that database cannot be read.

    Revocations of credentials are reported but not repeated: the backup may be restored to undo them.
    """
    begin_step("what was taken away since")
    try:
        removals = await _find_removals(installation.open(own))
    except DatabaseError:  # it is missing, damaged, or of another version
        return None
    if removals is None:
        return None
    result = CarriedOver(seen=state_of(own, copy.companions))
    for credential in removals.erased:
        result.erased += await _erase(copy, services, credential)
    for key in removals.api_keys:
        result.api_keys += await copy.run(partial(_revoke, key=key))
    for signing_key in removals.signing_keys:
        mark = partial(_mark_compromised, key=signing_key)
        result.signing_keys += await copy.run(mark, isolation=Isolation.SERIALIZABLE)
    for first in range(0, len(removals.revoked), _BATCH):
        credentials = await copy.read().credentials.find_many(removals.revoked[first : first + _BATCH])
        result.valid_again += [each.id for each in credentials if each.status is not CredentialStatus.REVOKED]
    return result


async def _find_removals(old: Database) -> _Removals | None:
    removals = _Removals()
    await old.connect()
    try:
        if (await old.migration_status()).pending:
            return None
        read = old.read()
        async for organisation in all_pages(read.organisations.page):
            async for credential in all_pages(partial(read.credentials.page, organisation.id, _REVOKED)):
                if credential.erased_at is None:
                    removals.revoked.append(credential.id)
                else:
                    removals.erased.append(credential)
            keys = all_pages(partial(read.api_keys.page, organisation.id))
            removals.api_keys += [key async for key in keys if key.revoked_at is not None]
        signing_keys = all_pages(read.signing_keys.page)
        removals.signing_keys += [key async for key in signing_keys if key.compromised_at is not None]
    finally:
        await old.disconnect()
    return removals


async def _erase(copy: Database, services: Services, credential: Credential) -> bool:
    current = await copy.read().credentials.find(credential.id)
    if current is None or current.erased_at is not None:
        return False
    try:
        await services.erasing.erase_credential(acting_for(credential.organisation_id), credential.id)
    except CredentialErased:  # already erased with the credential that it endorses
        return False
    return True


async def _revoke(tx: Transaction, *, key: ApiKey) -> bool:
    current = await tx.api_keys.find(key.id)
    if current is None or current.revoked_at is not None or key.revoked_at is None:
        return False
    revoked = await tx.api_keys.revoke(key.id, at=key.revoked_at)
    await record(tx, acting_for(key.organisation_id), Action.API_KEY_REVOKED, key.id, before=current, after=revoked)
    return True


async def _mark_compromised(tx: Transaction, *, key: SigningKey) -> bool:
    current = await tx.signing_keys.find(key.id)
    if current is None or key.compromised_at is None:
        return False
    marked = current.compromised(since=key.compromised_at, at=key.retired_at or key.compromised_at)
    if marked == current:
        return False
    await tx.signing_keys.update(marked)
    await record(
        tx, acting_for(key.organisation_id), Action.SIGNING_KEY_COMPROMISED, key.id, before=current, after=marked
    )
    return True

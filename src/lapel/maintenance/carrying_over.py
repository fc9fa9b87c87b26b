"""What must not come back with a backup: what the database that gives way has taken away for good."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
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
from lapel.maintenance.examining import Services, Surroundings, organisations
from lapel.maintenance.staging import state_of
from lapel.services.auditing.recording import record

__all__ = ["CarriedOver", "carry_over"]

_PAGE: Final = 500
_REVOKED: Final = CredentialFilter(status=CredentialStatus.REVOKED)


@dataclass(slots=True)
class CarriedOver:
    """What was done again, and what was not.

    Attributes:
        erased: credentials that had been erased.
        api_keys: those that had been revoked.
        signing_keys: those that had been marked as compromised, or since an earlier time.
        valid_again: credentials that had been revoked, and are not any more.
        seen: of the database that gives way, its `lapel.maintenance.staging.state_of` when it was looked at.
    """

    erased: int = 0
    api_keys: int = 0
    signing_keys: int = 0
    valid_again: list[UUID] = field(default_factory=list)
    seen: Sequence[object] = ()


@dataclass(slots=True)
class _TakenAway:
    erased: list[Credential] = field(default_factory=list)
    revoked: list[UUID] = field(default_factory=list)
    api_keys: list[ApiKey] = field(default_factory=list)
    signing_keys: list[SigningKey] = field(default_factory=list)


async def carry_over(
    own: Path, copy: Database, services: Services, surroundings: Surroundings, tell: Callable[[str], None]
) -> CarriedOver | None:
    """Take away again from `copy` what the database in `own` has taken away since. None if that cannot be read.

    A revocation of a credential is told and not repeated: it may be what the backup is to undo.
    """
    tell("what was taken away since")
    try:
        taken = await _taken_away(surroundings.open(own))
    except DatabaseError:  # it is not there, damaged, or of another version
        return None
    if taken is None:
        return None
    done = CarriedOver(seen=state_of(own, copy.companions))
    for credential in taken.erased:
        done.erased += await _erase(copy, services, credential)
    for key in taken.api_keys:
        done.api_keys += await copy.run(partial(_revoke, key=key))
    for signing_key in taken.signing_keys:
        mark = partial(_mark_compromised, key=signing_key)
        done.signing_keys += await copy.run(mark, isolation=Isolation.SERIALIZABLE)
    for first in range(0, len(taken.revoked), _PAGE):
        there = await copy.read().credentials.find_many(taken.revoked[first : first + _PAGE])
        done.valid_again += [one.id for one in there if one.status is not CredentialStatus.REVOKED]
    return done


async def _taken_away(old: Database) -> _TakenAway | None:
    found = _TakenAway()
    await old.connect()
    try:
        if (await old.migration_status()).pending:
            return None
        read = old.read()
        async for organisation in organisations(old):
            async for credential in _revoked(old, organisation.id):
                if credential.erased_at is None:
                    found.revoked.append(credential.id)
                else:
                    found.erased.append(credential)
            before = None
            while keys := await read.api_keys.page(organisation.id, before=before, limit=_PAGE):
                found.api_keys += [key for key in keys if key.revoked_at is not None]
                before = keys[-1].id
        before = None
        while signing_keys := await read.signing_keys.page(before=before, limit=_PAGE):
            found.signing_keys += [key for key in signing_keys if key.compromised_at is not None]
            before = signing_keys[-1].id
    finally:
        await old.disconnect()
    return found


async def _revoked(old: Database, organisation_id: UUID) -> AsyncIterator[Credential]:
    before = None
    while page := await old.read().credentials.page(organisation_id, _REVOKED, before=before, limit=_PAGE):
        for credential in page:
            yield credential
        before = page[-1].id


async def _erase(copy: Database, services: Services, credential: Credential) -> bool:
    there = await copy.read().credentials.find(credential.id)
    if there is None or there.erased_at is not None:
        return False
    try:
        await services.erasing.erase_credential(acting_for(credential.organisation_id), credential.id)
    except CredentialErased:  # with what it endorses
        return False
    return True


async def _revoke(tx: Transaction, *, key: ApiKey) -> bool:
    there = await tx.api_keys.find(key.id)
    if there is None or there.revoked_at is not None or key.revoked_at is None:
        return False
    revoked = await tx.api_keys.revoke(key.id, at=key.revoked_at)
    await record(tx, acting_for(key.organisation_id), Action.API_KEY_REVOKED, key.id, before=there, after=revoked)
    return True


async def _mark_compromised(tx: Transaction, *, key: SigningKey) -> bool:
    there = await tx.signing_keys.find(key.id)
    if there is None or key.compromised_at is None:
        return False
    marked = there.compromised(since=key.compromised_at, at=key.retired_at or key.compromised_at)
    if marked == there:
        return False
    await tx.signing_keys.update(marked)
    await record(
        tx, acting_for(key.organisation_id), Action.SIGNING_KEY_COMPROMISED, key.id, before=there, after=marked
    )
    return True

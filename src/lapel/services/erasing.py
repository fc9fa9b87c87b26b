"""Erase recipients: what is known of them goes; that a credential was issued, and its position in a list, stay.

An erased credential is revoked. Whoever holds a copy has all of it still, and this server can no longer say of whom it
speaks: its issuer does not stand by it any more, and that is what every verifier is told. Its
position is never used again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import UUID

from lapel.credentials.key_storage.master_key import RECIPIENT_LOOK_UP, MasterKey
from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action
from lapel.domain.credential import Credential, CredentialErased
from lapel.domain.ports import Clock, ErasableCache, IdSource, Store, Transaction
from lapel.errors import NotFound
from lapel.openbadges.identity import Recipient, RecipientType, lookup_hash, read_recipient
from lapel.openbadges.problems import Problems
from lapel.services.auditing.recording import entry_of
from lapel.services.issue_keys import IssueKeys
from lapel.services.requests import ErasedIdentity

__all__ = ["LAST_ERASURE", "Erasing", "recipient_of"]

LAST_ERASURE: Final = "last_erasure"
"""The server fact that is another one after each erasure: by it every process knows that it has something to forget."""

_AT_ONCE: Final = 500
"""Credentials and endorsements that are looked at in one transaction."""


class Erasing:
    """Takes away what is kept of recipients."""

    def __init__(
        self, *, store: Store, clock: Clock, new_id: IdSource, addresses: Addresses, master_key: MasterKey
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._addresses = addresses
        self._master_key = master_key
        self._issue_keys = IssueKeys(master_key)
        self._forgetful: list[ErasableCache] = []

    def forget_in(self, kept: ErasableCache) -> None:
        """Have `kept` forget, after each erasure by this process, what it has in memory."""
        self._forgetful.append(kept)

    async def erase_credential(self, principal: Principal, credential_id: UUID) -> Sequence[UUID]:
        """Erase one credential, and before it the organisation's endorsements of it. What was erased.

        Of more than 500 some are gone already where it fails; asking again goes on.

        Raises:
            Forbidden: no scope ``recipients:erase``.
            NotFound: the organisation has no such credential.
            CredentialErased: it has been erased before.
        """
        principal.require(Scope.RECIPIENTS_ERASE)
        credential = await self._store.read().credentials.get(credential_id)
        if credential.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no credential {credential_id}.")
        async with self._forgotten():
            erased = await self._erase(principal, [credential_id])
        if credential_id not in erased:  # somebody else has, since it was read
            raise CredentialErased(f"Credential {credential_id} has been erased.")
        return erased

    async def erase_recipient(self, principal: Principal, request: ErasedIdentity) -> Sequence[UUID]:
        """Erase every credential that the organisation has issued to that identity. What was erased; maybe nothing.

        In one transaction, up to 500 with their endorsements; more than that in several, one after another. Where it
        fails between them, asking again goes on.

        Raises:
            Forbidden: no scope ``recipients:erase``.
            InvalidInput: it is no identity of that type.
        """
        principal.require(Scope.RECIPIENTS_ERASE)
        sought, read = self._look_up(recipient_of(request)), self._store.read().credentials
        erased: list[UUID] = []
        async with self._forgotten():
            while found := await read.ids_of_recipient(principal.organisation_id, sought, limit=_AT_ONCE):
                erased += await self._erase(principal, found)
        return erased

    @asynccontextmanager
    async def _forgotten(self) -> AsyncGenerator[None, None]:
        """Forget and overwrite what is erased within, also where that fails half way."""
        try:
            yield
        finally:
            for kept in self._forgetful:
                kept.forget()
            await self._store.scrub()

    async def _erase(self, principal: Principal, wanted: Sequence[UUID]) -> list[UUID]:
        """Those of `wanted` that nobody else has just erased, and what endorses them, in steps."""
        erased, waiting = list[UUID](), sorted(wanted)
        while waiting:
            step = partial(self._step, principal=principal, before=tuple(waiting))
            done, waiting = await self._store.run(step)
            erased += done
        return erased

    async def _step(
        self, tx: Transaction, *, principal: Principal, before: Sequence[UUID]
    ) -> tuple[list[UUID], list[UUID]]:
        """What was erased, and what is still to be: the last of it first, and each one only after what endorses it.

        For endorsements are found by what they endorse; were that erased first, nobody could go on after a crash.
        """
        waiting, known, erased = list(before), set(before), list[UUID]()
        for _ in range(_AT_ONCE):
            if not waiting:
                break
            # Locked before: whoever endorses it now has done so already, and is found, or finds it erased.
            credentials = await tx.credentials.find_many([waiting[-1]], lock=True)
            found = await self._endorsements(tx, principal, waiting[-1])
            if above := [one for one in found if one not in known]:
                waiting += above
                known.update(above)
                continue
            waiting.pop()
            erased += [one.id for one in credentials if await self._erase_one(tx, one)]
        if erased:
            await self._note(tx, principal, erased)
        return erased, waiting

    async def _endorsements(self, tx: Transaction, principal: Principal, credential_id: UUID) -> Sequence[UUID]:
        """Some of those that are left."""
        address = Recipient(type=RecipientType.URL, identity=self._addresses.credential(credential_id), hashed=False)
        return await tx.credentials.ids_of_recipient(principal.organisation_id, self._look_up(address), limit=_AT_ONCE)

    async def _erase_one(self, tx: Transaction, credential: Credential) -> bool:
        """Whether it was there to be erased."""
        key = credential.issue_key
        kept = None if key is None else self._issue_keys.keyed(key)
        return await tx.credentials.erase(credential.id, at=self._clock(), issue_key=kept) is not None

    async def _note(self, tx: Transaction, principal: Principal, erased: Sequence[UUID]) -> None:
        entries = [entry_of(principal, Action.CREDENTIAL_ERASED, credential_id) for credential_id in erased]
        await tx.audit_log.record_many(entries)
        mark = self._new_id().bytes
        if await tx.server_facts.put_if_absent(LAST_ERASURE, mark) != mark:
            await tx.server_facts.replace(LAST_ERASURE, mark)

    async def last_erasure(self) -> bytes | None:
        """Something else after each erasure, by whatever process; a second late at the most."""
        return await self._store.read().server_facts.recent(LAST_ERASURE)

    def _look_up(self, recipient: Recipient) -> bytes:
        return lookup_hash(recipient, key=self._master_key.derive(RECIPIENT_LOOK_UP))


def recipient_of(request: ErasedIdentity) -> Recipient:
    """Whom it names. Raises InvalidInput where it is no identity of that type."""
    problems = Problems()
    recipient = read_recipient(problems, "", type=request.type, identity=request.identity, hashed=None, name=None)
    problems.raise_any()
    assert recipient is not None  # or else there was a problem
    return recipient

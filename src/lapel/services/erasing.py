"""Erase recipients: their data is removed; that a credential was issued, and its status list position, stay.

An erased credential is revoked: copies of it still exist, but this server no longer knows whom it is about, so
its issuer no longer stands by it, and verifiers are told so. Its status list position is never used again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import UUID

from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action
from lapel.domain.credential import Credential, CredentialErased
from lapel.domain.ports import Clock, ErasableCache, IdSource, Store, Transaction
from lapel.services.auditing.recording import entry_of
from lapel.services.credentials import own_credential
from lapel.services.issue_keys import IssueKeys
from lapel.services.recipient_look_up import RecipientLookUp, named_by, recipient_to_find
from lapel.services.requests import ErasedIdentity

__all__ = ["LAST_ERASURE", "Erasing"]

LAST_ERASURE: Final = "last_erasure"
"""The server fact that changes with each erasure, so that every process notices and clears its caches."""

_STEP_SIZE: Final = 500
"""How many credentials and endorsements one transaction processes at most."""


class Erasing:
    """Erases the stored data of recipients."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: IdSource,
        addresses: Addresses,
        recipients: RecipientLookUp,
        issue_keys: IssueKeys,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._addresses = addresses
        self._recipients = recipients
        self._issue_keys = issue_keys
        self._caches: list[ErasableCache] = []

    def forget_in(self, cache: ErasableCache) -> None:
        """Clear `cache` after each erasure by this process."""
        self._caches.append(cache)

    async def erase_credential(self, principal: Principal, credential_id: UUID) -> Sequence[UUID]:
        """Erase one credential, and before it the organisation's endorsements of it. Return the erased ids.

        With more than 500 endorsements, a failure may leave some of them erased; a repetition continues from there.

        Raises:
            Forbidden: no scope ``recipients:erase``.
            NotFound: the organisation has no such credential.
            CredentialErased: the credential has been erased before.
        """
        principal.require(Scope.RECIPIENTS_ERASE)
        await own_credential(self._store, principal, credential_id)
        async with self._clearing_caches():
            erased = await self._erase(principal, [credential_id])
        if credential_id not in erased:  # another request erased it after it was read above
            raise CredentialErased(f"Credential {credential_id} has been erased.")
        return erased

    async def erase_recipient(self, principal: Principal, request: ErasedIdentity) -> Sequence[UUID]:
        """Erase every credential that the organisation has issued to this identity. Return the erased ids, if any.

        Up to 500, endorsements included, are erased in one transaction, and more in several, one after another. After
        a failure between two of them, a repetition continues from there.

        Raises:
            Forbidden: no scope ``recipients:erase``.
            InvalidInput: the text is not an identity of that type.
        """
        principal.require(Scope.RECIPIENTS_ERASE)
        look_up_value = self._recipients.value(recipient_to_find(request.type, request.identity))
        read = self._store.read().credentials
        erased: list[UUID] = []
        async with self._clearing_caches():
            while ids := await read.ids_of_recipient(principal.organisation_id, look_up_value, limit=_STEP_SIZE):
                erased += await self._erase(principal, ids)
        return erased

    @asynccontextmanager
    async def _clearing_caches(self) -> AsyncGenerator[None, None]:
        """Clear the caches and overwrite the erased data after the block, even if the block fails half way."""
        try:
            yield
        finally:
            for cache in self._caches:
                cache.forget()
            await self._store.scrub()

    async def _erase(self, principal: Principal, ids: Sequence[UUID]) -> list[UUID]:
        """Erase these credentials and their endorsements, in steps. Return those that no other request erased first."""
        erased, pending = list[UUID](), sorted(ids)
        while pending:
            step = partial(self._step, principal=principal, stack=tuple(pending))
            erased_now, pending = await self._store.run(step)
            erased += erased_now
        return erased

    async def _step(
        self, tx: Transaction, *, principal: Principal, stack: Sequence[UUID]
    ) -> tuple[list[UUID], list[UUID]]:
        """Erase from the end of `stack`, each credential after its endorsements. Return the erased and the pending ids.

        Endorsements are found by what they endorse: if that were erased first, a crash would leave them unfindable.
        """
        pending, seen, due = list(stack), set(stack), list[UUID]()
        found: dict[UUID, Credential] = {}

        async def lock(ids: Sequence[UUID]) -> None:
            found.update({credential.id: credential for credential in await tx.credentials.find_many(ids, lock=True)})

        # All are locked before the first status list is, as in other changes: two would otherwise wait for each other.
        await lock(pending[-_STEP_SIZE:])
        for _ in range(_STEP_SIZE):  # as many as are looked up at once, so the next step looks for those that are left
            if not pending:
                break
            # It is locked: a concurrent endorsement of it is either stored, and found here, or will find it erased.
            endorsements = await self._endorsements(tx, principal, pending[-1])
            if unseen := [endorsement_id for endorsement_id in endorsements if endorsement_id not in seen]:
                pending += unseen
                seen.update(unseen)
                await lock(unseen)
            else:
                due.append(pending.pop())
        keys = {each: self._kept_key(found[each]) for each in due if each in found}
        erased = [credential.id for credential in await tx.credentials.erase(keys, at=self._clock())]
        if erased:
            await self._record(tx, principal, erased)
        return erased, pending

    async def _endorsements(self, tx: Transaction, principal: Principal, credential_id: UUID) -> Sequence[UUID]:
        """Return some of the endorsements that are not erased yet."""
        look_up_value = self._recipients.value(named_by(self._addresses.credential(credential_id)))
        return await tx.credentials.ids_of_recipient(principal.organisation_id, look_up_value, limit=_STEP_SIZE)

    def _kept_key(self, credential: Credential) -> bytes | None:
        """Return the issue key that an erased credential keeps, so that it is not issued again."""
        digest = credential.issue_key
        return None if digest is None else self._issue_keys.keyed(digest)

    async def _record(self, tx: Transaction, principal: Principal, erased: Sequence[UUID]) -> None:
        entries = [entry_of(principal, Action.CREDENTIAL_ERASED, credential_id) for credential_id in erased]
        await tx.audit_log.record_many(entries)
        marker = self._new_id().bytes
        if await tx.server_facts.put_if_absent(LAST_ERASURE, marker) != marker:
            await tx.server_facts.replace(LAST_ERASURE, marker)

    async def last_erasure(self) -> bytes | None:
        """Return a value that changes with each erasure by any process; it may be up to a second out of date."""
        return await self._store.read().server_facts.recent(LAST_ERASURE)

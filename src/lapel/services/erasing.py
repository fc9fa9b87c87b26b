"""Erase recipients: what is known of them goes; that a credential was issued, and its position in a list, stay.

An erased credential is revoked. Whoever holds a copy has all of it still, and this server can no longer say of whom it
speaks: its issuer does not stand by it any more, and that is what every verifier is told. Its
position is never used again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from lapel.credentials.master_key import RECIPIENT_LOOK_UP, MasterKey
from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action
from lapel.domain.ports import Clock, IdSource, Store, Transaction
from lapel.errors import NotFound
from lapel.openbadges.identity import Recipient, RecipientType, look_up, read_recipient
from lapel.openbadges.problems import Problems
from lapel.services.auditing.recording import entry_of
from lapel.services.requests import ErasedIdentity

__all__ = ["LAST_ERASURE", "Erasing", "recipient_of"]

LAST_ERASURE: Final = "last_erasure"
"""The server fact that is another one after each erasure: by it every process knows that it has something to forget."""

_AT_ONCE: Final = 500
"""Credentials that are erased in one transaction, with the endorsements of each."""


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

    async def erase_credential(self, principal: Principal, credential_id: UUID) -> Sequence[UUID]:
        """Erase one credential, and the organisation's endorsements of it. What was erased.

        Raises:
            Forbidden: no scope ``recipients:erase``.
            NotFound: the organisation has no such credential.
            CredentialErased: it has been erased before.
        """
        principal.require(Scope.RECIPIENTS_ERASE)

        async def body(tx: Transaction) -> list[UUID]:
            credential = await tx.credentials.get(credential_id)
            if credential.organisation_id != principal.organisation_id:
                raise NotFound(f"There is no credential {credential_id}.")
            return await self._erase(tx, principal, [credential_id])

        erased = await self._store.run(body)
        await self._store.scrub()
        return erased

    async def erase_recipient(self, principal: Principal, request: ErasedIdentity) -> Sequence[UUID]:
        """Erase every credential that the organisation has issued to that identity. What was erased; maybe nothing.

        All of it in one transaction, up to 500 credentials; more than that in several, one after another.

        Raises:
            Forbidden: no scope ``recipients:erase``.
            InvalidInput: it is no identity of that type.
        """
        principal.require(Scope.RECIPIENTS_ERASE)
        sought = self._look_up(recipient_of(request))

        async def body(tx: Transaction) -> list[UUID]:
            found = await tx.credentials.ids_of_recipient(principal.organisation_id, sought, limit=_AT_ONCE)
            return await self._erase(tx, principal, found)

        erased: list[UUID] = []
        while some := await self._store.run(body):
            erased += some
        await self._store.scrub()
        return erased

    async def _erase(self, tx: Transaction, principal: Principal, wanted: Sequence[UUID]) -> list[UUID]:
        """Those of `wanted` that nobody else has just erased, and what endorses them."""
        now, erased, waiting = self._clock(), list[UUID](), list(wanted)
        while waiting:
            credential_id = waiting.pop()
            if await tx.credentials.erase(credential_id, at=now) is None:
                continue
            erased.append(credential_id)
            address = Recipient(
                type=RecipientType.URL, identity=self._addresses.credential(credential_id), hashed=False
            )
            waiting += await tx.credentials.ids_of_recipient(
                principal.organisation_id, self._look_up(address), limit=_AT_ONCE
            )
        if erased:
            entries = [entry_of(principal, Action.CREDENTIAL_ERASED, credential_id) for credential_id in erased]
            await tx.audit_log.record_many(entries)
            mark = self._new_id().bytes
            if await tx.server_facts.put_if_absent(LAST_ERASURE, mark) != mark:
                await tx.server_facts.replace(LAST_ERASURE, mark)
        return erased

    async def last_erasure(self) -> bytes | None:
        """Something else after each erasure, by whatever process; a second late at the most."""
        return await self._store.read().server_facts.recent(LAST_ERASURE)

    def _look_up(self, recipient: Recipient) -> bytes:
        return look_up(recipient, key=self._master_key.derive(RECIPIENT_LOOK_UP))


def recipient_of(request: ErasedIdentity) -> Recipient:
    """Whom it names. Raises InvalidInput where it is no identity of that type."""
    problems = Problems()
    recipient = read_recipient(problems, "", type=request.type, identity=request.identity, hashed=None, name=None)
    problems.raise_any()
    assert recipient is not None  # or else there was a problem
    return recipient

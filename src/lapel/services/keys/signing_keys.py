"""The life of signing keys: rotate, retire, mark as compromised, take in from elsewhere, hand out.

The public half of every key stays published for ever, so that what it signed verifies for ever.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from lapel.credentials import keys
from lapel.domain.access import Principal, Scope
from lapel.domain.audit import Action
from lapel.domain.clock import truncate
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.issuer import IdentityMethod, Issuer
from lapel.domain.ports import Clock, Isolation, KeyHolder, Store, Transaction
from lapel.domain.signing_key import KeyAlgorithm, KeyState, SigningKey
from lapel.errors import Conflict, FieldError, InvalidInput, NotFound, Unavailable
from lapel.openbadges.syntax import time_problem
from lapel.services.auditing.recording import record
from lapel.services.idempotency import done_once
from lapel.services.keys.believing import is_believed
from lapel.services.keys.key_ring import STILL_SIGNING, KeyRing, MasterKeyReplaced

__all__ = ["KeyIsIssuer", "KeyNotHeld", "KeyNotHere", "KeyStateFinal", "SigningKeys"]


_ACTIONS = {
    KeyState.RETIRED: Action.SIGNING_KEY_RETIRED,
    KeyState.COMPROMISED: Action.SIGNING_KEY_COMPROMISED,
}


class KeyIsIssuer(Conflict):
    """This key is what identifies the issuer (did:key): it can have no other, and no document can disown it."""

    code = "key_is_issuer"
    hint = "Create another issuer, and revoke what others may have signed; https and did:web issuers can change keys."


class KeyStateFinal(Conflict):
    """A key that has stopped signing cannot sign again."""

    code = "key_state_final"


class KeyNotHere(Conflict):
    """The private half of this key is not here: an outside signer holds it, and never hands it out."""

    code = "key_not_here"


class KeyNotHeld(InvalidInput):
    """This is a public key, and no outside signer has shown that it holds the private half."""

    code = "key_not_held"
    hint = "Give the private key, or set LAPEL_SIGNER_SOCKET to the signer that holds it."


class SigningKeys:
    """The keys of the organisation's issuers.

    Args:
        holder: the outside signer, if there is one.
    """

    def __init__(self, *, store: Store, clock: Clock, key_ring: KeyRing, holder: KeyHolder | None = None) -> None:
        self._store = store
        self._clock = clock
        self._key_ring = key_ring
        self._holder = holder

    async def of_issuer(self, principal: Principal, issuer_id: UUID) -> Sequence[SigningKey]:
        """Every key the issuer ever had, oldest first. Raises NotFound."""
        principal.require(Scope.READ)
        await self._issuer(principal, issuer_id)
        return await self._key_ring.public_keys(issuer_id)

    async def get(self, principal: Principal, key_id: UUID) -> SigningKey:
        """A key of the principal's organisation, whatever their rights. Raises NotFound."""
        key = await self._store.read().signing_keys.find(key_id)
        if key is None or key.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no signing key {key_id}.")
        return key

    async def is_believed(self, credential: Credential) -> bool:
        """Whether a credential's signature is to be believed: not where others knew the key by then."""
        return await is_believed(self._store, credential)

    async def rotate(
        self, principal: Principal, issuer_id: UUID, algorithm: KeyAlgorithm, *, once: IdempotentRequest | None = None
    ) -> SigningKey:
        """A new key, which signs from now on; the one before it is retired.

        Raises:
            Forbidden: no scope ``keys:admin``.
            KeyIsIssuer: it is the key of a did:key.
            Unavailable: the outside signer did not make one.
            DoneBefore: `once` was done already.
        """
        principal.require(Scope.KEYS_ADMIN)
        issuer = await self._issuer(principal, issuer_id)
        _require_changeable(issuer, algorithm)
        new = await self._key_ring.generate(issuer.id, issuer.organisation_id, algorithm)
        return await self._succeed(principal, issuer, new, once)

    async def take_in(
        self, principal: Principal, issuer_id: UUID, *, public_key: bytes, private_key: bytes | None
    ) -> SigningKey:
        """A key that was made elsewhere, which signs from now on; the one before it is retired.

        Args:
            public_key: SubjectPublicKeyInfo, DER.
            private_key: PKCS #8, DER; None where the outside signer holds it, which has to prove that.

        Raises:
            Conflict: the issuer has had this key before.
            KeyIsIssuer: it would take the place of the key of a did:key.
            KeyNotHeld: nobody here holds its private half.
            InvalidKey, UnsupportedKey: it is no key that we sign with.
        """
        principal.require(Scope.KEYS_ADMIN)
        issuer = await self._issuer(principal, issuer_id)
        algorithm = keys.algorithm_of(keys.load_public(public_key))
        _require_changeable(issuer, algorithm)
        if private_key is None:
            await self._prove(public_key)
        new = self._key_ring.record(
            issuer.id, issuer.organisation_id, algorithm, public_key=public_key, private_key=private_key
        )
        return await self._succeed(principal, issuer, new)

    async def retire(
        self, principal: Principal, issuer_id: UUID, key_id: UUID, *, once: IdempotentRequest | None = None
    ) -> SigningKey:
        """The key signs no more, and has a successor at once.

        Raises:
            KeyStateFinal: it is compromised.
            KeyIsIssuer: it is the key of a did:key.
        """
        principal.require(Scope.KEYS_ADMIN)
        issuer = await self._issuer(principal, issuer_id)

        def retired(key: SigningKey) -> SigningKey:
            if key.state is KeyState.COMPROMISED:
                raise KeyStateFinal("The key is compromised, which is worse than retired.")
            return key.retired(at=self._clock())

        return await self._change(principal, issuer, key_id, retired, once)

    async def compromise(
        self,
        principal: Principal,
        issuer_id: UUID,
        key_id: UUID,
        *,
        since: datetime | None = None,
        once: IdempotentRequest | None = None,
    ) -> SigningKey:
        """Others know the key: what is dated from `since` on is not to be believed.

        Without a time that is when no process signs with it any more: whatever is issued meanwhile, by a process that
        has not heard of it yet, is good. Of two times the earlier one counts. The key signs no more, and its successor
        is made at once, or when that can be.

        Raises:
            KeyIsIssuer: it is the key of a did:key.
            InvalidInput: `since` is in the future, or cannot be kept.
        """
        principal.require(Scope.KEYS_ADMIN)
        issuer = await self._issuer(principal, issuer_id)
        now = self._clock()
        problem = None if since is None else time_problem(since) or ("must not be in the future" if since > now else "")
        if problem:
            raise InvalidInput(f"`since` {problem}.", errors=[FieldError("/since", problem, "bad_time")])
        moment = None if since is None else truncate(since)

        def compromised(key: SigningKey) -> SigningKey:
            # Not the time of the call: there may be others to wait for before it is stored.
            now = self._clock()
            return key.compromised(since=now + STILL_SIGNING if moment is None else moment, at=now)

        # It is told even where nothing can make the successor now: the signer itself may be what was broken into.
        return await self._change(principal, issuer, key_id, compromised, once, urgent=True)

    async def private_half(self, principal: Principal, key_id: UUID) -> bytes:
        """The private key (PKCS #8, DER), not encrypted: whoever has it signs in the issuer's name.

        Raises:
            NotFound: the organisation has no such key.
            KeyNotHere: an outside signer holds it.
        """
        principal.require(Scope.KEYS_ADMIN)
        key = await self.get(principal, key_id)
        private = self._key_ring.private_half(key)
        if private is None:
            raise KeyNotHere
        await self._store.run(lambda tx: record(tx, principal, Action.SIGNING_KEY_EXPORTED, key_id))
        return private

    async def _succeed(
        self, by: Principal, issuer: Issuer, new: SigningKey, once: IdempotentRequest | None = None
    ) -> SigningKey:
        """Store `new` in the place of the active key."""

        async def body(tx: Transaction) -> SigningKey:
            for key in await tx.signing_keys.of_issuer(issuer.id):
                if key.public_key == new.public_key and key.id != new.id:
                    raise Conflict(f"The issuer has this key already, as {key.id}; it is {key.state.value}.")
                if key.algorithm is new.algorithm and key.state is KeyState.ACTIVE and key.id != new.id:
                    await self._update(tx, by, key, key.retired(at=self._clock()))
            return await self._key_ring.add(tx, new, by=by)

        return await self._run(issuer, once, body, new.id)

    async def _change(
        self,
        by: Principal,
        issuer: Issuer,
        key_id: UUID,
        change: Callable[[SigningKey], SigningKey],
        once: IdempotentRequest | None,
        *,
        urgent: bool = False,
    ) -> SigningKey:
        """Store the changed key. Status lists are signed whenever they are asked for, and whoever asks may know the
        issuer's document already: so that the key's successor stands in it, that is made at the same time.
        """
        successor = None
        found = await self._store.read().signing_keys.find(key_id)
        if found is None or found.issuer_id != issuer.id:
            raise NotFound(f"Issuer {issuer.id} has no key {key_id}.")
        _require_changeable(issuer, found.algorithm)
        if found.state is KeyState.ACTIVE:
            try:
                successor = await self._key_ring.generate(issuer.id, issuer.organisation_id, found.algorithm)
            except Unavailable:
                if not urgent:
                    raise

        async def body(tx: Transaction) -> SigningKey:
            key = await tx.signing_keys.find(key_id)
            assert key is not None  # none is ever taken away
            changed = change(key)
            if changed != key:
                await self._update(tx, by, key, changed)
            if successor is not None:
                try:
                    await self._key_ring.add(tx, successor, by=by)
                except MasterKeyReplaced:  # before it has stored anything
                    if not urgent:
                        raise
            return changed

        return await self._run(issuer, once, body, key_id)

    async def _run(
        self,
        issuer: Issuer,
        once: IdempotentRequest | None,
        body: Callable[[Transaction], Awaitable[SigningKey]],
        key_id: UUID,
    ) -> SigningKey:
        try:
            return await done_once(self._store, once, body, key_id, isolation=Isolation.SERIALIZABLE, idempotent=True)
        finally:  # also where it was done before, or nobody knows whether it is: another key may be the active one
            self._key_ring.forget(issuer.id)

    async def _update(self, tx: Transaction, by: Principal, before: SigningKey, after: SigningKey) -> None:
        await tx.signing_keys.update(after)
        await record(tx, by, _ACTIONS[after.state], after.id, before=before, after=after)

    async def _issuer(self, principal: Principal, issuer_id: UUID) -> Issuer:
        issuer = await self._store.read().issuers.get(issuer_id)
        if issuer.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no issuer {issuer_id}.")
        return issuer

    async def _prove(self, public_key: bytes) -> None:
        """Let the outside signer show that it holds the key. It checks each of its signatures itself."""
        if self._holder is None:
            raise KeyNotHeld
        await self._holder.signer(public_key).sign(b"Lapel: this key is held here. " + os.urandom(16))


def _require_changeable(issuer: Issuer, algorithm: KeyAlgorithm) -> None:
    """Raise KeyIsIssuer where that key is the issuer's name; with RSA it signs Open Badges 2.0 as all do."""
    if issuer.identity is IdentityMethod.DID_KEY and algorithm is KeyAlgorithm.ED25519:
        raise KeyIsIssuer

"""Manages signing keys: rotate, retire, mark as compromised, import and export them.

The public half of every key stays published for ever, so that its signatures verify for ever.
"""

from __future__ import annotations

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
from lapel.services.keys.key_ring import STILL_SIGNING, KeyRing, MasterKeyReplaced, prove_held
from lapel.services.keys.trust import is_trusted

__all__ = ["KeyIsIssuer", "KeyNotExportable", "KeyStateFinal", "PrivateHalfMissing", "SigningKeys"]


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


class KeyNotExportable(Conflict):
    """This key cannot be exported: an outside signer holds its private half, and never hands it out."""

    code = "key_not_here"


class PrivateHalfMissing(InvalidInput):
    """This is a public key, and no outside signer has shown that it holds the private half."""

    code = "key_not_held"
    hint = "Give the private key, or set LAPEL_SIGNER_SOCKET to the signer that holds it."


class SigningKeys:
    """Manages the keys of an organisation's issuers.

    Args:
        holder: the outside signer, if there is one.
    """

    def __init__(self, *, store: Store, clock: Clock, key_ring: KeyRing, holder: KeyHolder | None = None) -> None:
        self._store = store
        self._clock = clock
        self._key_ring = key_ring
        self._holder = holder

    async def of_issuer(self, principal: Principal, issuer_id: UUID) -> Sequence[SigningKey]:
        """Return every key the issuer ever had, oldest first. Raises NotFound."""
        principal.require(Scope.READ)
        await self._issuer(principal, issuer_id)
        return await self._key_ring.public_keys(issuer_id)

    async def get(self, principal: Principal, key_id: UUID) -> SigningKey:
        """Return a key of the principal's organisation, without requiring a scope. Raises NotFound."""
        key = await self._store.read().signing_keys.find(key_id)
        if key is None or key.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no signing key {key_id}.")
        return key

    async def is_trusted(self, credential: Credential) -> bool:
        """Return whether the credential's key was not yet compromised when it was signed."""
        return await is_trusted(self._store, credential)

    async def rotate(
        self, principal: Principal, issuer_id: UUID, algorithm: KeyAlgorithm, *, once: IdempotentRequest | None = None
    ) -> SigningKey:
        """Generate a key that signs from now on, and retire the active one. Return the new key.

        Raises:
            Forbidden: no scope ``keys:admin``.
            KeyIsIssuer: it would replace the key of a did:key.
            Unavailable: the outside signer did not generate a key.
            DoneBefore: the request `once` was completed before.
        """
        principal.require(Scope.KEYS_ADMIN)
        issuer = await self._issuer(principal, issuer_id)
        _require_changeable(issuer, algorithm)
        new = await self._key_ring.generate(issuer.id, issuer.organisation_id, algorithm)
        return await self._activate(principal, issuer, new, once)

    async def import_key(
        self, principal: Principal, issuer_id: UUID, *, public_key: bytes, private_key: bytes | None
    ) -> SigningKey:
        """Import a key that signs from now on, and retire the active one. Return the new key.

        Args:
            public_key: SubjectPublicKeyInfo, DER.
            private_key: PKCS #8, DER; None if the outside signer holds it, which must prove that by a signature.

        Raises:
            Forbidden: no scope ``keys:admin``.
            Conflict: the issuer has had this key before.
            KeyIsIssuer: it would replace the key of a did:key.
            PrivateHalfMissing: it was not given, and there is no outside signer that may hold it.
            InvalidKey, UnsupportedKey: it is not a key of a supported algorithm.
        """
        principal.require(Scope.KEYS_ADMIN)
        issuer = await self._issuer(principal, issuer_id)
        algorithm = keys.algorithm_of(keys.load_public(public_key))
        _require_changeable(issuer, algorithm)
        if private_key is None:
            await self._require_held(public_key)
        new = self._key_ring.record(
            issuer.id, issuer.organisation_id, algorithm, public_key=public_key, private_key=private_key
        )
        return await self._activate(principal, issuer, new)

    async def retire(
        self, principal: Principal, issuer_id: UUID, key_id: UUID, *, once: IdempotentRequest | None = None
    ) -> SigningKey:
        """Retire the key, so that it no longer signs, and generate its successor. Return the retired key.

        Raises:
            KeyStateFinal: the key is compromised.
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
        """Mark the key as compromised, so that its signatures from `since` on are not trusted. Return the key.

        Without `since`, it is the time when no process signs with the key any more, so that what another process issues
        before it notices stays valid. A key that is marked twice keeps the earlier time. The key no longer signs, and
        its successor is generated at once, or later if that is not possible now.

        Raises:
            KeyIsIssuer: it is the key of a did:key.
            InvalidInput: `since` is in the future, or cannot be stored.
        """
        principal.require(Scope.KEYS_ADMIN)
        issuer = await self._issuer(principal, issuer_id)
        now = self._clock()
        problem = None if since is None else time_problem(since) or ("must not be in the future" if since > now else "")
        if problem:
            raise InvalidInput(f"`since` {problem}.", errors=[FieldError("/since", problem, "bad_time")])
        moment = None if since is None else truncate(since)

        def compromised(key: SigningKey) -> SigningKey:
            # Not the time of the call, because the transaction may have waited for others.
            now = self._clock()
            return key.compromised(since=now + STILL_SIGNING if moment is None else moment, at=now)

        # Urgent: it is published even if no successor can be generated, as the signer itself may be compromised.
        return await self._change(principal, issuer, key_id, compromised, once, urgent=True)

    async def private_half(self, principal: Principal, key_id: UUID) -> bytes:
        """Export the private key (PKCS #8, DER), unencrypted: anybody who has it can sign in the issuer's name.

        Raises:
            NotFound: the organisation has no such key.
            KeyNotExportable: an outside signer holds it.
        """
        principal.require(Scope.KEYS_ADMIN)
        key = await self.get(principal, key_id)
        private = self._key_ring.private_half(key)
        if private is None:
            raise KeyNotExportable
        await self._store.run(lambda tx: record(tx, principal, Action.SIGNING_KEY_EXPORTED, key_id))
        return private

    async def _activate(
        self, by: Principal, issuer: Issuer, new: SigningKey, once: IdempotentRequest | None = None
    ) -> SigningKey:
        """Store `new`, and retire the active key of the same algorithm."""

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
        """Store the changed key and the successor of an active one.

        The successor is stored at the same time, so that the issuer's document names it before anything is signed with
        it: a verifier that asks for a status list, which is signed on request, may already have cached the document.

        Args:
            urgent: store the change even if no successor can be generated.
        """
        successor = None
        current = _require_of(issuer, key_id, await self._store.read().signing_keys.find(key_id))
        _require_changeable(issuer, current.algorithm)
        if current.state is KeyState.ACTIVE:
            try:
                successor = await self._key_ring.generate(issuer.id, issuer.organisation_id, current.algorithm)
            except Unavailable:
                if not urgent:
                    raise

        async def body(tx: Transaction) -> SigningKey:
            # Looked up again, because somebody may have deleted the issuer with its keys.
            key = _require_of(issuer, key_id, await tx.signing_keys.find(key_id))
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
        finally:  # also after an error: with DoneBefore or an unknown outcome, another key may be active now
            self._key_ring.forget(issuer.id)

    async def _update(self, tx: Transaction, by: Principal, before: SigningKey, after: SigningKey) -> None:
        await tx.signing_keys.update(after)
        await record(tx, by, _ACTIONS[after.state], after.id, before=before, after=after)

    async def _issuer(self, principal: Principal, issuer_id: UUID) -> Issuer:
        issuer = await self._store.read().issuers.get(issuer_id)
        if issuer.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no issuer {issuer_id}.")
        return issuer

    async def _require_held(self, public_key: bytes) -> None:
        if self._holder is None:
            raise PrivateHalfMissing
        await prove_held(self._holder, public_key)


def _require_of(issuer: Issuer, key_id: UUID, key: SigningKey | None) -> SigningKey:
    """Return the key that was found under `key_id`. Raise NotFound if there is none, or it is another issuer's."""
    if key is None or key.issuer_id != issuer.id:
        raise NotFound(f"Issuer {issuer.id} has no key {key_id}.")
    return key


def _require_changeable(issuer: Issuer, algorithm: KeyAlgorithm) -> None:
    """Raise KeyIsIssuer for a did:key, which has no other key but an RSA key that signs Open Badges 2.0."""
    if issuer.identity is IdentityMethod.DID_KEY and algorithm is not KeyAlgorithm.RSA:
        raise KeyIsIssuer

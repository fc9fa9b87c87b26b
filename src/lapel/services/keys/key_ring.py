"""Signing keys: generated on first use, encrypted at rest, decrypted once and cached in memory.

With a `KeyHolder`, new keys are generated there, and the database holds only their public halves.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from lapel.credentials import keys
from lapel.credentials.key_storage.master_key import MasterKey, WrongMasterKey
from lapel.domain.access import SERVER, Principal
from lapel.domain.audit import Action
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Clock, IdSource, Isolation, KeyHolder, Signer, Store, Transaction
from lapel.domain.signing_key import KeyAlgorithm, KeyState, SigningKey
from lapel.errors import Unavailable
from lapel.services.auditing.recording import record
from lapel.services.bounded_cache import BoundedCache
from lapel.services.keys.master_key import CHECK_VALUE
from lapel.services.single_flight import SingleFlight

__all__ = ["STILL_SIGNING", "KeyRing", "LoadedKey", "MasterKeyReplaced", "SignerNotConfigured", "prove_held"]

_FRESH: Final = timedelta(seconds=1)
"""How long the active key is cached before the database is asked again, as another process may have rotated it."""

STILL_SIGNING: Final = 2 * _FRESH
"""How long another process may go on signing with a retired key: until its cache expires, plus some clock skew."""


class SignerNotConfigured(Unavailable):
    """The private half of this signing key is held by an outside signer, which this process was started without."""

    code = "key_held_elsewhere"
    hint = "Set LAPEL_SIGNER_SOCKET to that signer and start the server again, or rotate the key."


class MasterKeyReplaced(WrongMasterKey, Unavailable):
    """Signing keys are encrypted under a different master key from the one this process was started with."""

    code = "master_key_replaced"
    hint = "Restart the server with the master key that the database has now."


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A key that can sign.

    Attributes:
        key: its record; `key.public_key` is the public half.
        signer: holds the private half.
        multibase: the public half as a Multikey; None for RSA.
        private: the private half (PKCS #8, DER), for the signing process; None if a signer outside holds it.
    """

    key: SigningKey
    signer: Signer
    multibase: str | None
    private: bytes | None = field(default=None, repr=False)


class _MemorySigner:
    """A private key in this process (`lapel.domain.ports.Signer`)."""

    def __init__(self, signer: keys.LocalSigner) -> None:
        self._signer = signer

    @property
    def algorithm(self) -> KeyAlgorithm:
        return self._signer.algorithm

    async def sign(self, data: bytes) -> bytes:
        # Elliptic curves take about 30 microseconds, less than a switch to a thread; RSA takes milliseconds.
        if self.algorithm is KeyAlgorithm.RSA:
            return await asyncio.to_thread(self._signer.sign, data)
        return self._signer.sign(data)


class KeyRing:
    """The signing keys of every issuer.

    Args:
        holder: generates and holds the keys instead of this process and its database.
        capacity: how many decrypted keys to cache.
    """

    def __init__(
        self,
        *,
        store: Store,
        master_key: MasterKey,
        clock: Clock,
        new_id: IdSource,
        holder: KeyHolder | None = None,
        capacity: int = 1024,
    ) -> None:
        self._store = store
        self._master_key = master_key
        self._holder = holder
        self._clock = clock
        self._new_id = new_id
        self._active: BoundedCache[tuple[int, UUID, KeyAlgorithm], tuple[LoadedKey, datetime]] = BoundedCache(capacity)
        self._loaded: BoundedCache[tuple[int, UUID], LoadedKey] = BoundedCache(capacity)
        self._flight = SingleFlight()
        self._changes = 0

    async def ensure(self, issuer: Issuer, algorithm: KeyAlgorithm) -> LoadedKey:
        """Return the issuer's active key of this algorithm. The first use generates it, once for concurrent calls."""
        if (cached := self._fresh(issuer.id, algorithm)) is not None:
            return cached
        async with self._flight.one((issuer.id, algorithm)):
            if (cached := self._fresh(issuer.id, algorithm)) is not None:
                return cached
            while True:
                read_at, changes = self._clock(), self._changes
                loaded = self._load(await self._find_or_create(issuer, algorithm))
                if changes == self._changes:  # otherwise the key may have been read before a change
                    self._active[self._store.generation, issuer.id, algorithm] = (loaded, read_at)
                    return loaded

    async def _find_or_create(self, issuer: Issuer, algorithm: KeyAlgorithm) -> SigningKey:
        async with self._store.transaction(read_only=True) as tx:
            key = await tx.signing_keys.find_active(issuer.id, algorithm)
        if key is not None:
            return key
        new = await self.generate(issuer.id, issuer.organisation_id, algorithm)
        return await self._store.run(lambda tx: self.add(tx, new), isolation=Isolation.SERIALIZABLE, idempotent=True)

    async def generate(self, issuer_id: UUID, organisation_id: UUID, algorithm: KeyAlgorithm) -> SigningKey:
        """Generate an active key, not stored yet. RSA takes up to a second, on a thread; a holder may take longer."""
        if self._holder is not None:
            public = await self._holder.create(algorithm)
            await prove_held(self._holder, public)
            return self.record(issuer_id, organisation_id, algorithm, public_key=public, private_key=None)
        if algorithm is KeyAlgorithm.RSA:
            pair = await asyncio.to_thread(keys.generate, algorithm)
        else:
            pair = keys.generate(algorithm)
        return self.record(
            issuer_id, organisation_id, algorithm, public_key=pair.public_key, private_key=pair.private_key
        )

    def record(
        self,
        issuer_id: UUID,
        organisation_id: UUID,
        algorithm: KeyAlgorithm,
        *,
        public_key: bytes,
        private_key: bytes | None,
    ) -> SigningKey:
        """Return the record of an active key, not stored yet, with its private half (PKCS #8, DER) encrypted."""
        key_id = self._new_id()
        return SigningKey(
            id=key_id,
            organisation_id=organisation_id,
            issuer_id=issuer_id,
            algorithm=algorithm,
            public_key=public_key,
            private_key_encrypted=None
            if private_key is None
            else self._master_key.wrap(private_key, associated_data=key_id.bytes),
            state=KeyState.ACTIVE,
            created_at=self._clock(),
        )

    async def add(self, tx: Transaction, key: SigningKey, *, by: Principal = SERVER) -> SigningKey:
        """Store a new key unless one is active already, and return the active key. `tx` must be serialisable.

        Args:
            by: who requested it; the server itself, for a key that is generated on first use.

        Raises:
            MasterKeyReplaced: the key is encrypted under a master key that has been replaced.
        """
        check_value = await tx.server_facts.find(CHECK_VALUE)
        if check_value is not None:
            try:
                self._master_key.check(check_value)
            except WrongMasterKey as error:
                raise MasterKeyReplaced from error
        active = await tx.signing_keys.create_if_none_active(key)
        if active.id == key.id:
            owner = key.organisation_id
            await record(tx, by, Action.SIGNING_KEY_CREATED, key.id, after=key, organisation_id=owner)
        return active

    def private_half(self, key: SigningKey) -> bytes | None:
        """Return the private key (PKCS #8, DER); None if a signer outside holds it.

        Raises:
            MasterKeyReplaced, UnreadableEnvelope: it cannot be decrypted.
        """
        if key.private_key_encrypted is None:
            return None
        try:
            return self._master_key.unwrap(key.private_key_encrypted, associated_data=key.id.bytes)
        except WrongMasterKey as error:
            raise MasterKeyReplaced from error

    def forget(self, issuer_id: UUID) -> None:
        """Drop the issuer's active keys from the cache, after a change; the next use reads them again."""
        self._changes += 1
        for algorithm in KeyAlgorithm:
            self._active.pop((self._store.generation, issuer_id, algorithm), None)

    async def public_keys(self, issuer_id: UUID) -> Sequence[SigningKey]:
        """Return every key the issuer ever had, oldest first, including retired and compromised ones."""
        return await self._store.read().signing_keys.of_issuer(issuer_id)

    def _fresh(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> LoadedKey | None:
        cached = self._active.get((self._store.generation, issuer_id, algorithm))
        if cached is None or not abs(self._clock() - cached[1]) < _FRESH:
            return None
        return cached[0]

    def _load(self, key: SigningKey) -> LoadedKey:
        cache_key = (self._store.generation, key.id)
        if (loaded := self._loaded.get(cache_key)) is not None:
            return loaded
        private = self.private_half(key)
        multibase = None if key.algorithm is KeyAlgorithm.RSA else keys.multikey(key.public_key)
        if private is not None:
            signer: Signer = _MemorySigner(keys.LocalSigner(private, checked=True))
        elif self._holder is not None:
            signer = self._holder.signer(key.public_key)
        else:
            raise SignerNotConfigured
        loaded = LoadedKey(key, signer, multibase, private)
        self._loaded[cache_key] = loaded
        return loaded


async def prove_held(holder: KeyHolder, public_key: bytes) -> None:
    """Have the outside signer prove that it holds the key, before it is stored. Its client verifies each signature."""
    await holder.signer(public_key).sign(b"Lapel: this key is held here. " + os.urandom(16))

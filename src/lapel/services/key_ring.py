"""Signing keys: made on first use, encrypted at rest, decrypted once and kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from lapel.credentials import keys
from lapel.credentials.master_key import MasterKey
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Clock, IdSource, Signer, Store
from lapel.domain.signing_key import KeyAlgorithm, KeyState, SigningKey
from lapel.errors import Unavailable
from lapel.services.recent import Recent
from lapel.services.single_flight import SingleFlight

__all__ = ["KeyRing", "LoadedKey"]

_FRESH: Final = timedelta(seconds=30)
"""After so long the database is asked again which key is active: another process may have rotated it."""


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A key that can sign.

    Attributes:
        key: its record; `key.public_key` is the public half.
        signer: holds the private half.
        multibase: the public half as a Multikey; None for RSA.
        private: the private half (PKCS #8, DER), for the signing process; None where it is held elsewhere.
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
        # Elliptic curves take some 30 microseconds, less than a hop to a thread; RSA takes milliseconds.
        if self.algorithm is KeyAlgorithm.RSA:
            return await asyncio.to_thread(self._signer.sign, data)
        return self._signer.sign(data)


class KeyRing:
    """The signing keys of every issuer.

    Args:
        capacity: how many decrypted keys to keep in memory.
    """

    def __init__(
        self, *, store: Store, master_key: MasterKey, clock: Clock, new_id: IdSource, capacity: int = 1024
    ) -> None:
        self._store = store
        self._master_key = master_key
        self._clock = clock
        self._new_id = new_id
        self._active: Recent[tuple[int, UUID, KeyAlgorithm], tuple[LoadedKey, datetime]] = Recent(capacity)
        self._loaded: Recent[tuple[int, UUID], LoadedKey] = Recent(capacity)
        self._flight = SingleFlight()

    async def ensure(self, issuer: Issuer, algorithm: KeyAlgorithm) -> LoadedKey:
        """The issuer's active key of that algorithm; the first use makes it, however many are first at once."""
        if (cached := self._fresh(issuer.id, algorithm)) is not None:
            return cached
        async with self._flight.one((issuer.id, algorithm)):
            if (cached := self._fresh(issuer.id, algorithm)) is not None:
                return cached
            async with self._store.transaction(read_only=True) as tx:
                key = await tx.signing_keys.find_active(issuer.id, algorithm)
            if key is None:
                new = await self.generate(issuer.id, issuer.organisation_id, algorithm)
                key = await self._store.run(lambda tx: tx.signing_keys.create_if_none_active(new), idempotent=True)
            loaded = self._load(key)
            self._active[self._store.generation, issuer.id, algorithm] = (loaded, self._clock())
            return loaded

    async def generate(self, issuer_id: UUID, organisation_id: UUID, algorithm: KeyAlgorithm) -> SigningKey:
        """A new active key, not stored yet. RSA takes up to a second, on another thread."""
        if algorithm is KeyAlgorithm.RSA:
            pair = await asyncio.to_thread(keys.generate, algorithm)
        else:
            pair = keys.generate(algorithm)
        key_id = self._new_id()
        return SigningKey(
            id=key_id,
            organisation_id=organisation_id,
            issuer_id=issuer_id,
            algorithm=algorithm,
            public_key=pair.public_key,
            private_key_encrypted=self._master_key.wrap(pair.private_key, associated_data=key_id.bytes),
            state=KeyState.ACTIVE,
            created_at=self._clock(),
        )

    def forget(self, issuer_id: UUID) -> None:
        """Drop the issuer's keys from memory: the next use reads them again (after a rotation)."""
        for algorithm in KeyAlgorithm:
            self._active.pop((self._store.generation, issuer_id, algorithm), None)

    async def public_keys(self, issuer_id: UUID) -> Sequence[SigningKey]:
        """Every key the issuer ever had, oldest first, those retired and compromised too."""
        return await self._store.read().signing_keys.of_issuer(issuer_id)

    def _fresh(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> LoadedKey | None:
        found = self._active.get((self._store.generation, issuer_id, algorithm))
        if found is None or not abs(self._clock() - found[1]) < _FRESH:
            return None
        return found[0]

    def _load(self, key: SigningKey) -> LoadedKey:
        kept = (self._store.generation, key.id)
        if (loaded := self._loaded.get(kept)) is not None:
            return loaded
        if key.private_key_encrypted is None:
            raise Unavailable(
                "The private half of this signing key is not in the database.",
                hint="Configure the outside signer that holds it.",
            )
        private = self._master_key.unwrap(key.private_key_encrypted, associated_data=key.id.bytes)
        multibase = None if key.algorithm is KeyAlgorithm.RSA else keys.multikey(key.public_key)
        loaded = LoadedKey(key, _MemorySigner(keys.LocalSigner(private)), multibase, private)
        self._loaded[kept] = loaded
        return loaded

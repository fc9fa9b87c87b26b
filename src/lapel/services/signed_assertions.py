"""Signed Open Badges 2.0: the hosted documents as compact JWS, for verifiers that do not ask the host."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

import msgspec

from lapel.credentials.jose import ob2_jws, vc_jwt
from lapel.domain.addresses import Addresses
from lapel.domain.ports import Store
from lapel.domain.signing_key import KeyAlgorithm
from lapel.openbadges import v2
from lapel.services.bounded_cache import BoundedCache
from lapel.services.keys.key_ring import KeyRing
from lapel.services.renditions import Renditions

__all__ = ["SignedAssertions"]

_CACHE_SIZE: Final = 512


class SignedAssertions:
    """Signs 2.0 forms on request. The latest are cached, because anybody may request them."""

    def __init__(self, *, store: Store, addresses: Addresses, key_ring: KeyRing, renditions: Renditions) -> None:
        self._store = store
        self._addresses = addresses
        self._key_ring = key_ring
        self._renditions = renditions
        self._cache: BoundedCache[tuple[int, UUID, bytes], str] = BoundedCache(_CACHE_SIZE)
        self._times_cleared = 0

    def forget(self) -> None:
        """Clear the cache, because a recipient has been erased."""
        self._cache.clear()
        self._times_cleared += 1

    async def get(self, credential_id: UUID) -> str:
        """Return the assertion, or endorsement, as a compact JWS with RS256, which every OB 2.0 verifier supports.

        Its id is the hosted one's, so that one entry of the RevocationList covers both.

        Raises:
            NotFound, AssertionRevoked: see `Renditions.v2_assertion`.
        """
        times_cleared = self._times_cleared
        hosted = await self._renditions.v2_assertion(credential_id)
        credential = await self._store.read().credentials.get(credential_id)
        issuer = await self._store.read().issuers.get(credential.issuer_id)
        loaded = await self._key_ring.ensure(issuer, KeyAlgorithm.RSA)
        document = v2.signed_form(hosted, creator=self._addresses.v2_key(issuer.id, loaded.key.id))
        key = (self._store.generation, credential_id, hashlib.sha256(msgspec.json.encode(document)).digest())
        token = self._cache.get(key)
        if token is None:
            data = ob2_jws.signing_input(document, algorithm=loaded.key.algorithm)
            token = vc_jwt.assemble(data, await loaded.signer.sign(data))
            if times_cleared == self._times_cleared:  # an assertion read before an erasure must not be cached after it
                self._cache[key] = token
        return token

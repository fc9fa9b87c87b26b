"""Signed Open Badges 2.0: the hosted documents as compact JWS, for who keeps a badge and asks no host."""

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
from lapel.services.keys.key_ring import KeyRing
from lapel.services.recent import Recent
from lapel.services.renditions import Renditions

__all__ = ["SignedAssertions"]

_CACHED: Final = 512


class SignedAssertions:
    """Signs 2.0 forms when they are asked for. What was signed last is kept, since anybody may ask."""

    def __init__(self, *, store: Store, addresses: Addresses, key_ring: KeyRing, renditions: Renditions) -> None:
        self._store = store
        self._addresses = addresses
        self._key_ring = key_ring
        self._renditions = renditions
        self._kept: Recent[tuple[int, UUID, bytes], str] = Recent(_CACHED)
        self._times_forgotten = 0

    def forget(self) -> None:
        """Keep nothing of what was signed: somebody has been erased."""
        self._kept.clear()
        self._times_forgotten += 1

    async def get(self, credential_id: UUID) -> str:
        """The assertion, or endorsement, as a compact JWS: RS256, which every verifier of OB 2.0 knows.

        Its id is that of the hosted one, so that one entry of the RevocationList speaks of both.

        Raises:
            NotFound, AssertionRevoked: as `Renditions.v2_assertion`.
        """
        times_forgotten = self._times_forgotten
        hosted = await self._renditions.v2_assertion(credential_id)
        credential = await self._store.read().credentials.get(credential_id)
        issuer = await self._store.read().issuers.get(credential.issuer_id)
        loaded = await self._key_ring.ensure(issuer, KeyAlgorithm.RSA)
        document = v2.signed_form(hosted, creator=self._addresses.v2_key(issuer.id, loaded.key.id))
        key = (self._store.generation, credential_id, hashlib.sha256(msgspec.json.encode(document)).digest())
        token = self._kept.get(key)
        if token is None:
            data = ob2_jws.signing_input(document, algorithm=loaded.key.algorithm)
            token = vc_jwt.assemble(data, await loaded.signer.sign(data))
            if times_forgotten == self._times_forgotten:  # what was read before an erasure is not to stay
                self._kept[key] = token
        return token

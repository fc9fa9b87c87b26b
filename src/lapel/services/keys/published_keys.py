"""The public halves of an issuer's keys, in the forms in which documents show them."""

from __future__ import annotations

from functools import lru_cache

from lapel.credentials import keys
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.openbadges.profile import PublishedKey

__all__ = ["published"]


def published(key: SigningKey) -> PublishedKey:
    """The key as a Multikey, where it has that form, and as a JWK."""
    multibase, jwk = _forms(key.public_key, key.algorithm)
    return PublishedKey(id=key.id, multibase=multibase, jwk=jwk, compromised_at=key.compromised_at)


@lru_cache(maxsize=1024)  # a key set shows hundreds, again and again
def _forms(public_key: bytes, algorithm: KeyAlgorithm) -> tuple[str | None, JsonObject]:
    return None if algorithm is KeyAlgorithm.RSA else keys.multikey(public_key), keys.jwk(public_key)

"""The public halves of an issuer's keys, in the forms that published documents use."""

from __future__ import annotations

from functools import lru_cache

from lapel.credentials import keys
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.openbadges.profile import PublishedKey

__all__ = ["published_key"]


def published_key(key: SigningKey) -> PublishedKey:
    """Return the key as a JWK, and as a Multikey unless it is an RSA key."""
    multibase, jwk = _forms(key.public_key, key.algorithm)
    return PublishedKey(id=key.id, multibase=multibase, jwk=jwk, compromised_at=key.compromised_at)


@lru_cache(maxsize=1024)  # a key set has hundreds of keys, and is asked for again and again
def _forms(public_key: bytes, algorithm: KeyAlgorithm) -> tuple[str | None, JsonObject]:
    return None if algorithm is KeyAlgorithm.RSA else keys.multikey(public_key), keys.jwk(public_key)

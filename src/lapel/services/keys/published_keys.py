"""The public halves of an issuer's keys, in the forms that published documents use."""

from __future__ import annotations

from lapel.credentials import keys
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.openbadges.profile import PublishedKey

__all__ = ["published_key"]


def published_key(key: SigningKey) -> PublishedKey:
    """Return the key as a JWK, and as a Multikey unless it is an RSA key."""
    return PublishedKey(
        id=key.id,
        multibase=None if key.algorithm is KeyAlgorithm.RSA else keys.multikey(key.public_key),
        jwk=keys.jwk(key.public_key),
        compromised_at=key.compromised_at,
    )

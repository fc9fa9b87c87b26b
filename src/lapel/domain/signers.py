"""Whoever holds private keys and signs with them: this process, another one, a KMS. See `lapel.domain.ports`."""

from __future__ import annotations

from typing import Protocol

from lapel.domain.signing_key import KeyAlgorithm

__all__ = ["KeyHolder", "Signer"]


class Signer(Protocol):
    """Whoever signs with one private key: this process, another one, a KMS.

    Slow or away it may be: `Unavailable` is raised in bounded time. Never call it inside a transaction.
    """

    @property
    def algorithm(self) -> KeyAlgorithm: ...

    async def sign(self, data: bytes) -> bytes:
        """Sign `data`: 64 bytes for Ed25519 (RFC 8032), r‖s for P-256 (RFC 7518, 3.4), PKCS #1 v1.5 for RSA."""
        ...


class KeyHolder(Protocol):
    """Whoever holds private keys outside of this process, and never hands one out. Raises `Unavailable` as a Signer."""

    async def create(self, algorithm: KeyAlgorithm) -> bytes:
        """The public half (SubjectPublicKeyInfo, DER) of a new key that it holds from now on."""
        ...

    def signer(self, public_key: bytes) -> Signer:
        """Who signs with the key of that public half; whether it is held there shows when it signs."""
        ...

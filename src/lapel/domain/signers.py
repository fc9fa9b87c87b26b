"""Ports for holding private keys and signing with them. See `lapel.domain.ports`."""

from __future__ import annotations

from typing import Protocol

from lapel.domain.signing_key import KeyAlgorithm

__all__ = ["KeyHolder", "Signer"]


class Signer(Protocol):
    """Signs with one private key, which this process, another process or a KMS holds.

    It may be slow or unavailable: `Unavailable` is raised in bounded time. Never call it inside a transaction.
    """

    @property
    def algorithm(self) -> KeyAlgorithm: ...

    async def sign(self, data: bytes) -> bytes:
        """Return a signature of `data`.

        It is 64 bytes for Ed25519 (RFC 8032), r‖s for P-256 (RFC 7518, 3.4), PKCS #1 v1.5 for RSA.
        """
        ...


class KeyHolder(Protocol):
    """Holds private keys outside this process and never discloses one. Raises `Unavailable` like a `Signer`."""

    async def create(self, algorithm: KeyAlgorithm) -> bytes:
        """Create a key pair and return its public key (SubjectPublicKeyInfo, DER)."""
        ...

    def signer(self, public_key: bytes) -> Signer:
        """Return the signer for a public key. A key that is not held there causes an error only when it signs."""
        ...

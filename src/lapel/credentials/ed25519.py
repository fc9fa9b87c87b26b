"""Ed25519 signatures checked (RFC 8032, 5.1.7) by libsodium, which takes half as long as OpenSSL.

Checking is most of what a verification costs, and meets nothing secret: keys and signing stay with `cryptography`.
libsodium is the stricter one, too: it takes neither keys of small order, under which a signature can fit anything,
nor a second spelling of a number.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

__all__ = ["fits"]

_SIGNATURE_BYTES = 64


def fits(signature: bytes, data: bytes, key: Ed25519PublicKey) -> bool:
    """Whether `signature` is one over `data` by the private half of `key`."""
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + data, key.public_bytes_raw())
    except BadSignatureError:
        return False
    return True

"""Signed assertions of Open Badges 2.0: the assertion as the payload of a compact JWS (OB 2.0, "Signed Badges").

The header contains only the algorithm; the assertion's ``verification.creator`` points to the public key.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lapel.credentials.jose import base64url
from lapel.credentials.jose.vc_jwt import ALG_OF
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm

__all__ = ["MEDIA_TYPE", "signing_input"]

MEDIA_TYPE: Final = "application/jose"
"""A JWS in its compact serialisation (RFC 7515, 9.2.1)."""


def signing_input(assertion: JsonObject, *, algorithm: KeyAlgorithm) -> bytes:
    """Return the bytes to sign: the encoded header and assertion. `vc_jwt.assemble` appends the signature."""
    parts = ({"alg": ALG_OF[algorithm]}, assertion)
    return ".".join(base64url.encode(msgspec.json.encode(part)) for part in parts).encode("ascii")

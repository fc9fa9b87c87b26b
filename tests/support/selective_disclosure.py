"""Proofs of ecdsa-sd-2023, which nothing else in the tests can make: what an issuer does and what a holder does."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm

__all__ = ["cbor", "proof_value", "shown_part"]


def shown_part(
    document: JsonObject,
    shown: JsonObject,
    *,
    options: dict[str, Any],
    canonical: Callable[[JsonObject], str],
    issuer: keys.LocalSigner,
    optional: str,
    **wrong: Any,
) -> dict[str, Any]:
    """`shown` with a proof that is derived of `document`, whose blank nodes have the same labels in both.

    Args:
        options: the proof without its value and context.
        optional: what the statements have in them that need not be shown; all others are signed together.
        wrong: parts of the proof value that are put in the place of the right ones.
    """
    own = keys.LocalSigner(keys.generate(KeyAlgorithm.P256).private_key)
    public_key = _multikey_bytes(own)
    all_ = _quads(canonical(document))
    always = "".join(quad for quad in all_ if optional not in quad)
    hashed = hashlib.sha256(canonical({**options, "@context": document["@context"]}).encode()).digest()
    base = issuer.sign(hashed + public_key + hashlib.sha256(always.encode()).digest())
    left = _quads(canonical(shown))
    parts = {
        "base": base,
        "public_key": public_key,
        "signatures": [own.sign(quad.encode()) for quad in left if optional in quad],
        "labels": {number: _label(number) for number in range(len(set(re.findall("_:c14n[0-9]+", canonical(shown)))))},
        "mandatory": [place for place, quad in enumerate(left) if optional not in quad],
    }
    return {**shown, "proof": {**options, "proofValue": proof_value([*(parts | wrong).values()])}}


def proof_value(parts: list[Any], *, header: bytes = b"\xd9\x5d\x01") -> str:
    return f"u{urlsafe_b64encode(header + cbor(parts)).rstrip(b'=').decode()}"


def cbor(value: Any) -> bytes:
    """RFC 8949, 3: the kinds that proof values hold."""
    match value:
        case int():
            return _head(0, value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case list():
            return _head(4, len(value)) + b"".join(map(cbor, value))
        case dict():
            return _head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())
    raise TypeError(type(value))


def _head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes([kind << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 256**size)
    return bytes([kind << 5 | 24 + size.bit_length() - 1]) + number.to_bytes(size)


def _label(number: int) -> bytes:
    """What an issuer's HMAC gives: 32 bytes in another order than the numbers."""
    return hashlib.sha256(b"a secret" + bytes([number])).digest()


def _quads(canonical: str) -> list[str]:
    def renamed(found: re.Match[str]) -> str:
        if found[1] is None:  # a literal
            return found[0]
        return f"_:u{urlsafe_b64encode(_label(int(found[1]))).rstrip(b'=').decode()}"

    quads = canonical.removesuffix("\n").split("\n")
    return sorted(re.sub(r'"(?:[^"\\]|\\.)*"|_:c14n([0-9]+)', renamed, f"{quad}\n") for quad in quads)


def _multikey_bytes(signer: keys.LocalSigner) -> bytes:
    x, y = (keys.jwk(signer.public_key)[name] for name in "xy")
    return b"\x80\x24" + bytes([2 + base64url.decode(str(y))[-1] % 2]) + base64url.decode(str(x))

"""What others do with the same credential: PyLD's pipeline, openbadgeslib, pypng."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import png
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from openbadgeslib import ob3
from pyld import jsonld

from lapel.credentials import multibase
from lapel.credentials.jsonld import Contexts
from lapel.domain.json import JsonObject

__all__ = ["OpenBadgesLib", "PyLD", "bake_with_pypng"]


class PyLD:
    """eddsa-rdfc-2022 as it is built on PyLD: canonicalise the document and the options, hash, sign.

    PyLD has the contexts in memory and keeps what it has resolved of them, which is the best it can do.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key, self._public = key, key.public_key()
        self._options = {
            "algorithm": "URDNA2015",
            "format": "application/n-quads",
            "base": None,
            "documentLoader": _load,
        }

    def sign(self, document: JsonObject, options: JsonObject) -> bytes:
        """A document and its proof options in, signed bytes out."""
        signature = self._key.sign(self._hash(options) + self._hash(document))
        proof = {name: value for name, value in options.items() if name != "@context"}
        return json.dumps({**document, "proof": {**proof, "proofValue": multibase.base58btc(signature)}}).encode()

    def verify(self, data: bytes) -> None:
        """Signed bytes in; raises if the signature does not hold."""
        document = json.loads(data)
        proof = document.pop("proof")
        [proof] = proof if isinstance(proof, list) else [proof]
        signature = multibase.decode(proof.pop("proofValue"))
        options = {**proof, "@context": document["@context"]}
        self._public.verify(signature, self._hash(options) + self._hash(document))

    def _hash(self, document: JsonObject) -> bytes:
        canonical: str = jsonld.normalize(document, self._options)
        return hashlib.sha256(canonical.encode()).digest()


def _load(url: str, options: object) -> dict[str, object]:
    document = Contexts.bundled().document(url)
    return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": url, "document": document}


class OpenBadgesLib:
    """The same by openbadgeslib, whose functions make some checks of their own, and copies.

    Args:
        key: the issuer's.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._verifier = ob3.OB3LdpVerifier()

    def sign(self, document: JsonObject, method: str) -> bytes:
        """A document in, signed bytes out."""
        return json.dumps(ob3.add_data_integrity_proof(dict(document), self._private, method)).encode()

    def verify(self, data: bytes) -> None:
        """Signed bytes in; raises if the proof does not hold."""
        document: dict[str, Any] = json.loads(data)
        ob3.verify_data_integrity_proof(document, self._public)

    def report(self, data: bytes) -> None:
        """All that its verifier looks at, for a badge whose issuer is a `did:key`."""
        self._verifier.verify(data)


def bake_with_pypng(image: bytes, payload: str) -> bytes:
    """Read the chunks, put one with the credential after the header, and write them all."""
    header, *rest = png.Reader(bytes=image).chunks()
    kept = [chunk for chunk in rest if not (chunk[0] == b"iTXt" and chunk[1].startswith(b"openbadgecredential\0"))]
    text = b"openbadgecredential\0\0\0\0\0" + payload.encode()
    baked = io.BytesIO()
    png.write_chunks(baked, [header, (b"iTXt", text), *kept])
    return baked.getvalue()

"""Decentralised identifiers: did:key, which encodes a public key, and did:web, which encodes a web address.

Sources: The did:key Method v0.7 and the did:web Method Specification (W3C Credentials Community Group).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from lapel.credentials import multikey
from lapel.credentials.multikey import PublicKey
from lapel.domain.json import JsonValue
from lapel.errors import InvalidInput

__all__ = [
    "DidKey",
    "InvalidDid",
    "did_key",
    "did_web",
    "did_web_document_url",
    "parse_did_key",
]

MAX_DID_LENGTH: Final = 2048


class InvalidDid(InvalidInput):
    """This is not a DID that can be used here."""

    code = "invalid_did"
    hint = "did:key and did:web are understood."


# --- did:key ---


@dataclass(frozen=True, slots=True)
class DidKey:
    """A did:key identifier.

    Attributes:
        did: ``did:key:z…``.
        public_key: the key that the identifier encodes.
    """

    did: str
    public_key: PublicKey

    @property
    def multikey(self) -> str:
        """The key as ``publicKeyMultibase``."""
        return self.did.removeprefix("did:key:")

    @property
    def verification_method(self) -> str:
        """The id of the only verification method, ``did:key:z…#z…``."""
        return f"{self.did}#{self.multikey}"

    def document(self) -> dict[str, JsonValue]:
        """Return the DID document, in which the key has every purpose except key agreement."""
        method = self.verification_method
        return {
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
            "id": self.did,
            "verificationMethod": [
                {
                    "id": method,
                    "type": "Multikey",
                    "controller": self.did,
                    "publicKeyMultibase": self.multikey,
                }
            ],
            "authentication": [method],
            "assertionMethod": [method],
            "capabilityDelegation": [method],
            "capabilityInvocation": [method],
        }


def did_key(key: PublicKey) -> DidKey:
    """Return the did:key of a public key.

    Raises:
        InvalidMultikey: the key has no Multikey form.
    """
    return DidKey(f"did:key:{multikey.encode(key)}", key)


def parse_did_key(text: str) -> DidKey:
    """Parse ``did:key:z…``, or the id of its verification method ``did:key:z…#z…``.

    Raises:
        InvalidDid: something else, or a fragment with another key.
        InvalidMultikey: the identifier does not encode a key.
    """
    did, hash_, fragment = text.partition("#")
    identifier = did.removeprefix("did:key:")
    # Multibase has other bases, but the did:key method is registered with base58btc only.
    if identifier == did or not identifier.startswith("z"):
        raise InvalidDid("a did:key begins with did:key:z")
    if hash_ and fragment != identifier:
        raise InvalidDid("the fragment of a did:key names the same key as the identifier")
    return DidKey(did, multikey.decode(identifier))


# --- did:web ---

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
# URL parsers read a host whose last label is a number as an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*").fullmatch
_PORT = re.compile(r"[1-9][0-9]{0,4}").fullmatch
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+").fullmatch
_UNSAFE_CHARACTER = re.compile(r"[\x00-\x20\\\x7f-\U0010ffff]").search
_UNSAFE_BYTE = re.compile(rb"[\x00-\x20/\\\x7f]").search


def did_web_document_url(did: str) -> str:
    """Return the URL of a did:web's document: ``https://example.org/a/did.json`` for ``did:web:example.org:a``.

    Raises:
        InvalidDid: not a did:web, an IP address as host, or a path that could lead elsewhere.
    """
    identifier = did.removeprefix("did:web:")
    if identifier == did or len(did) > MAX_DID_LENGTH:
        raise InvalidDid("a did:web begins with did:web: and is not overlong")
    authority, *path = identifier.split(":")
    host, colon, port = authority.replace("%3a", "%3A").partition("%3A")
    _check_authority(host, port if colon else None)
    for segment in path:
        _check_segment(segment)
    url = f"https://{host.lower()}:{port}" if colon else f"https://{host.lower()}"
    return "/".join((url, *(path or (".well-known",)), "did.json"))


def did_web(url: str) -> str:
    """Return the did:web of an https URL, either of its document or of the folder that contains it.

    ``https://example.org`` and ``https://example.org/.well-known/did.json`` give ``did:web:example.org``;
    ``https://example.org:8443/a`` and ``https://example.org:8443/a/did.json`` give
    ``did:web:example.org%3A8443:a``.

    Raises:
        InvalidDid: the URL has no did:web.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidDid("this is not an address") from error
    if parts.scheme != "https" or len(url) > MAX_DID_LENGTH or _UNSAFE_CHARACTER(url):
        raise InvalidDid("a did:web is made of an https address")
    if parts.path == "/did.json":
        raise InvalidDid("the document of a bare host is at /.well-known/did.json")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise InvalidDid("a did:web has no user, query or fragment")
    host = parts.hostname or ""
    _check_authority(host, None if port is None else str(port))
    path = parts.path.removesuffix("/did.json" if parts.path.endswith("/did.json") else "/")
    segments = [] if path in ("", "/.well-known") else path.removeprefix("/").split("/")
    for segment in segments:
        _check_segment(segment)
    authority = host if port in (None, 443) else f"{host}%3A{port}"
    return ":".join(("did:web", authority, *segments))


def _check_authority(host: str, port: str | None) -> None:
    if len(host) > 253 or not _HOST(host):
        raise InvalidDid("the host of a did:web is a domain name in ASCII")
    if _NUMBER(host.rpartition(".")[2]):
        raise InvalidDid("the host of a did:web is not an IP address")
    if port is not None and not (_PORT(port) and int(port) <= 65535):
        raise InvalidDid("the port of a did:web is a number from 1 to 65535, after %3A")


def _check_segment(segment: str) -> None:
    plain = unquote_to_bytes(segment)
    if not _SEGMENT(segment) or plain in (b".", b"..") or _UNSAFE_BYTE(plain):
        raise InvalidDid("a part of the path of a did:web is empty or leads elsewhere")

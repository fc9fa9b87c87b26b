"""An issuer as an OB 3.0 Profile, and as the controller document of its keys (Controlled Identifiers 1.0)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from lapel.domain.addresses import Addresses
from lapel.domain.clock import format_timestamp
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges.contexts import CREDENTIALS_V2, DID, MULTIKEY, OPEN_BADGES
from lapel.openbadges.kept_members import wire_image, wire_members

__all__ = [
    "PublishedKey",
    "did_document",
    "issuer_document",
    "issuer_iri",
    "key_document",
    "profile",
    "short_profile",
    "verification_method",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """The public half of a signing key, in the forms in which it is published.

    Attributes:
        multibase: its Multikey form; None for RSA, which has none.
        jwk: its JSON Web Key form.
        compromised_at: from when on its signatures are not to be believed.
    """

    id: UUID
    multibase: str | None
    jwk: JsonObject
    compromised_at: datetime | None = None


def issuer_iri(issuer: Issuer, addresses: Addresses) -> str:
    """The issuer's id in all that it signs: its DID, or its own URL."""
    return issuer.did or addresses.issuer(issuer.id)


def profile(issuer: Issuer, addresses: Addresses) -> JsonObject:
    """The Profile as it is embedded in a credential (OB 3.0, Profile class)."""
    members: dict[str, JsonValue] = {
        "id": issuer_iri(issuer, addresses),
        "type": ["Profile"],
        "name": issuer.name,
        "url": issuer.url,
        "phone": issuer.phone,
        "description": issuer.description,
        "image": wire_image(addresses.image(issuer.image_id), issuer.profile) if issuer.image_id else None,
        "email": issuer.email,
        **wire_members(issuer.profile),
    }
    return {name: value for name, value in members.items() if value is not None}


def short_profile(issuer: Issuer, addresses: Addresses) -> JsonObject:
    """The Profile as an endorsement embeds it, of which a badge may hold several: no endorsements again, nothing that
    has no id. Anonymous objects that are equal are what implementations of canonicalisation disagree on.
    """
    return {name: value for name, value in profile(issuer, addresses).items() if name not in _LONG_MEMBERS}


def verification_method(key: PublishedKey, *, controller: str) -> str:
    """The id under which a key is listed: ``{controller}#{multibase}``, or ``{controller}#{key id}`` where it is RSA.

    Without its fragment it leads to the document that lists it, as Controlled Identifiers 1.0 (3.3) wants; a VC-JWT's
    ``kid`` is another address of the same key, at which there is the bare JWK.
    """
    return f"{controller}#{key.multibase or key.id}"


def issuer_document(issuer: Issuer, keys: Sequence[PublishedKey], addresses: Addresses) -> JsonObject:
    """What the issuer's URL answers: Profile and controller document in one."""
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES, *_key_contexts(keys)],
        **profile(issuer, addresses),
        **_relationships(keys, issuer, addresses, issuer_iri(issuer, addresses)),
    }


def did_document(
    issuer: Issuer, keys: Sequence[PublishedKey], addresses: Addresses, *, did: str | None = None
) -> JsonObject:
    """The issuer's keys without its profile, under its own id, or under `did`, another name of it."""
    own = issuer_iri(issuer, addresses)
    name = did or own
    document: dict[str, JsonValue] = {"@context": _key_contexts(keys), "id": name}
    if name != own:
        document["alsoKnownAs"] = [own]
    return {**document, **_relationships(keys, issuer, addresses, name)}


def key_document(key: PublishedKey, *, issuer: Issuer, addresses: Addresses) -> JsonObject:
    """The key as a JWK: what the ``kid`` of a VC-JWT leads to (OB 3.0, 8.2.2).

    Its ``iss`` says whose it is (OB 3.0, implementation guide, "Issuing platforms with multiple issuers").
    """
    return {**key.jwk, "kid": addresses.issuer_key(issuer.id, key.id), "iss": issuer_iri(issuer, addresses)}


_LONG_MEMBERS: Final = frozenset({"endorsement", "endorsementJwt", "address", "otherIdentifier", "parentOrg"})
_BASE_CONTEXTS: Final = (DID, MULTIKEY)
_SEC: Final = "https://w3id.org/security#"
# The terms of https://w3id.org/security/jwk/v1, written out. Many verifiers load no context that they do not hold, and
# few hold that one: to them nothing would be valid that an issuer with an RSA key has signed, with whatever key.
_JWK_CONTEXT: Final[JsonObject] = {
    "JsonWebKey": {
        "@id": f"{_SEC}JsonWebKey",
        "@context": {
            "publicKeyJwk": {"@id": f"{_SEC}publicKeyJwk", "@type": "@json"},
            "revoked": {"@id": f"{_SEC}revoked", "@type": "http://www.w3.org/2001/XMLSchema#dateTime"},
        },
    }
}


def _key_contexts(keys: Sequence[PublishedKey]) -> list[JsonValue]:
    return [*_BASE_CONTEXTS, _JWK_CONTEXT] if any(key.multibase is None for key in keys) else [*_BASE_CONTEXTS]


def _relationships(keys: Sequence[PublishedKey], issuer: Issuer, addresses: Addresses, controller: str) -> JsonObject:
    """Every key there ever was is a verification method that may assert, so that what it signed verifies for ever.

    A compromised one says `revoked` (Controlled Identifiers 1.0, 2.2.1): since then its signatures do not count.
    """
    methods: list[JsonValue] = []
    for key in keys:
        method: dict[str, JsonValue] = {
            "id": verification_method(key, controller=controller),
            "type": "Multikey" if key.multibase else "JsonWebKey",
            "controller": controller,
        }
        if key.compromised_at is not None:
            method["revoked"] = format_timestamp(key.compromised_at)
        if key.multibase:
            method["publicKeyMultibase"] = key.multibase
        else:
            method["publicKeyJwk"] = {**key.jwk, "kid": addresses.issuer_key(issuer.id, key.id)}
        methods.append(method)
    asserting: list[JsonValue] = [verification_method(key, controller=controller) for key in keys]
    return {"verificationMethod": methods, "assertionMethod": asserting}

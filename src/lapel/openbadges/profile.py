"""The OB 3.0 Profile of an issuer, and the controller document of its keys (Controlled Identifiers 1.0)."""

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
from lapel.openbadges.stored_members import wire_image, wire_members

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
    """A public key, in the forms in which it is published.

    Attributes:
        multibase: as a Multikey; None for RSA, which has no such form.
        jwk: as a JSON Web Key.
        compromised_at: signatures made at or after this moment are not trusted.
    """

    id: UUID
    multibase: str | None
    jwk: JsonObject
    compromised_at: datetime | None = None


def issuer_iri(issuer: Issuer, addresses: Addresses) -> str:
    """Return the issuer's id in everything it signs: its DID, or its URL."""
    return issuer.did or addresses.issuer(issuer.id)


def profile(issuer: Issuer, addresses: Addresses) -> JsonObject:
    """Return the Profile that is embedded in a credential (OB 3.0, Profile class)."""
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
    """Return the Profile that is embedded in an endorsement, without endorsements and without objects that lack an id.

    A badge may contain several endorsements, and implementations canonicalise equal anonymous objects differently.
    """
    return {name: value for name, value in profile(issuer, addresses).items() if name not in _LONG_MEMBERS}


def verification_method(key: PublishedKey, *, controller: str) -> str:
    """Return the id of a key's verification method: ``{controller}#{multibase}``, or ``{controller}#{key id}`` for RSA.

    Without the fragment it dereferences to the document that lists the key, as Controlled Identifiers 1.0 (3.3)
    requires. A VC-JWT's ``kid`` is another URL of the same key, which serves the bare JWK.
    """
    return f"{controller}#{key.multibase or key.id}"


def issuer_document(issuer: Issuer, keys: Sequence[PublishedKey], addresses: Addresses) -> JsonObject:
    """Return the document that the issuer's URL serves: Profile and controller document in one."""
    return {
        "@context": [CREDENTIALS_V2, OPEN_BADGES, *_key_contexts(keys)],
        **profile(issuer, addresses),
        **_relationships(keys, issuer, addresses, issuer_iri(issuer, addresses)),
    }


def did_document(
    issuer: Issuer, keys: Sequence[PublishedKey], addresses: Addresses, *, did: str | None = None
) -> JsonObject:
    """Return the issuer's keys without its profile, under its own id or under an alias, `did`."""
    own_id = issuer_iri(issuer, addresses)
    controller = did or own_id
    document: dict[str, JsonValue] = {"@context": _key_contexts(keys), "id": controller}
    if controller != own_id:
        document["alsoKnownAs"] = [own_id]
    return {**document, **_relationships(keys, issuer, addresses, controller)}


def key_document(key: PublishedKey, *, issuer: Issuer, addresses: Addresses) -> JsonObject:
    """Return the key as a JWK, to which the ``kid`` of a VC-JWT dereferences (OB 3.0, 8.2.2).

    Its ``iss`` names the issuer (OB 3.0, implementation guide, "Issuing platforms with multiple issuers").
    """
    return {**key.jwk, "kid": addresses.issuer_key(issuer.id, key.id), "iss": issuer_iri(issuer, addresses)}


_LONG_MEMBERS: Final = frozenset({"endorsement", "endorsementJwt", "address", "otherIdentifier", "parentOrg"})
_BASE_CONTEXTS: Final = (DID, MULTIKEY)
_SEC: Final = "https://w3id.org/security#"
# The terms of https://w3id.org/security/jwk/v1, inline. Many verifiers load only the contexts that they bundle, and few
# bundle that one: they would reject everything signed by an issuer with an RSA key, whichever key signed it.
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
    """List every key that the issuer ever had as an assertion method, so that old signatures stay verifiable.

    A compromised key has `revoked` (Controlled Identifiers 1.0, 2.2.1): later signatures are not trusted.
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
    assertion_methods: list[JsonValue] = [verification_method(key, controller=controller) for key in keys]
    return {"verificationMethod": methods, "assertionMethod": assertion_methods}

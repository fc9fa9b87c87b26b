"""Shapes of the standards' documents that the server publishes, with the members that programs need most.

The documents have more members than are named here; a reader gets the named ones, and the bytes.
"""

from __future__ import annotations

from msgspec import Struct, field

from lapel.openbadges.shapes import Email, Moment, Uri

__all__ = [
    "AchievementDocument",
    "CredentialDocument",
    "DidDocument",
    "JsonWebKey",
    "JsonWebKeySet",
    "LinkedDocument",
    "PictureReference",
    "ProfileDocument",
    "RevokedAssertion",
    "VerificationMethod",
]


class LinkedDocument(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A JSON-LD document of a standard."""

    context: str | list[object] = field(name="@context")
    id: str
    type: str | list[str]


class VerificationMethod(Struct, rename="camel", omit_defaults=True):
    """A public key in a controller document."""

    id: str
    type: str
    controller: str


class DidDocument(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A DID document: whose keys sign for whom."""

    context: str | list[object] = field(name="@context")
    id: str
    verification_method: list[VerificationMethod] = []
    assertion_method: list[str] = []


class ProfileDocument(LinkedDocument, kw_only=True):
    """The public issuer: an Open Badges 3.0 Profile, and the controller document of its keys."""

    name: str
    url: Uri | None = None
    email: Email | None = None
    description: str | None = None
    verification_method: list[VerificationMethod] = []
    assertion_method: list[str] = []


class PictureReference(Struct):
    """Where an image is."""

    id: str
    type: str


class AchievementDocument(LinkedDocument, kw_only=True):
    """The public achievement (Open Badges 3.0)."""

    name: str
    description: str
    criteria: dict[str, object]
    image: PictureReference | None = None
    tag: list[str] = []
    achievement_type: str | None = None


class CredentialDocument(LinkedDocument, kw_only=True):
    """A credential (W3C Verifiable Credentials 2.0 or 1.1): a badge, an endorsement, a status list, or any other.

    ``name`` is more than a text where it says its language.
    """

    issuer: str | dict[str, object]
    credential_subject: dict[str, object] | list[dict[str, object]]
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    name: str | dict[str, object] | list[dict[str, object]] | None = None


class RevokedAssertion(LinkedDocument, kw_only=True):
    """What an assertion is once it is revoked, and while it is suspended (Open Badges 2.0)."""

    revoked: bool
    revocation_reason: str | None = None


class JsonWebKey(Struct, omit_defaults=True):
    """A public key (RFC 7517); which members it has depends on its type. ``iss`` is the id of its issuer."""

    kty: str
    kid: str | None = None
    iss: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None


class JsonWebKeySet(Struct):
    """Public keys (RFC 7517, 5)."""

    keys: list[JsonWebKey]

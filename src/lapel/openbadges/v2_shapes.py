"""The shapes of Open Badges 2.0 objects in requests (Open Badges 2.0, Data Classes), parsed by msgspec.

``@context``, ``id`` and the verification members are accepted, since complete documents have them, but replaced by
this server's own. Extensions, whose names contain a colon, are read separately.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import field

from lapel.openbadges.shapes import Criteria, Email, Evidence, ImageReference, Moment, Shape, TypeName, Uri

__all__ = [
    "AlignmentObject",
    "Assertion",
    "BadgeClass",
    "IdentityObject",
    "ImageObject",
    "Linked",
    "RelatedBadge",
    "Version2Profile",
]

Linked: TypeAlias = str | dict[str, object]
"""The address of an object, or the object with its address as ``id``."""
Version: TypeAlias = str | int | float
"""A version may be a number. It is stored as text, as in Open Badges 3.0."""


class _Document(Shape, kw_only=True):
    context: object = field(name="@context", default=None)
    id: str | None = None
    type: TypeName = None
    verification: object = None


class ImageObject(ImageReference):
    """An image of an issuer or a badge class."""

    author: Linked | None = None


class Version2Profile(_Document, kw_only=True):
    """``POST /v2/issuers``: a Profile. ``publicKey`` and ``revocationList`` will be this server's."""

    name: str
    url: Uri
    email: Email
    telephone: str | None = None
    description: str | None = None
    image: str | ImageObject | None = None
    public_key: object = None
    revocation_list: object = None


class AlignmentObject(Shape):
    """What the badge class is aligned to."""

    target_name: str
    target_url: Uri
    type: TypeName = None
    target_code: str | None = None
    target_description: str | None = None
    target_framework: str | None = None


class RelatedBadge(Shape):
    """A related badge class, such as an earlier version."""

    id: Uri
    type: TypeName = None
    version: Version | None = None
    language: str | None = field(name="@language", default=None)


class BadgeClass(_Document, kw_only=True):
    """``POST /v2/badge-classes``. ``issuer`` may be left out where there is only one; without an image one is drawn."""

    name: str
    description: str
    criteria: str | Criteria
    issuer: Linked | None = None
    image: str | ImageObject | None = None
    alignment: list[AlignmentObject] | AlignmentObject | None = None
    tags: list[str] | str | None = None
    related: list[str | RelatedBadge] | str | RelatedBadge | None = None
    version: Version | None = None
    language: str | None = field(name="@language", default=None)


class IdentityObject(Shape):
    """Whose badge it is. Where ``hashed`` is true, ``identity`` may be ``sha256$…`` of the identity and ``salt``.

    An identity that is given plain is hashed here, with a salt made for it, where ``hashed`` is true.
    """

    type: str
    identity: str
    hashed: bool
    salt: str | None = None


class Assertion(_Document, kw_only=True):
    """``POST /v2/assertions``. It is issued now; ``issuedOn`` says when it was awarded."""

    recipient: IdentityObject
    badge: Linked
    issued_on: Moment | None = None
    expires: Moment | None = None
    evidence: str | list[str | Evidence] | Evidence | None = None
    narrative: str | None = None
    image: str | ImageReference | None = None
    revoked: Literal[False] | None = None
    verify: object = None

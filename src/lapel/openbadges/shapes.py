"""The shapes of OB 3.0 objects in requests, parsed by msgspec; `checks.py` has the rules for their values.

Names are the standard's (Open Badges 3.0, section B.1). ``type`` is optional, but must be the right one if given.
Numbers that the standard defines as text (``value``, ``points``) are text.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

__all__ = [
    "Address",
    "Alignment",
    "CredentialSchema",
    "Criteria",
    "Email",
    "Evidence",
    "GeoCoordinates",
    "IdentifierEntry",
    "ImageReference",
    "Moment",
    "OwnImage",
    "Person",
    "Profile",
    "RefreshService",
    "Related",
    "Result",
    "ResultDescription",
    "RubricCriterionLevel",
    "Shape",
    "TermsOfUse",
    "TypeName",
    "Uri",
]

TypeName: TypeAlias = "str | list[str] | None"
"""``type`` in a request: a name, or an array of one name."""

# These formats are only for the API description; `checks` enforces the rules.
Uri: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
"""A web address or another IRI."""
Email: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "email"})]
"""An e-mail address."""
Moment: TypeAlias = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]
"""A date and time with an offset (RFC 3339)."""


class Shape(Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True, kw_only=True):
    """The base of every shape. Unknown members are an error; null is the same as absent."""


class ImageReference(Shape):
    """An image: where it is (an ``https`` URL, a ``data:`` URL, or the address of one uploaded here)."""

    id: Uri
    type: TypeName = None
    caption: str | None = None


class OwnImage(ImageReference):
    """The image of an issuer or an achievement. ``author`` names a profile; Open Badges 2.0 alone shows it."""

    author: Uri | None = None


class Criteria(Shape):
    """How the achievement is earned: a page (``id``), a text (``narrative``, Markdown), or both."""

    id: Uri | None = None
    type: TypeName = None
    narrative: str | None = None


class Alignment(Shape):
    """A node of a framework that the achievement corresponds to."""

    target_name: str
    target_url: Uri
    type: TypeName = None
    target_code: str | None = None
    target_description: str | None = None
    target_framework: str | None = None
    target_type: str | None = None


class IdentifierEntry(Shape):
    """A further identifier of the subject at hand."""

    identifier: str
    identifier_type: str
    type: TypeName = None


class GeoCoordinates(Shape):
    """A place, in decimal degrees (WGS 84)."""

    latitude: float
    longitude: float
    type: TypeName = None


class Address(Shape):
    """A postal address."""

    type: TypeName = None
    address_country: str | None = None
    address_country_code: str | None = None
    address_region: str | None = None
    address_locality: str | None = None
    street_address: str | None = None
    post_office_box_number: str | None = None
    postal_code: str | None = None
    geo: GeoCoordinates | None = None


class Person(Shape):
    """The members of a Profile that only a natural person has."""

    family_name: str | None = None
    given_name: str | None = None
    additional_name: str | None = None
    patronymic_name: str | None = None
    honorific_prefix: str | None = None
    honorific_suffix: str | None = None
    family_name_prefix: str | None = None
    date_of_birth: date | None = None


class Profile(Person, kw_only=True):
    """A person or organisation other than the issuer; its image is where it says, and is not fetched."""

    id: Uri
    type: TypeName = None
    name: str | None = None
    url: Uri | None = None
    phone: str | None = None
    description: str | None = None
    image: str | ImageReference | None = None
    email: Email | None = None
    address: Address | None = None
    other_identifier: list[IdentifierEntry] | None = None
    official: str | None = None
    parent_org: Profile | None = None


class RefreshService(Shape):
    """Where a newer form of the credential is to be had: ``1EdTechCredentialRefresh``, or a type that is an IRI."""

    id: Uri
    type: str


class CredentialSchema(Shape):
    """What the credential's form can be held against: ``1EdTechJsonSchemaValidator2019``, or another type."""

    id: Uri
    type: str


class TermsOfUse(Shape):
    """The terms under which the credential was issued; their type is an IRI."""

    type: Uri
    id: Uri | None = None


class RubricCriterionLevel(Shape):
    """One level of a rubric."""

    id: Uri
    name: str
    type: TypeName = None
    alignment: list[Alignment] | None = None
    description: str | None = None
    level: str | None = None
    points: str | None = None


class ResultDescription(Shape):
    """What kind of result the achievement can have."""

    id: Uri
    name: str
    result_type: str
    type: TypeName = None
    alignment: list[Alignment] | None = None
    allowed_value: list[str] | None = None
    required_level: Uri | None = None
    required_value: str | None = None
    rubric_criterion_level: list[RubricCriterionLevel] | None = None
    value_max: str | None = None
    value_min: str | None = None


class Related(Shape):
    """A related achievement, such as the same one in another language."""

    id: Uri
    type: TypeName = None
    in_language: str | None = None
    version: str | None = None


class Evidence(Shape):
    """What shows that the achievement was earned: a page (``id``), a text (``narrative``), or both.

    What has no page may have a ``urn:`` or a small ``data:`` address.
    """

    id: Uri | None = None
    type: TypeName = None
    narrative: str | None = None
    name: str | None = None
    description: str | None = None
    genre: str | None = None
    audience: str | None = None


class Result(Shape):
    """A result that the recipient reached."""

    type: TypeName = None
    achieved_level: Uri | None = None
    alignment: list[Alignment] | None = None
    result_description: Uri | None = None
    status: str | None = None
    value: str | None = None

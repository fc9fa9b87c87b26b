"""The rules for embedded Profiles other than the issuer (OB 3.0, Profile class), and for images."""

from __future__ import annotations

from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges import checks, shapes
from lapel.openbadges.problems import Problems
from lapel.openbadges.syntax import email_problem, iri_problem, phone_problem

__all__ = ["PERSON_MEMBERS", "image", "image_members", "profile"]

_MAX_PARENTS: Final = 5
"""How many levels of parent organisations a profile may have."""

_DATA_URL_PREFIXES: Final = ("data:image/png", "data:image/svg+xml")

PERSON_MEMBERS: Final = {
    "familyName": "family_name",
    "givenName": "given_name",
    "additionalName": "additional_name",
    "patronymicName": "patronymic_name",
    "honorificPrefix": "honorific_prefix",
    "honorificSuffix": "honorific_suffix",
    "familyNamePrefix": "family_name_prefix",
    "dateOfBirth": "date_of_birth",
}
"""The members of a natural person: wire name to attribute name."""


def image(problems: Problems, item: str | shapes.ImageReference, pointer: str) -> JsonObject:
    """Check an Image and return its wire form. Its address, which may be a small ``data:`` URL, is not fetched."""
    reference = shapes.ImageReference(id=item) if isinstance(item, str) else item
    id_pointer = pointer if isinstance(item, str) else f"{pointer}/id"
    if not reference.id.startswith(_DATA_URL_PREFIXES) or iri_problem(reference.id):
        checks.url(problems, reference.id, id_pointer)
    return checks.members_of(problems, reference, pointer, "Image")


def image_members(problems: Problems, item: str | shapes.OwnImage | None) -> JsonObject:
    """Return the members of an issuer's or achievement's image besides its address: its caption and its author."""
    if not isinstance(item, shapes.OwnImage):
        return {}
    if item.caption is not None:
        problems.text(item.caption, "/image/caption")
    checks.iri(problems, item.author, "/image/author")
    given = {"caption": item.caption, "author": item.author}
    return {name: value for name, value in given.items() if value is not None}


def profile(problems: Problems, item: shapes.Profile, pointer: str, *, depth: int = 0) -> JsonObject:
    """Check a Profile and return its wire form, without endorsements."""
    checks.iri(problems, item.id, f"{pointer}/id")
    checks.url(problems, item.url, f"{pointer}/url")
    if item.email is not None and (problem := email_problem(item.email)):
        problems.add(f"{pointer}/email", problem, "bad_email")
    if item.phone is not None and (problem := phone_problem(item.phone)):
        problems.add(f"{pointer}/phone", problem, "bad_phone")
    if depth >= _MAX_PARENTS:
        problems.add(pointer, f"must have at most {_MAX_PARENTS} organisations above it", "too_many")
        return {}
    members: dict[str, JsonValue] = checks.members_of(problems, item, pointer, ["Profile"])
    if item.image is not None:
        members["image"] = image(problems, item.image, f"{pointer}/image")
    if item.address is not None:
        members["address"] = checks.address(problems, item.address, f"{pointer}/address")
    members.pop("otherIdentifier", None)
    if item.other_identifier:
        members["otherIdentifier"] = checks.other_identifiers(
            problems, item.other_identifier, f"{pointer}/otherIdentifier"
        )
    if item.parent_org is not None:
        members["parentOrg"] = profile(problems, item.parent_org, f"{pointer}/parentOrg", depth=depth + 1)
    return members

"""The rules for a Profile that an object embeds beside its issuer (OB 3.0, Profile class), and for its image."""

from __future__ import annotations

from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges import checks, shapes
from lapel.openbadges.problems import Problems
from lapel.openbadges.syntax import email_problem, iri_problem, phone_problem

__all__ = ["PERSON_MEMBERS", "image", "image_members", "profile"]

_DEEPEST: Final = 5
"""How many parent organisations a profile may have above it."""

_INLINE: Final = ("data:image/png", "data:image/svg+xml")

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
"""The members of a natural person on the wire, and what their attributes are called."""


def image(problems: Problems, item: str | shapes.ImageReference, pointer: str) -> JsonObject:
    """An Image object; its address is kept as it is given, and not fetched. It may be a small ``data:`` URL."""
    reference = shapes.ImageReference(id=item) if isinstance(item, str) else item
    where = pointer if isinstance(item, str) else f"{pointer}/id"
    if not reference.id.startswith(_INLINE) or iri_problem(reference.id):
        checks.url(problems, reference.id, where)
    return checks.members_of(problems, reference, pointer, "Image")


def image_members(problems: Problems, item: str | shapes.OwnImage | None) -> JsonObject:
    """What an issuer's or achievement's image is given beside its address: its caption and its author."""
    if not isinstance(item, shapes.OwnImage):
        return {}
    if item.caption is not None:
        problems.text(item.caption, "/image/caption")
    checks.iri(problems, item.author, "/image/author")
    given = {"caption": item.caption, "author": item.author}
    return {name: value for name, value in given.items() if value is not None}


def profile(problems: Problems, item: shapes.Profile, pointer: str, *, depth: int = 0) -> JsonObject:
    """A Profile object, without endorsements."""
    checks.iri(problems, item.id, f"{pointer}/id")
    checks.url(problems, item.url, f"{pointer}/url")
    if item.email is not None and (problem := email_problem(item.email)):
        problems.add(f"{pointer}/email", problem, "bad_email")
    if item.phone is not None and (problem := phone_problem(item.phone)):
        problems.add(f"{pointer}/phone", problem, "bad_phone")
    if depth >= _DEEPEST:
        problems.add(pointer, f"must have at most {_DEEPEST} organisations above it", "too_many")
        return {}
    members: dict[str, JsonValue] = checks.members_of(problems, item, pointer, ["Profile"])
    if item.image is not None:
        members["image"] = image(problems, item.image, f"{pointer}/image")
    if item.address is not None:
        members["address"] = checks.address(problems, item.address, f"{pointer}/address")
    members.pop("otherIdentifier", None)
    if item.other_identifier:
        where = f"{pointer}/otherIdentifier"
        members["otherIdentifier"] = checks.other_identifiers(problems, item.other_identifier, where)
    if item.parent_org is not None:
        members["parentOrg"] = profile(problems, item.parent_org, f"{pointer}/parentOrg", depth=depth + 1)
    return members

"""Members that a change merges into what is there (RFC 7396): objects, at any depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import InvalidInput
from lapel.openbadges.arbitrary_objects import extensions
from lapel.openbadges.problems import Problems
from lapel.openbadges.shapes import OwnImage
from lapel.services.shape_reading import merged, read_shape

__all__ = ["new_extensions", "new_image", "patched"]

Shape = TypeVar("Shape", bound=Struct)


def patched(
    problems: Problems,
    pointer: str,
    wanted: type[Shape],
    given: Shape | Mapping[str, object] | UnsetType | None,
    before: JsonValue,
) -> Shape | UnsetType | None:
    """What a member comes to; UNSET after noting what is wrong with it.

    Args:
        given: the member whole, or as a patch of `before`, its wire form.
    """
    if not isinstance(given, Mapping):
        return given
    try:
        return read_shape(merged(before, given), wanted, pointer)
    except InvalidInput as error:
        problems.include("", error)
        return UNSET


def new_image(
    problems: Problems, given: str | OwnImage | Mapping[str, object] | UnsetType | None, before: JsonObject
) -> tuple[str | OwnImage | UnsetType | None, bool]:
    """The image that a request comes to, and whether it is at the same address as the one before.

    Args:
        before: the Image object; empty where there was none.
    """
    image = given if isinstance(given, str) else patched(problems, "/image", OwnImage, given, before)
    return image, isinstance(image, OwnImage) and image.id == before.get("id")


def new_extensions(problems: Problems, given: Mapping[str, object] | None, before: JsonValue) -> JsonObject:
    """The extensions that a request comes to.

    Args:
        before: those that it is a patch of; None where it says all of them.
    """
    members = given if before is None or given is None else merged(before, given)
    found: dict[str, Mapping[str, object]] = {}
    for name, value in members.items() if isinstance(members, Mapping) else ():
        if isinstance(value, Mapping):
            found[name] = value
        else:
            problems.add(f"/extensions/{name.replace('~', '~0').replace('/', '~1')}", "must be an object", "bad_value")
    return extensions(problems, found, "/extensions")

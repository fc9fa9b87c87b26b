"""JSON Merge Patch (RFC 7396) of issuers and achievements, and the members that both have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from lapel.domain.access import Principal
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import InvalidInput, pointer_step
from lapel.openbadges import profile_checks
from lapel.openbadges.arbitrary_objects import extensions
from lapel.openbadges.problems import Problems
from lapel.openbadges.shapes import OwnImage
from lapel.openbadges.stored_members import EXTENSIONS, IMAGE
from lapel.services.embedded_endorsements import Endorsements
from lapel.services.images import Images
from lapel.services.requests import AchievementChanges, IssuerChanges, NewAchievement, NewIssuer
from lapel.services.shape_reading import read_shape

__all__ = ["ResolvedMembers", "merge_patch", "patched_member", "resolve_members", "set_image_and_extensions"]

Shape = TypeVar("Shape", bound=Struct)


@dataclass(frozen=True, slots=True)
class ResolvedMembers:
    """The members of a request that are not in the request itself: it names images and embeds others' credentials.

    Attributes:
        image_id: the stored image; UNSET leaves the present one.
        endorsements: the verified ``endorsement`` and ``endorsementJwt`` that the request has.
    """

    image_id: UUID | UnsetType | None
    endorsements: JsonObject = field(default_factory=dict)


async def resolve_members(
    images: Images,
    endorsements: Endorsements,
    principal: Principal,
    problems: Problems,
    changes: IssuerChanges | AchievementChanges,
    image_before: JsonObject,
    *,
    about: Collection[str],
) -> ResolvedMembers:
    """Store the image and verify the endorsements in `changes`, and record the problems of either.

    Args:
        image_before: the present Image object, which is not fetched again; empty if there is none.
        about: the ids that the endorsements may be about.
    """
    # `set_image_and_extensions` records the problems of the Image object itself.
    image = _patched_image(Problems(), changes.image, image_before)
    unchanged = isinstance(image, OwnImage) and image.id == image_before.get("id")
    image_id = UNSET if unchanged else await images.resolve(principal, problems, image)
    verified = await endorsements.read(problems, "", changes.endorsement, changes.endorsement_jwt, about=about)
    return ResolvedMembers(image_id, verified)


def merge_patch(target: JsonValue, patch: object) -> JsonValue:
    """Return `target` after a JSON Merge Patch (RFC 7396, 2)."""
    if not isinstance(patch, Mapping):
        return cast("JsonValue", patch)
    result: dict[str, JsonValue] = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def patched_member(
    problems: Problems,
    pointer: str,
    shape: type[Shape],
    given: Shape | Mapping[str, object] | UnsetType | None,
    before: JsonValue,
) -> Shape | UnsetType | None:
    """Return the new value of a member; UNSET after recording what is wrong with it.

    Args:
        given: the whole member, or a patch of `before`, its wire form.
    """
    if not isinstance(given, Mapping):
        return given
    try:
        return read_shape(merge_patch(before, given), shape, pointer)
    except InvalidInput as error:
        problems.include("", error)
        return UNSET


def set_image_and_extensions(
    problems: Problems,
    members: dict[str, JsonValue],
    request: NewIssuer | IssuerChanges | NewAchievement | AchievementChanges,
    image_before: JsonObject,
) -> None:
    """Set in `members` the image's caption and author, and the extensions, where the request has them."""
    image = _patched_image(problems, request.image, image_before)
    if image is not UNSET:
        members[IMAGE] = profile_checks.image_members(problems, image)
    if request.extensions is not UNSET:
        is_patch = isinstance(request, IssuerChanges | AchievementChanges) and request.extensions is not None
        before = members.get(EXTENSIONS, {})
        given = merge_patch(before, request.extensions) if is_patch else request.extensions
        members[EXTENSIONS] = _extensions(problems, given)


def _patched_image(
    problems: Problems, given: str | OwnImage | Mapping[str, object] | UnsetType | None, before: JsonObject
) -> str | OwnImage | UnsetType | None:
    return given if isinstance(given, str) else patched_member(problems, "/image", OwnImage, given, before)


def _extensions(problems: Problems, given: object) -> JsonObject:
    objects: dict[str, Mapping[str, object]] = {}
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(value, Mapping):
            objects[name] = value
        else:
            problems.add(f"/extensions/{pointer_step(name)}", "must be an object", "bad_value")
    return extensions(problems, objects, "/extensions")

"""Validation of an EndorsementCredential before it is embedded (OB 3.0, EndorsementCredential class, JSON Schema)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert

from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges.contexts import CREDENTIALS_V2

__all__ = ["endorsement_problem", "with_arrays"]

_OPEN_BADGES: Final = re.compile(
    r"https://purl\.imsglobal\.org/spec/ob/v3p0/context(-3\.[0-9]\.[0-9])*\.json"
).fullmatch
_TYPES: Final = ("VerifiableCredential", "EndorsementCredential")

_Text = Annotated[str, Meta(min_length=1)]
_Types = Annotated[list[_Text], Meta(min_length=1)]
_Optional = str | UnsetType


class _Wire(Struct, rename="camel", kw_only=True):
    """The members that are checked; others are allowed."""


class _Typed(_Wire, kw_only=True):
    id: _Optional = UNSET
    type: _Text


class _Named(_Wire, kw_only=True):
    id: _Text
    type: _Text


class _Subject(_Wire, kw_only=True):
    id: _Text
    type: _Types
    endorsement_comment: _Optional = UNSET


class _Image(_Wire, kw_only=True, forbid_unknown_fields=True):
    id: _Text
    type: _Text
    caption: _Optional = UNSET


class _Profile(_Wire, kw_only=True):
    id: _Text
    type: _Types
    name: _Optional = UNSET
    url: _Optional = UNSET
    phone: _Optional = UNSET
    description: _Optional = UNSET
    image: _Image | UnsetType = UNSET
    email: _Optional = UNSET
    official: _Optional = UNSET
    endorsement: list[dict[str, object]] | UnsetType = UNSET
    endorsement_jwt: list[str] | UnsetType = UNSET
    other_identifier: list[dict[str, object]] | UnsetType = UNSET
    address: dict[str, object] | UnsetType = UNSET
    parent_org: dict[str, object] | UnsetType = UNSET


class _Endorsement(_Wire, kw_only=True):
    id: _Text
    type: _Types
    name: _Text
    description: _Optional = UNSET
    credential_subject: _Subject
    awarded_date: _Optional = UNSET
    issuer: _Text | _Profile
    valid_from: _Text
    valid_until: _Optional = UNSET
    proof: list[_Typed] | UnsetType = UNSET
    credential_schema: list[_Named] | UnsetType = UNSET
    credential_status: _Named | UnsetType = UNSET
    refresh_service: _Named | UnsetType = UNSET
    terms_of_use: list[_Typed] | UnsetType = UNSET


def with_arrays(credential: JsonObject) -> dict[str, JsonValue]:
    """Return the credential with arrays where the JSON Schema requires them. Its proof stays valid."""
    result = dict(credential)
    for name in ("type", "proof", "credentialSchema", "termsOfUse"):
        _put_array(result, name)
    for name in ("credentialSubject", "issuer"):
        inner = result.get(name)
        if isinstance(inner, Mapping):
            result[name] = inner = dict(inner)
            _put_array(inner, "type")
    return result


def endorsement_problem(credential: JsonObject, *, about: Collection[str]) -> str | None:
    """Return what is wrong with an endorsement, or None. The text continues a sentence, as in ``must have …``.

    Args:
        credential: as returned by `with_arrays`.
        about: the ids that it may endorse.
    """
    contexts = credential.get("@context")
    if not (
        isinstance(contexts, list)
        and len(contexts) > 1
        and contexts[0] == CREDENTIALS_V2
        and isinstance(contexts[1], str)
        and _OPEN_BADGES(contexts[1])
    ):
        return "must have the contexts of Verifiable Credentials 2.0 and of Open Badges 3.0, in this order"
    try:
        endorsement = convert(credential, _Endorsement)
    except ValidationError as error:
        return f"must be an EndorsementCredential as Open Badges 3.0 describes it: {error}"
    if not set(_TYPES) <= set(endorsement.type) or "EndorsementSubject" not in endorsement.credential_subject.type:
        return "must be an EndorsementCredential whose subject is an EndorsementSubject"
    if endorsement.credential_subject.id not in about:
        return f"must speak of {' or '.join(sorted(about))}, and not of {endorsement.credential_subject.id[:200]}"
    return None


def _put_array(members: dict[str, JsonValue], name: str) -> None:
    if name in members and not isinstance(members[name], list):
        members[name] = [members[name]]

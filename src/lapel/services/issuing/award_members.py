"""What every kind of credential may be asked to say, and what few awards have: checked, and in wire form."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from lapel.domain.clock import format_timestamp, truncate
from lapel.domain.credential import CredentialFormat
from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges import checks, credential_checks, profile_checks
from lapel.openbadges.problems import LONG, Problems
from lapel.openbadges.syntax import time_problem
from lapel.services.requests import NewCredential, Signed

__all__ = ["further_members", "signed_members", "validity"]

_NAMES: Final = (
    *("name", "description", "awarded_date", "refresh_service", "credential_schema", "terms_of_use", "display_image"),
    *(
        "activity_start_date",
        "activity_end_date",
        "credits_earned",
        "image",
        "license_number",
        "role",
        "source",
        "term",
    ),
)
_ASKED: Final = attrgetter(*_NAMES)
_NOTHING_ASKED: Final = (None,) * len(_NAMES)
_NOTHING: Final[JsonObject] = MappingProxyType({})


def further_members(problems: Problems, pointer: str, request: NewCredential) -> tuple[JsonObject, JsonObject]:
    """Those of the credential and those of its subject; most awards have none, and should not pay for them."""
    if _ASKED(request) == _NOTHING_ASKED:
        return _NOTHING, _NOTHING
    members = signed_members(problems, pointer, request)
    if request.display_image is not None:
        members["image"] = profile_checks.image(problems, request.display_image, f"{pointer}/displayImage")
    return members, _achieved_members(problems, pointer, request)


def signed_members(problems: Problems, pointer: str, request: Signed) -> dict[str, JsonValue]:
    """What every kind of credential may say of itself (VC 2.0, 4; OB 3.0, AchievementCredential class)."""
    members: dict[str, JsonValue] = {}
    if request.name is not None:
        problems.text(request.name, f"{pointer}/name")
        members["name"] = request.name
    if request.description is not None:
        problems.text(request.description, f"{pointer}/description", most=LONG)
        members["description"] = request.description
    if request.awarded_date is not None:
        _put_moment(problems, pointer, members, "awardedDate", request.awarded_date)
    if request.refresh_service is not None:
        where = f"{pointer}/refreshService"
        members["refreshService"] = credential_checks.refresh_service(problems, request.refresh_service, where)
    if request.credential_schema:
        where = f"{pointer}/credentialSchema"
        members["credentialSchema"] = credential_checks.credential_schemas(problems, request.credential_schema, where)
    if request.terms_of_use:
        members["termsOfUse"] = credential_checks.terms_of_use(problems, request.terms_of_use, f"{pointer}/termsOfUse")
    return members


def validity(problems: Problems, pointer: str, request: Signed, *, now: datetime) -> tuple[datetime, datetime | None]:
    """From when on, and until when, if ever it ends; what is wrong with these is noted at `pointer`.

    In a VC-JWT both are in whole seconds, for it can say no others.

    Args:
        now: where it begins if the request does not say, in whole seconds.
    """
    whole = request.format is CredentialFormat.VC_JWT
    start = _moment(problems, f"{pointer}/validFrom", request.valid_from, whole_seconds=whole)
    end = _moment(problems, f"{pointer}/validUntil", request.valid_until, whole_seconds=whole)
    begin = start or now.replace(microsecond=0)
    if end is not None and end <= begin:
        detail = "must be later than validFrom" if start else "must be in the future"
        problems.add(f"{pointer}/validUntil", detail, "bad_time")
    return begin, end


def _achieved_members(problems: Problems, pointer: str, request: NewCredential) -> JsonObject:
    """What the subject of a badge may say besides (OB 3.0, AchievementSubject class)."""
    members: dict[str, JsonValue] = {}
    for name, text in (
        ("role", request.role),
        ("licenseNumber", request.license_number),
        ("term", request.term),
    ):
        if text is not None:
            problems.text(text, f"{pointer}/{name}")
            members[name] = text
    if request.credits_earned is not None:
        where = f"{pointer}/creditsEarned"
        members["creditsEarned"] = checks.number_of_credits(problems, request.credits_earned, where)
    start, end = request.activity_start_date, request.activity_end_date
    if start is not None:
        _put_moment(problems, pointer, members, "activityStartDate", start)
    if end is not None:
        _put_moment(problems, pointer, members, "activityEndDate", end)
        if start is not None and start.tzinfo is not None and end.tzinfo is not None and end < start:
            problems.add(f"{pointer}/activityEndDate", "must not be earlier than activityStartDate", "bad_time")
    if request.image is not None:
        members["image"] = profile_checks.image(problems, request.image, f"{pointer}/image")
    if request.source is not None:
        members["source"] = profile_checks.profile(problems, request.source, f"{pointer}/source")
    return members


def _moment(
    problems: Problems, pointer: str, value: datetime | None, *, whole_seconds: bool = False
) -> datetime | None:
    """The moment in milliseconds, or in seconds; None where there is none, or after noting what is wrong with it."""
    if value is None:
        return None
    if problem := time_problem(value):
        problems.add(pointer, problem, "bad_time")
        return None
    found = truncate(value)
    return found.replace(microsecond=0) if whole_seconds else found


def _put_moment(problems: Problems, pointer: str, members: dict[str, JsonValue], name: str, value: datetime) -> None:
    if (found := _moment(problems, f"{pointer}/{name}", value)) is not None:
        members[name] = format_timestamp(found)

"""Checks the optional members of requests to issue, and returns them in wire form."""

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
_VALUES: Final = attrgetter(*_NAMES)
_NO_VALUES: Final = (None,) * len(_NAMES)
_NO_MEMBERS: Final[JsonObject] = MappingProxyType({})


def further_members(problems: Problems, pointer: str, request: NewCredential) -> tuple[JsonObject, JsonObject]:
    """Return the optional members of the credential and of its subject. Quick for most awards, which have none."""
    if _VALUES(request) == _NO_VALUES:
        return _NO_MEMBERS, _NO_MEMBERS
    members = signed_members(problems, pointer, request)
    if request.display_image is not None:
        members["image"] = profile_checks.image(problems, request.display_image, f"{pointer}/displayImage")
    return members, _subject_members(problems, pointer, request)


def signed_members(problems: Problems, pointer: str, request: Signed) -> dict[str, JsonValue]:
    """Return the optional members of every kind of credential (VC 2.0, 4; OB 3.0, AchievementCredential class)."""
    members: dict[str, JsonValue] = {}
    if request.name is not None:
        problems.text(request.name, f"{pointer}/name")
        members["name"] = request.name
    if request.description is not None:
        problems.text(request.description, f"{pointer}/description", max_length=LONG)
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
    """Return ``validFrom`` and ``validUntil``, which may be None. Problems with them are recorded below `pointer`.

    In a VC-JWT both are in whole seconds, because its claims allow nothing finer.

    Args:
        now: ``validFrom``, in whole seconds, if the request has none.
    """
    whole = request.format is CredentialFormat.VC_JWT
    start = _moment(problems, f"{pointer}/validFrom", request.valid_from, whole_seconds=whole)
    end = _moment(problems, f"{pointer}/validUntil", request.valid_until, whole_seconds=whole)
    begin = start or now.replace(microsecond=0)
    if end is not None and end <= begin:
        detail = "must be later than validFrom" if start else "must be in the future"
        problems.add(f"{pointer}/validUntil", detail, "bad_time")
    return begin, end


def _subject_members(problems: Problems, pointer: str, request: NewCredential) -> JsonObject:
    """Return the optional members of the subject (OB 3.0, AchievementSubject class)."""
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
    """Return the time truncated to milliseconds, or to seconds; None without one, or after recording a problem."""
    if value is None:
        return None
    if problem := time_problem(value):
        problems.add(pointer, problem, "bad_time")
        return None
    truncated = truncate(value)
    return truncated.replace(microsecond=0) if whole_seconds else truncated


def _put_moment(problems: Problems, pointer: str, members: dict[str, JsonValue], name: str, value: datetime) -> None:
    if (moment := _moment(problems, f"{pointer}/{name}", value)) is not None:
        members[name] = format_timestamp(moment)

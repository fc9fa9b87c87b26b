"""Checks a request to issue, and turns it into an award that is ready to be signed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lapel.domain.achievement import Achievement
from lapel.domain.credential import CredentialFormat
from lapel.domain.json import JsonObject
from lapel.domain.json_members import objects
from lapel.openbadges import checks
from lapel.openbadges.award import Award
from lapel.openbadges.identity import read_identities, read_recipient
from lapel.openbadges.problems import LONG, Problems
from lapel.services.issuing.award_members import further_members, validity
from lapel.services.requests import NewCredential

__all__ = ["read_award"]


def read_award(
    problems: Problems,
    pointer: str,
    request: NewCredential,
    *,
    achievement: Achievement | None,
    now: datetime,
) -> Award | None:
    """Return the award that the request describes. Problems are recorded below `pointer`.

    Args:
        achievement: the awarded achievement; None if its absence is a problem already.
        now: ``validFrom``, if the request has none.

    Returns:
        None if the recipient cannot be read.
    """
    given = request.recipient
    recipient = read_recipient(
        problems,
        f"{pointer}/recipient",
        type=given.type,
        identity=given.identity,
        hashed=given.hashed,
        name=given.name,
        salt=given.salt,
        others=read_identities(
            problems,
            f"{pointer}/recipient/identifiers",
            [(item.type, item.identity, item.hashed) for item in given.identifiers],
        )
        if given.identifiers
        else (),
    )
    problems.text(request.narrative, f"{pointer}/narrative", max_length=LONG)
    evidence = checks.evidence(problems, request.evidence, f"{pointer}/evidence")
    results = checks.results(problems, request.results, f"{pointer}/results")
    if achievement is not None:
        _check_results(problems, f"{pointer}/results", results, achievement)
    if request.jwt_algorithm is not None and request.format is not CredentialFormat.VC_JWT:
        problems.add(f"{pointer}/jwtAlgorithm", "is only for the format vc-jwt", "not_allowed")
    valid_from, valid_until = validity(problems, pointer, request, now=now)
    members, subject_members = further_members(problems, pointer, request)
    if recipient is None:
        return None
    return Award(
        recipient=recipient,
        valid_from=valid_from,
        valid_until=valid_until,
        narrative=request.narrative,
        evidence=evidence,
        results=results,
        members=members,
        subject_members=subject_members,
        format=request.format,
        jwt_algorithm=request.jwt_algorithm,
    )


def _check_results(problems: Problems, pointer: str, results: Sequence[JsonObject], achievement: Achievement) -> None:
    """Check that the achievement's descriptions allow the results (OB 3.0, Result and ResultDescription)."""
    if not results:
        return
    descriptions = {item.get("id"): item for item in objects(achievement.details.get("resultDescription"))}
    # Of all descriptions, because in the standard's own complete example a result has a level of another description.
    levels = {level.get("id") for item in descriptions.values() for level in objects(item.get("rubricCriterionLevel"))}
    for index, result in enumerate(results):
        where = f"{pointer}/{index}"
        if "resultDescription" not in result:
            if "achievedLevel" in result:
                problems.add(f"{where}/resultDescription", "must say of which description it is a level", "missing")
            continue
        description = descriptions.get(result["resultDescription"])
        if description is None:
            detail = "must be the id of one of the achievement's resultDescriptions"
            problems.add(f"{where}/resultDescription", detail, "not_found")
            continue
        if "achievedLevel" in result and result["achievedLevel"] not in levels:
            detail = "must be the id of a level of one of the achievement's resultDescriptions"
            problems.add(f"{where}/achievedLevel", detail, "not_found")
        if description.get("resultType") == "Status" and "status" not in result:
            problems.add(f"{where}/status", "must be given: its description's resultType is Status", "missing")
        if problem := checks.value_problem(result.get("value"), description):
            problems.add(f"{where}/value", problem, "not_allowed")

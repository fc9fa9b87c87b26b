"""The endorsements in a badge: OB 3.0, 9.1, step 6, and 9.2 (verifying an EndorsementCredential).

An endorsement is in the badge, its issuer or its achievement, as a credential or as a token, and is verified like a
badge: structure, contexts, schema, proof, refresh, status, dates. A forged or malformed one fails, because the badge
shows it to people. One that is no longer valid, or whose validity is unknown, is only a warning: its author is a third
party, who must not be able to invalidate the badge by what they publish or stop publishing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, TypeVar

from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, id_of, object_of, objects, text_of
from lapel.errors import LapelError
from lapel.services.verifying.data_model.structure import is_endorsement
from lapel.services.verifying.reading import Document, Token
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = [
    "ENDORSEMENTS_TIME",
    "MAX_ENDORSEMENTS",
    "VerifiedEndorsement",
    "VerifyEndorsement",
    "check_each",
    "check_endorsements",
    "time_for_endorsements",
]

_Item = TypeVar("_Item")

_check: Final = partial(new_check, CheckCode.ENDORSEMENTS)

MAX_ENDORSEMENTS: Final = 4
"""How many endorsements of a badge are verified, in its order, because each may need fetches."""

ENDORSEMENTS_TIME: Final = 8.0
"""How many seconds all endorsements of a badge may take together: less than a verification may."""

_SHARE_OF_TIME: Final = 0.8
"""The share of the remaining time for endorsements, so that some is left to report that it was used up."""

# With these problems, a genuine endorsement is not valid at this date, or its author has withdrawn its key.
_LAPSED: Final = frozenset({Problem.KEY_EXPIRED, Problem.KEY_REVOKED, Problem.PROOF_EXPIRED, Problem.PROOF_FROM_FUTURE})
# With these problems, its author's key cannot be determined, so that the endorsement is neither proven nor forged.
_KEY_UNKNOWN: Final = frozenset(
    {Problem.KEY_NOT_FOUND, Problem.KEY_NOT_AUTHORISED, Problem.KEY_INVALID}
    | {Problem.DOCUMENT_INVALID, Problem.DOCUMENT_ID}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEndorsement:
    """An endorsement and its checks.

    Attributes:
        credential: None if it could not be read.
        secured: the checks of steps 1 and 2: conformity and proof.
        standing: the checks of its status and dates.
    """

    credential: JsonObject | None
    secured: Sequence[Check]
    standing: Sequence[Check]


VerifyEndorsement: TypeAlias = Callable[[Document | Token], Awaitable[VerifiedEndorsement]]


async def check_endorsements(
    credential: JsonObject, *, holds: bool, verify: VerifyEndorsement, seconds: float
) -> Sequence[Check]:
    """Return the checks ``endorsements`` of a credential. For the arguments see `check_each`."""
    check = partial(_check_one, credential=credential, verify=verify)
    return await check_each(list(_endorsements(credential)), check, holds=holds, seconds=seconds)


def time_for_endorsements(wanted: float, end: float) -> float:
    """Return the seconds that endorsements may take: `wanted`, or less if `end`, in event loop time, is near."""
    return min(wanted, _SHARE_OF_TIME * (end - asyncio.get_running_loop().time()))


async def check_each(
    items: Sequence[_Item], check: Callable[[_Item], Awaitable[Check]], *, holds: bool, seconds: float
) -> Sequence[Check]:
    """Return a check ``endorsements`` for each of the first MAX_ENDORSEMENTS items, and a skipped one for the others.

    Args:
        holds: no check of the badge has failed so far. If one has, the endorsements are skipped.
        seconds: for all of them together; 0 to skip them. Each may take an equal share of the remaining time.
    """
    if not items:
        return ()
    if not holds or seconds <= 0:
        sentence = "What others say in favour of the badge was not looked at"
        sentence += "." if holds else ", since the badge itself does not hold."
        return (_check(Outcome.SKIP, sentence, Problem.NOT_CHECKED, None),)
    first = items[:MAX_ENDORSEMENTS]
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    checks = [
        await _check_in_time(check(item), seconds=(end - clock()) / (len(first) - index))
        for index, item in enumerate(first)
    ]
    if (skipped := len(items) - len(checks)) > 0:
        sentence = f"The badge has {skipped:,} further endorsements, which were not looked at."
        checks.append(_check(Outcome.SKIP, sentence, Problem.NOT_CHECKED, None))
    return checks


def _endorsements(credential: JsonObject) -> Iterator[Document | Token]:
    for holder in _holders(credential):
        yield from (Document(item) for item in objects(holder.get("endorsement")))
        yield from (Token(item) for item in as_list(holder.get("endorsementJwt")) if isinstance(item, str))


def _holders(credential: JsonObject) -> Sequence[JsonObject]:
    """Return the objects that may be endorsed: the badge, its achievement, and the profiles in it."""
    subject = object_of(credential.get("credentialSubject"))
    achievement = object_of(subject.get("achievement"))
    profiles = (credential.get("issuer"), achievement.get("creator"), subject.get("source"))
    return (credential, achievement, *(object_of(profile) for profile in profiles))


async def _check_in_time(check: Awaitable[Check], *, seconds: float) -> Check:
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            return await check
    except TimeoutError:
        if not timeout.expired():
            raise
        sentence = "An endorsement took too long to verify, so that whether it is genuine could not be told."
        return _check(Outcome.WARN, sentence, Problem.TIMED_OUT, f"{max(0.0, seconds):.1f} s")


async def _check_one(given: Document | Token, *, credential: JsonObject, verify: VerifyEndorsement) -> Check:
    try:
        verified = await verify(given)
    except LapelError as error:
        return _check(Outcome.FAIL, "An endorsement cannot be read.", Problem.ENDORSEMENT_INVALID, error.detail)
    endorsement = verified.credential or {}
    by = text_of(object_of(endorsement.get("issuer")).get("name")) or id_of(endorsement.get("issuer")) or "somebody"
    by = by[:200]
    failed = [check for check in verified.secured if check.outcome is Outcome.FAIL]
    if (bad := next((check for check in failed if check.problem not in _LAPSED | _KEY_UNKNOWN), None)) is not None:
        sentence = f"The endorsement by {by} does not hold: it is not genuine, or not built as it should be."
        return _check(Outcome.FAIL, sentence, Problem.ENDORSEMENT_INVALID, f"{bad.code}: {bad.sentence}")
    if verified.credential is not None and not is_endorsement(endorsement):
        sentence = "What is given as an endorsement is none."
        return _check(Outcome.FAIL, sentence, Problem.ENDORSEMENT_INVALID, id_of(endorsement))
    if (lapsed := next((check for check in failed if check.problem in _LAPSED), None)) is not None:
        sentence = f"The endorsement by {by} does not count any more, or not yet."
        return _check(Outcome.WARN, sentence, Problem.ENDORSEMENT_LAPSED, f"{lapsed.code}: {lapsed.sentence}")
    if (unknown := next(iter(failed), None) or _first(verified.secured, Outcome.UNKNOWN)) is not None:
        sentence = f"Whether the endorsement is really by {by} could not be told."
        return _check(Outcome.WARN, sentence, Problem.NOT_CHECKED, f"{unknown.code}: {unknown.sentence}")
    endorsed = id_of(endorsement.get("credentialSubject"))
    if endorsed not in {id_of(holder) for holder in _holders(credential)} | {_subject_id(credential)}:
        sentence = f"The endorsement by {by} is of something else than this badge."
        return _check(Outcome.WARN, sentence, Problem.ENDORSEMENT_ELSEWHERE, endorsed)
    if (lapsed := _first(verified.standing, Outcome.FAIL)) is not None:
        sentence = f"The endorsement by {by} does not count any more, or not yet."
        return _check(Outcome.WARN, sentence, Problem.ENDORSEMENT_LAPSED, lapsed.sentence)
    if (unknown := _first(verified.standing, Outcome.UNKNOWN)) is not None:
        sentence = f"Whether the endorsement by {by} still counts could not be told."
        return _check(Outcome.WARN, sentence, Problem.NOT_CHECKED, unknown.sentence)
    return _check(Outcome.PASS, f"The endorsement by {by} is genuine.", None, None)


def _subject_id(credential: JsonObject) -> str | None:
    return id_of(object_of(credential.get("credentialSubject")).get("id"))


def _first(checks: Sequence[Check], outcome: Outcome) -> Check | None:
    return next((check for check in checks if check.outcome is outcome), None)

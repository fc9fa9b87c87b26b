"""Endorsements that somebody else signed: read, verified, and embedded as they are (OB 3.0, EndorsementCredential)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from lapel.credentials.jose import vc_jwt
from lapel.credentials.jsonld import Contexts, NeedsGeneralPath, to_quads
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError
from lapel.openbadges.arbitrary_objects import arbitrary_object
from lapel.openbadges.contexts import CREDENTIALS_V2, OPEN_BADGES
from lapel.openbadges.endorsement import endorsement_problem, with_arrays
from lapel.openbadges.problems import Problems
from lapel.services.verifying import Outcome, Report

__all__ = ["Endorsements", "EndorsementsOfRequest", "Given", "VerifyText", "merged"]

MOST_OF_ONE: Final = 10
"""Endorsements that one object may have of either kind."""
MOST_AT_ONCE: Final = 50
"""Different endorsements that one request may bring along: each may need the network to be verified."""
_VERIFIED_AT_ONCE: Final = 4
_MOST_FETCHES: Final = 32
"""Documents of others that all endorsements of a request may make this server ask for."""
_LARGEST: Final = 64 * 1024

VerifyText: TypeAlias = Callable[[str], Awaitable[Report]]

Given: TypeAlias = "Sequence[Mapping[str, object]] | UnsetType | None"
"""``endorsement`` as a request has it."""


@dataclass(slots=True)
class EndorsementsOfRequest:
    """The endorsements that one request brings along in several objects.

    Attributes:
        verify: what verifies them all; None before the first.
        troubles: what is wrong with each that was verified; None where nothing is.
        seconds_left: how long the verification of more of them may take.
    """

    verify: VerifyText | None = None
    troubles: dict[str, str | None] = field(default_factory=dict)
    seconds_left: float = 30.0


class Endorsements:
    """Reads what callers want embedded.

    Args:
        verifier: makes what verifies the endorsements of one request, with at most so many fetches
            (`lapel.services.verifying.Verifying.several`).
    """

    def __init__(self, *, verifier: Callable[[int], VerifyText]) -> None:
        self._verifier = verifier

    async def read(
        self,
        problems: Problems,
        pointer: str,
        objects: Given,
        tokens: Sequence[str] | UnsetType | None,
        *,
        about: Collection[str],
        embedded: Sequence[JsonObject] = (),
        request: EndorsementsOfRequest | None = None,
    ) -> dict[str, JsonValue]:
        """The members ``endorsement`` and ``endorsementJwt`` as they are embedded; those that are UNSET are left out.

        Nothing is verified of a request that has problems already.

        Args:
            pointer: where the two stand.
            about: the ids of which an endorsement may speak here.
            embedded: objects of the same document; one endorsement in two of them makes anonymous twins.
            request: what the request has brought along before, in other objects.
        """
        found: dict[str, JsonValue] = {}
        texts: dict[str, str] = {}
        if objects is not UNSET:
            found["endorsement"] = list(
                self._objects(problems, f"{pointer}/endorsement", objects or (), about, _ids(embedded), texts)
            )
        if tokens is not UNSET:
            found["endorsementJwt"] = list(_tokens(problems, f"{pointer}/endorsementJwt", tokens or (), about, texts))
        if problems or not texts:
            return found
        await self._verify_all(problems, pointer, texts, request or EndorsementsOfRequest())
        return found

    async def _verify_all(
        self, problems: Problems, pointer: str, texts: Mapping[str, str], request: EndorsementsOfRequest
    ) -> None:
        known = request.troubles
        new = [text for text in dict.fromkeys(texts.values()) if text not in known]
        if len(known) + len(new) > MOST_AT_ONCE:
            problems.add(pointer, f"must have at most {MOST_AT_ONCE} different endorsements", "too_many")
            return
        verify = request.verify = request.verify or self._verifier(_MOST_FETCHES)
        turns = asyncio.Semaphore(_VERIFIED_AT_ONCE)

        async def one(text: str) -> str | None:
            async with turns:
                return await _trouble(text, verify)

        start = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, request.seconds_left)):
                known.update(zip(new, await asyncio.gather(*map(one, new)), strict=True))
        except TimeoutError:
            problems.add(pointer, "took too long to verify", "endorsement_unverified")
            return
        finally:
            request.seconds_left -= time.monotonic() - start
        for where, text in texts.items():
            if trouble := known[text]:
                problems.add(where, trouble, "endorsement_unverified")

    def _objects(
        self,
        problems: Problems,
        pointer: str,
        items: Sequence[Mapping[str, object]],
        about: Collection[str],
        known: Collection[JsonValue],
        texts: dict[str, str],
    ) -> Sequence[JsonObject]:
        """Each in the form in which it is embedded; its JSON is added to `texts` under its pointer."""
        if not problems.count(items, pointer, most=MOST_OF_ONE):
            return ()
        found: list[JsonObject] = []
        for index, item in enumerate(items):
            where = f"{pointer}/{index}"
            endorsement = arbitrary_object(problems, item, where, max_bytes=_LARGEST)
            if endorsement is None:
                continue
            endorsement = with_arrays(endorsement)
            trouble = endorsement_problem(endorsement, about=about) or _unsignable(endorsement)
            if trouble:
                problems.add(where, trouble, "bad_endorsement")
            elif endorsement["id"] in known:
                problems.add(where, "is in the achievement or its issuer already", "repeated")
            elif any(endorsement["id"] == earlier["id"] for earlier in found):
                problems.add(f"{where}/id", "must not be the id of an earlier item", "repeated")
            else:
                found.append(endorsement)
                texts[where] = msgspec.json.encode(endorsement).decode()
        return found


async def _trouble(text: str, verify: VerifyText) -> str | None:
    """Why this is not to be embedded; None where it verifies."""
    try:
        report = await verify(text)
    except LapelError as error:
        return f"cannot be verified: {error.detail}"
    if report.valid is True:
        return None
    # What fails tells more than what could not be told.
    for outcome in (Outcome.FAIL, Outcome.UNKNOWN):
        for check in report.checks:
            if check.outcome is outcome:
                return f"does not verify: {check.sentence}"
    return "does not verify"


def _ids(embedded: Sequence[JsonObject]) -> set[JsonValue]:
    """The ids of the endorsements in these objects."""
    found: set[JsonValue] = set()
    for members in embedded:
        endorsements = members.get("endorsement", ())
        if isinstance(endorsements, Sequence):
            found |= {item.get("id") for item in endorsements if isinstance(item, Mapping)}
    return found


def merged(members: JsonObject, endorsements: JsonObject) -> dict[str, JsonValue]:
    """Further members with other endorsements: an empty list takes them away."""
    return {name: value for name, value in {**members, **endorsements}.items() if value != []}


def _tokens(
    problems: Problems, pointer: str, items: Sequence[str], about: Collection[str], texts: dict[str, str]
) -> Sequence[str]:
    if not problems.count(items, pointer, most=MOST_OF_ONE):
        return ()
    for index, token in enumerate(items):
        where = f"{pointer}/{index}"
        if len(token) > _LARGEST:
            problems.add(where, f"must have at most {_LARGEST:,} characters, not {len(token):,}", "too_large")
        elif token in items[:index]:
            problems.add(where, "must not repeat an earlier item", "repeated")
        elif trouble := _token_problem(token, about):
            problems.add(where, trouble, "bad_endorsement")
        else:
            texts[where] = token
    return items


def _token_problem(token: str, about: Collection[str]) -> str | None:
    try:
        credential = vc_jwt.decode(token).credential
    except LapelError as error:
        return f"must be a signed endorsement: {error.detail}"
    return endorsement_problem(with_arrays(credential), about=about)


def _unsignable(endorsement: JsonObject) -> str | None:
    """Why what embeds this could not be signed."""
    document: JsonObject = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES],
        "type": ["Achievement"],
        "endorsement": [endorsement],
    }
    try:
        to_quads(document, contexts=Contexts.bundled())
    except NeedsGeneralPath:
        return "must name its contexts by their addresses, and use only those features of JSON-LD that badges use"
    except LapelError as error:
        return f"cannot be embedded: {error.detail}"
    return None

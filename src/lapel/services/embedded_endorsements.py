"""Endorsements that others signed, which are verified and embedded unchanged (OB 3.0, EndorsementCredential)."""

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
from lapel.domain.json_members import objects
from lapel.errors import LapelError
from lapel.openbadges.arbitrary_objects import arbitrary_object
from lapel.openbadges.contexts import CREDENTIALS_V2, OPEN_BADGES
from lapel.openbadges.endorsement import endorsement_problem, with_arrays
from lapel.openbadges.problems import Problems
from lapel.services.verifying import Outcome, Report

__all__ = ["Endorsements", "EndorsementsOfRequest", "VerifyText", "with_endorsements"]

MAX_PER_OBJECT: Final = 10
"""How many endorsements of either kind one object may have."""
MAX_PER_REQUEST: Final = 50
"""How many different endorsements one request may have: to verify each may need the network."""
_MAX_CONCURRENT: Final = 4
_MAX_FETCHES: Final = 32
"""How many documents of other servers are fetched for all endorsements of a request together."""
_MAX_BYTES: Final = 64 * 1024

VerifyText: TypeAlias = Callable[[str], Awaitable[Report]]


@dataclass(slots=True)
class EndorsementsOfRequest:
    """The endorsements that one request has in several objects.

    Attributes:
        verify: verifies all of them; None before the first.
        problems: by the text of each verified endorsement, the problem with it, or None.
        seconds_left: how long the verification of further ones may take.
    """

    verify: VerifyText | None = None
    problems: dict[str, str | None] = field(default_factory=dict)
    seconds_left: float = 30.0


class Endorsements:
    """Reads and verifies the endorsements that requests want embedded.

    Args:
        verifier: returns a function that verifies the endorsements of one request with at most the given number of
            fetches (`lapel.services.verifying.Verifying.several`).
    """

    def __init__(self, *, verifier: Callable[[int], VerifyText]) -> None:
        self._verifier = verifier

    async def read(
        self,
        problems: Problems,
        pointer: str,
        objects: Sequence[Mapping[str, object]] | UnsetType | None,
        tokens: Sequence[str] | UnsetType | None,
        *,
        about: Collection[str],
        embedded: Sequence[JsonObject] = (),
        request: EndorsementsOfRequest | None = None,
    ) -> dict[str, JsonValue]:
        """Return ``endorsement`` and ``endorsementJwt`` as they are to be embedded, without those that are UNSET.

        Nothing is verified for a request that has problems already.

        Args:
            pointer: the object that has the two members.
            about: the ids that an endorsement may be about.
            embedded: other objects of the same document. An endorsement in two of them is refused, because its blank
                nodes could not be told apart.
            request: the endorsements that other objects of the same request had.
        """
        members: dict[str, JsonValue] = {}
        texts: dict[str, str] = {}
        if objects is not UNSET:
            members["endorsement"] = list(
                _objects(problems, f"{pointer}/endorsement", objects or (), about, _ids(embedded), texts)
            )
        if tokens is not UNSET:
            members["endorsementJwt"] = list(_tokens(problems, f"{pointer}/endorsementJwt", tokens or (), about, texts))
        if problems or not texts:
            return members
        await self._verify_all(problems, pointer, texts, request or EndorsementsOfRequest())
        return members

    async def _verify_all(
        self, problems: Problems, pointer: str, texts: Mapping[str, str], request: EndorsementsOfRequest
    ) -> None:
        verified = request.problems
        new = [text for text in dict.fromkeys(texts.values()) if text not in verified]
        if len(verified) + len(new) > MAX_PER_REQUEST:
            problems.add(pointer, f"must have at most {MAX_PER_REQUEST} different endorsements", "too_many")
            return
        verify = request.verify = request.verify or self._verifier(_MAX_FETCHES)
        limit = asyncio.Semaphore(_MAX_CONCURRENT)

        async def verify_one(text: str) -> str | None:
            async with limit:
                return await _verification_problem(text, verify)

        start = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, request.seconds_left)):
                verified.update(zip(new, await asyncio.gather(*map(verify_one, new)), strict=True))
        except TimeoutError:
            problems.add(pointer, "took too long to verify", "endorsement_unverified")
            return
        finally:
            request.seconds_left -= time.monotonic() - start
        for where, text in texts.items():
            if problem := verified[text]:
                problems.add(where, problem, "endorsement_unverified")


def _objects(
    problems: Problems,
    pointer: str,
    items: Sequence[Mapping[str, object]],
    about: Collection[str],
    embedded_ids: Collection[JsonValue],
    texts: dict[str, str],
) -> Sequence[JsonObject]:
    """Return each endorsement in the form to be embedded, and add its JSON to `texts` under its pointer."""
    if not problems.count(items, pointer, max_items=MAX_PER_OBJECT):
        return ()
    accepted: list[JsonObject] = []
    for index, item in enumerate(items):
        where = f"{pointer}/{index}"
        endorsement = arbitrary_object(problems, item, where, max_bytes=_MAX_BYTES)
        if endorsement is None:
            continue
        endorsement = with_arrays(endorsement)
        problem = endorsement_problem(endorsement, about=about) or _signing_problem(endorsement)
        if problem:
            problems.add(where, problem, "bad_endorsement")
        elif endorsement["id"] in embedded_ids:
            problems.add(where, "is in the achievement or its issuer already", "repeated")
        elif any(endorsement["id"] == earlier["id"] for earlier in accepted):
            problems.add(f"{where}/id", "must not be the id of an earlier item", "repeated")
        else:
            accepted.append(endorsement)
            texts[where] = msgspec.json.encode(endorsement).decode()
    return accepted


async def _verification_problem(text: str, verify: VerifyText) -> str | None:
    """Return why this endorsement cannot be embedded; None if it verifies."""
    try:
        report = await verify(text)
    except LapelError as error:
        return f"cannot be verified: {error.detail}"
    if report.valid is True:
        return None
    # A failed check says more than one whose outcome is unknown.
    for outcome in (Outcome.FAIL, Outcome.UNKNOWN):
        for check in report.checks:
            if check.outcome is outcome:
                return f"does not verify: {check.sentence}"
    return "does not verify"


def _ids(embedded: Sequence[JsonObject]) -> set[JsonValue]:
    """Return the ids of the endorsements in these objects."""
    return {item.get("id") for members in embedded for item in objects(members.get("endorsement"))}


def with_endorsements(members: JsonObject, endorsements: JsonObject) -> dict[str, JsonValue]:
    """Return `members` with these ``endorsement`` and ``endorsementJwt``; an empty list removes the member."""
    return {name: value for name, value in {**members, **endorsements}.items() if value != []}


def _tokens(
    problems: Problems, pointer: str, items: Sequence[str], about: Collection[str], texts: dict[str, str]
) -> Sequence[str]:
    if not problems.count(items, pointer, max_items=MAX_PER_OBJECT):
        return ()
    for index, token in enumerate(items):
        where = f"{pointer}/{index}"
        if len(token) > _MAX_BYTES:
            problems.add(where, f"must have at most {_MAX_BYTES:,} characters, not {len(token):,}", "too_large")
        elif token in items[:index]:
            problems.add(where, "must not repeat an earlier item", "repeated")
        elif problem := _token_problem(token, about):
            problems.add(where, problem, "bad_endorsement")
        else:
            texts[where] = token
    return items


def _token_problem(token: str, about: Collection[str]) -> str | None:
    try:
        credential = vc_jwt.decode(token).credential
    except LapelError as error:
        return f"must be a signed endorsement: {error.detail}"
    return endorsement_problem(with_arrays(credential), about=about)


def _signing_problem(endorsement: JsonObject) -> str | None:
    """Return why a credential that embeds this endorsement could not be signed."""
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

"""What others say in favour of an Open Badge 2.0: its ``endorsement``, and that of its badge class and its issuer.

An Endorsement is hosted or signed like an assertion (OB 2.0, "Endorsement"), and is verified like one: where it is
hosted, its host is what is true, and it must be where its own issuer keeps what it awards. Whatever is found is at most
a warning: the standard lets no badge depend on its endorsements, and most are links that others can change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from lapel.credentials.jose.vc_jwt import VcJwt, looks_like_jwt
from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, Documents
from lapel.services.verifying.endorsements import check_each
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import as_list, id_of, object_of, text_of
from lapel.services.verifying.open_badges_2.assertion import (
    Badge,
    check_assertion_validity,
    check_issuer,
    is_hosted,
    is_looked_up,
    missing_in_endorsement,
    stray,
)
from lapel.services.verifying.open_badges_2.hosted import differences
from lapel.services.verifying.open_badges_2.signed import SignedVerification
from lapel.services.verifying.open_badges_2.spelling import plain, plain_token
from lapel.services.verifying.reading import Document, Token, decoded, read_large
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, made

__all__ = ["EndorsementsVerification"]

_warn: Final = partial(made, CheckCode.ENDORSEMENTS, Outcome.WARN)
_OVER: Final = frozenset({Problem.REVOKED, Problem.EXPIRED, Problem.NOT_YET_VALID})


class EndorsementsVerification:
    """Verifies the endorsements of one badge."""

    def __init__(self, *, documents: Documents, now: datetime) -> None:
        self._documents = documents
        self._now = now
        self._signed = SignedVerification(documents=documents, now=now)

    async def check(self, badge: Badge, findings: Findings, *, seconds: float) -> None:
        """Add the checks ``endorsements``; `seconds` as in `check_each`."""
        holders = (badge.assertion, badge.badge_class, badge.issuer)
        given = [item for holder in holders for item in as_list(holder.get("endorsement"))]
        endorsed = frozenset(name for holder in holders if (name := id_of(holder)) is not None)
        holds = all(check.outcome is not Outcome.FAIL for check in findings.checks)
        findings.add(
            *await check_each(given, partial(self._check_one, endorsed=endorsed), holds=holds, seconds=seconds)
        )

    async def _check_one(self, given: JsonValue, *, endorsed: frozenset[str]) -> Check:
        try:
            if isinstance(given, str) and looks_like_jwt(given):
                token = await plain_token(await decoded(Token(given)))
                if not is_hosted(token.claims):
                    return await self._judged(token.claims, endorsed, token=token)
                given = token.claims  # whose host answers for it needs no signature
            return await self._linked(given, endorsed)
        except FetchNotFound as error:
            if error.status == 410:
                return _lapsed({}, "Its host has taken it back.")
            return _warn("An endorsement is not where it should be.", Problem.ENDORSEMENT_INVALID, id_of(given))
        except FetchFailed as error:
            return _warn("An endorsement cannot be fetched.", Problem.NOT_CHECKED, error.detail)
        except LapelError as error:
            return _warn("An endorsement cannot be read.", Problem.ENDORSEMENT_INVALID, error.detail)

    async def _linked(self, given: JsonValue, endorsed: frozenset[str]) -> Check:
        """One behind an address, or behind the id of what the badge has of it."""
        address = id_of(given)
        if address is None:
            return _warn("An endorsement cannot be read.", Problem.ENDORSEMENT_INVALID, "It has no id.")
        fetched = await self._documents.get(address, accept=ACCEPT_CREDENTIAL)
        found = await read_large(fetched.body)
        if isinstance(found, Token):
            token = await plain_token(await decoded(found))
            return await self._judged(token.claims, endorsed, token=token)
        if not isinstance(found, Document):
            return _warn("What is given as an endorsement is none.", Problem.ENDORSEMENT_INVALID, address)
        endorsement = await plain(found.value)
        if endorsement.get("revoked") is True:
            return _lapsed(endorsement, text_of(endorsement.get("revocationReason")))
        if endorsement.get("id") != address:
            return _unsound(endorsement, "What is at its address says that it is another one.")
        shown = object_of(given)
        if different := [name for name in differences(shown, endorsement) if name in shown]:
            return _unsound(endorsement, f"Its host has it with another content: {', '.join(different[:20])}.")
        if not is_looked_up(endorsement):
            return _untold(endorsement, "It comes without a signature, and does not say that its host answers for it.")
        return await self._judged(endorsement, endorsed, landed=fetched.url)

    async def _judged(
        self, endorsement: JsonObject, endorsed: frozenset[str], *, landed: str = "", token: VcJwt | None = None
    ) -> Check:
        """The verdict on one whose host has it, `landed` after all redirects, or that is the claims of a token."""
        if wrong := missing_in_endorsement(endorsement):
            return _unsound(endorsement, f"{', '.join(wrong)}: missing or wrong.")
        if (claimed := id_of(endorsement.get("claim"))) not in endorsed:
            sentence = f"The endorsement by {_author(endorsement)} is of something else than this badge."
            return _warn(sentence, Problem.ENDORSEMENT_ELSEWHERE, claimed)
        issuer, issuer_check = await check_issuer(endorsement["issuer"], self._documents)
        if issuer_check.outcome is not Outcome.PASS:
            return _untold(endorsement, issuer_check.sentence)
        badge = Badge(assertion={**endorsement, "issuer": issuer}, badge_class={}, issuer=issuer)
        checks = [check_assertion_validity(endorsement, now=self._now)]
        if token is not None:
            checks = [
                *await self._signed.signature(token, badge),
                await self._signed.status(badge, trusted=True),
                *checks,
            ]
        elif (place := stray(issuer, [text_of(endorsement.get("id")) or "", landed])) is not None:
            return _unsound(badge.assertion, f"It is not where its issuer keeps what it awards: {place[:200]}.")
        return _verdict(badge.assertion, checks)


def _verdict(endorsement: JsonObject, checks: Sequence[Check]) -> Check:
    failed = [check for check in checks if check.outcome is Outcome.FAIL]
    if (bad := next((check for check in failed if check.code is CheckCode.SIGNATURE), None)) is not None:
        return _unsound(endorsement, bad.sentence)
    if (late := next((check for check in failed if check.problem in _OVER), None)) is not None:
        return _lapsed(endorsement, late.sentence)
    if (
        untold := next((check for check in checks if check.outcome in (Outcome.FAIL, Outcome.UNKNOWN)), None)
    ) is not None:
        return _untold(endorsement, untold.sentence)
    sentence = f"The endorsement by {_author(endorsement)} is genuine."
    return made(CheckCode.ENDORSEMENTS, Outcome.PASS, sentence, None)


def _author(endorsement: JsonObject) -> str:
    issuer = endorsement.get("issuer")
    return (text_of(object_of(issuer).get("name")) or id_of(issuer) or "somebody")[:200]


def _unsound(endorsement: JsonObject, detail: str) -> Check:
    sentence = (
        f"The endorsement by {_author(endorsement)} does not hold: it is not genuine, or not built as it should be."
    )
    return _warn(sentence, Problem.ENDORSEMENT_INVALID, detail)


def _lapsed(endorsement: JsonObject, detail: str | None) -> Check:
    sentence = f"The endorsement by {_author(endorsement)} does not count any more, or not yet."
    return _warn(sentence, Problem.ENDORSEMENT_LAPSED, detail)


def _untold(endorsement: JsonObject, detail: str) -> Check:
    sentence = f"Whether the endorsement is really by {_author(endorsement)} could not be told."
    return _warn(sentence, Problem.NOT_CHECKED, detail)

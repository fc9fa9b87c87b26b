"""The endorsements of an Open Badge 2.0: the ``endorsement`` of the assertion, its badge class and its issuer.

An Endorsement is hosted or signed, and verified, like an assertion (OB 2.0, "Endorsement"). A hosted one is verified as
its host publishes it, and must be where its own issuer's assertions are. A problem is at most a warning: by the
standard, no badge depends on its endorsements, and most are links to documents that others can change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from lapel.credentials.jose.vc_jwt import VcJwt, looks_like_jwt
from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, id_of, object_of, text_of
from lapel.errors import LapelError
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, Documents
from lapel.services.verifying.endorsements import check_each
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.open_badges_2.assertion import (
    Badge,
    check_assertion_validity,
    check_issuer,
    is_hosted,
    is_verified_by_host,
    misplaced_address,
    missing_in_endorsement,
)
from lapel.services.verifying.open_badges_2.hosted import differences
from lapel.services.verifying.open_badges_2.normal_form import normalised, normalised_token
from lapel.services.verifying.open_badges_2.signed import SignedVerification
from lapel.services.verifying.reading import Document, Token, decoded, read_large
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = ["EndorsementsVerification"]

_warn: Final = partial(new_check, CheckCode.ENDORSEMENTS, Outcome.WARN)
_LAPSED: Final = frozenset({Problem.REVOKED, Problem.EXPIRED, Problem.NOT_YET_VALID})


class EndorsementsVerification:
    """Verifies the endorsements of one badge."""

    def __init__(self, *, documents: Documents, now: datetime) -> None:
        self._documents = documents
        self._now = now
        self._signed = SignedVerification(documents=documents, now=now)

    async def check(self, badge: Badge, findings: Findings, *, seconds: float) -> None:
        """Add the checks ``endorsements``. For `seconds` see `check_each`."""
        holders = (badge.assertion, badge.badge_class, badge.issuer)
        items = [item for holder in holders for item in as_list(holder.get("endorsement"))]
        endorsable = frozenset(name for holder in holders if (name := id_of(holder)) is not None)
        holds = all(check.outcome is not Outcome.FAIL for check in findings.checks)
        findings.add(
            *await check_each(items, partial(self._check_one, endorsable=endorsable), holds=holds, seconds=seconds)
        )

    async def _check_one(self, given: JsonValue, *, endorsable: frozenset[str]) -> Check:
        try:
            if isinstance(given, str) and looks_like_jwt(given):
                token = await normalised_token(await decoded(Token(given)))
                if not is_hosted(token.claims):
                    return await self._verify(token.claims, endorsable, token=token)
                given = token.claims  # verified by its host, without its signature
            return await self._verify_linked(given, endorsable)
        except FetchNotFound as error:
            if error.status == 410:
                return _lapsed({}, "Its host has taken it back.")
            return _warn("An endorsement is not where it should be.", Problem.ENDORSEMENT_INVALID, id_of(given))
        except FetchFailed as error:
            return _warn("An endorsement cannot be fetched.", Problem.NOT_CHECKED, error.detail)
        except LapelError as error:
            return _warn("An endorsement cannot be read.", Problem.ENDORSEMENT_INVALID, error.detail)

    async def _verify_linked(self, given: JsonValue, endorsable: frozenset[str]) -> Check:
        """Return the check of an endorsement at an address, or at the id of an embedded one."""
        address = id_of(given)
        if address is None:
            return _warn("An endorsement cannot be read.", Problem.ENDORSEMENT_INVALID, "It has no id.")
        fetched = await self._documents.get(address, accept=ACCEPT_CREDENTIAL)
        read = await read_large(fetched.body)
        if isinstance(read, Token):
            token = await normalised_token(await decoded(read))
            return await self._verify(token.claims, endorsable, token=token)
        if not isinstance(read, Document):
            return _warn("What is given as an endorsement is none.", Problem.ENDORSEMENT_INVALID, address)
        endorsement = await normalised(read.value)
        if endorsement.get("revoked") is True:
            return _lapsed(endorsement, text_of(endorsement.get("revocationReason")))
        if endorsement.get("id") != address:
            return _invalid(endorsement, "What is at its address says that it is another one.")
        embedded = object_of(given)
        if different := [name for name in differences(embedded, endorsement) if name in embedded]:
            return _invalid(endorsement, f"Its host has it with another content: {', '.join(different[:20])}.")
        if not is_verified_by_host(endorsement):
            return _unknown(endorsement, "It comes without a signature, and does not say that its host answers for it.")
        return await self._verify(endorsement, endorsable, final_url=fetched.url)

    async def _verify(
        self, endorsement: JsonObject, endorsable: frozenset[str], *, final_url: str = "", token: VcJwt | None = None
    ) -> Check:
        """Return the check of a hosted endorsement, from `final_url` after all redirects, or of a token's claims."""
        if wrong := missing_in_endorsement(endorsement):
            return _invalid(endorsement, f"{', '.join(wrong)}: missing or wrong.")
        if (endorsed := id_of(endorsement.get("claim"))) not in endorsable:
            sentence = f"The endorsement by {_author(endorsement)} is of something else than this badge."
            return _warn(sentence, Problem.ENDORSEMENT_ELSEWHERE, endorsed)
        issuer, issuer_check = await check_issuer(endorsement["issuer"], self._documents)
        if issuer_check.outcome is not Outcome.PASS:
            return _unknown(endorsement, issuer_check.sentence)
        badge = Badge(assertion={**endorsement, "issuer": issuer}, badge_class={}, issuer=issuer)
        checks = [check_assertion_validity(endorsement, now=self._now)]
        if token is not None:
            checks = [
                *await self._signed.signature(token, badge),
                await self._signed.status(badge, trusted=True),
                *checks,
            ]
        elif (address := misplaced_address(issuer, [text_of(endorsement.get("id")) or "", final_url])) is not None:
            return _invalid(badge.assertion, f"It is not where its issuer keeps what it awards: {address[:200]}.")
        return _verdict(badge.assertion, checks)


def _verdict(endorsement: JsonObject, checks: Sequence[Check]) -> Check:
    failed = [check for check in checks if check.outcome is Outcome.FAIL]
    if (forged := next((check for check in failed if check.code is CheckCode.SIGNATURE), None)) is not None:
        return _invalid(endorsement, forged.sentence)
    if (lapsed := next((check for check in failed if check.problem in _LAPSED), None)) is not None:
        return _lapsed(endorsement, lapsed.sentence)
    if (unknown := next((check for check in checks if not check.good), None)) is not None:
        return _unknown(endorsement, unknown.sentence)
    sentence = f"The endorsement by {_author(endorsement)} is genuine."
    return new_check(CheckCode.ENDORSEMENTS, Outcome.PASS, sentence, None)


def _author(endorsement: JsonObject) -> str:
    issuer = endorsement.get("issuer")
    return (text_of(object_of(issuer).get("name")) or id_of(issuer) or "somebody")[:200]


def _invalid(endorsement: JsonObject, detail: str) -> Check:
    sentence = (
        f"The endorsement by {_author(endorsement)} does not hold: it is not genuine, or not built as it should be."
    )
    return _warn(sentence, Problem.ENDORSEMENT_INVALID, detail)


def _lapsed(endorsement: JsonObject, detail: str | None) -> Check:
    sentence = f"The endorsement by {_author(endorsement)} does not count any more, or not yet."
    return _warn(sentence, Problem.ENDORSEMENT_LAPSED, detail)


def _unknown(endorsement: JsonObject, detail: str) -> Check:
    sentence = f"Whether the endorsement is really by {_author(endorsement)} could not be told."
    return _warn(sentence, Problem.NOT_CHECKED, detail)

"""Hosted Open Badges 2.0: what is true is what the issuer's host says now (OB 2.0, "HostedBadge Verification").

The assertion, or endorsement, is asked for at its own id, and what is there is verified, whatever else was handed in;
its badge class and issuer are asked for at theirs. All three must live where the issuer says that its assertions live,
by default on its own host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError
from lapel.services.verifying.apart import apart
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import id_of, text_of
from lapel.services.verifying.open_badges_2.assertion import (
    Badge,
    check_assertion,
    check_assertion_recipient,
    check_assertion_validity,
    follow,
    is_endorsement_2,
    is_looked_up,
    is_open_badge_2,
    revoked,
    shown_assertion,
    stray,
)
from lapel.services.verifying.open_badges_2.spelling import read_plain
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, made

__all__ = ["FORMAT", "HostedVerification", "differences", "gone_assertion"]

FORMAT = "hosted"
# Which award it is: the rest may have been edited since a copy was made.
_IDENTIFYING: Final = ("id", "badge", "issuer", "claim")
_MOST_SHOWN: Final = 20
_hosted: Final = partial(made, CheckCode.HOSTED)
_UNTOLD: Final = made(CheckCode.STATUS, Outcome.UNKNOWN, "Whether it is revoked cannot be told.", Problem.NOT_CHECKED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the host of an assertion says.

    Attributes:
        check: the check ``hosted``.
        landed: where it was in the end.
        assertion: None where there is none to go on with.
        status: the check ``status``.
    """

    check: Check
    landed: str
    assertion: JsonObject | None = None
    status: Check = _UNTOLD


async def gone_assertion(address: str, body: bytes, findings: Findings) -> bool:
    """Whether a 410 is the answer of an OB 2.0 host about a revoked assertion; if so, the findings say that."""
    try:
        answer = await read_plain(body)
    except LapelError:
        return False
    if answer.get("revoked") is not True and not is_open_badge_2(answer):
        return False
    badge = Badge(assertion={**answer, "id": address}, badge_class={}, issuer={})
    findings.shown = shown_assertion(badge, format_name=FORMAT)
    findings.add(revoked(text_of(answer.get("revocationReason"))))
    return True


class HostedVerification:
    """Verifies one hosted assertion."""

    def __init__(self, *, documents: Documents, now: datetime) -> None:
        self._documents = documents
        self._now = now

    async def document(self, given: JsonObject, findings: Findings, *, expected_recipient: str | None) -> Badge:
        """The checks of an assertion, or an endorsement, and what they are about. The findings grow meanwhile."""
        findings.shown = shown_assertion(Badge(assertion=given, badge_class={}, issuer={}), format_name=FORMAT)
        asked = await self._asked(given)
        assertion = asked.assertion or given
        findings.add(await apart(assertion, check_assertion, assertion), asked.check)
        badge, issuer_check = await follow(assertion, self._documents, findings)
        findings.shown = shown_assertion(badge, format_name=FORMAT)
        findings.add(_bound(issuer_check, badge, asked.landed))
        findings.add(asked.status)
        findings.add(check_assertion_validity(assertion, now=self._now))
        findings.add(check_assertion_recipient(assertion, expected_recipient))
        return badge

    async def _asked(self, given: JsonObject) -> _Asked:
        """What its host says of it."""
        address = text_of(given.get("id")) or ""
        try:
            fetched = await self._documents.get(address)
            hosted = await read_plain(fetched.body)
        except FetchNotFound as error:
            if error.status == 410:
                return _Asked(_answered(), address, status=revoked(await _reason(error.body)))
            sentence = "The issuer's host does not know it."
            return _Asked(_hosted(Outcome.FAIL, sentence, Problem.HOSTED_MISSING, address), address)
        except FetchFailed as error:
            sentence = "The issuer's host cannot be asked for it."
            return _Asked(_hosted(Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail), address)
        except LapelError as error:
            sentence = "The issuer's host answers with something else."
            return _Asked(_hosted(Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, error.detail), address)
        if hosted.get("revoked") is True:
            return _Asked(_answered(), fetched.url, status=revoked(text_of(hosted.get("revocationReason"))))
        good = made(CheckCode.STATUS, Outcome.PASS, "The issuer has not revoked it.")
        return _Asked(_compared(given, hosted), fetched.url, hosted, good)


def _answered() -> Check:
    return _hosted(Outcome.PASS, "The issuer's host answers for it.")


def _compared(given: JsonObject, hosted: JsonObject) -> Check:
    """What the host has is the assertion, if it "describes the expected achievement"; a copy only says where it is."""
    different = differences(given, hosted)
    detail = ", ".join(different[:_MOST_SHOWN])
    if not different:
        return _hosted(Outcome.PASS, "The issuer's host has this very document.")
    if is_looked_up(hosted) and not any(
        name in given and id_of(given[name]) != id_of(hosted.get(name)) for name in _IDENTIFYING
    ):
        sentence = "The issuer's host has it with another content by now. That is what counts, and what was checked."
        return _hosted(Outcome.WARN, sentence, Problem.HOSTED_DIFFERS, detail)
    return _hosted(Outcome.FAIL, "It is not what its issuer's host has.", Problem.HOSTED_DIFFERS, detail)


def _bound(check: Check, badge: Badge, landed: str) -> Check:
    """Assertions live where the issuer says, or on its own host, as their badge class does then.

    Args:
        landed: where the assertion was found in the end. A redirect may not lead out of the issuer's place.
    """
    if check.outcome is not Outcome.PASS:
        return check
    places = [text_of(badge.assertion.get("id")) or "", landed]
    beside = [] if is_endorsement_2(badge.assertion) else [text_of(badge.badge_class.get("id")) or ""]
    place = stray(badge.issuer, places, beside=beside)
    if place is None:
        return check
    sentence = "The badge is not where its issuer keeps its badges."
    return made(CheckCode.ISSUER, Outcome.FAIL, sentence, Problem.HOSTED_ELSEWHERE, place)


def differences(given: JsonObject, hosted: JsonObject) -> Sequence[str]:
    """The members that differ. A linked object may be embedded in one of the two."""
    names = (given.keys() | hosted.keys()) - {"@context"}
    return sorted(name for name in names if not _same(given.get(name), hosted.get(name)))


def _same(one: JsonValue, other: JsonValue) -> bool:
    if one == other:
        return True
    embedded = isinstance(one, Mapping) != isinstance(other, Mapping)
    return embedded and id_of(one) is not None and id_of(one) == id_of(other)


async def _reason(body: bytes) -> str | None:
    try:
        return text_of((await read_plain(body)).get("revocationReason"))
    except LapelError:
        return None

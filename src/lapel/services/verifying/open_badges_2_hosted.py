"""Hosted Open Badges 2.0: what is true is what the issuer's host says now (OB 2.0, "HostedBadge Verification").

The assertion is asked for at its own id and compared with what was handed in; its badge class and issuer are asked for
at theirs. All three must live where the issuer says that its assertions live, by default on its own host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from lapel.credentials.strict_json import read_object
from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError
from lapel.services.verifying.documents import Documents, read_document
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import id_of, text_of
from lapel.services.verifying.open_badges_2 import (
    Badge,
    check_assertion,
    check_assertion_recipient,
    check_assertion_validity,
    check_badge_class,
    check_issuer,
    revoked,
    shown_assertion,
    stray,
)
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, made

__all__ = ["FORMAT", "HostedVerification", "differences", "gone_assertion"]

FORMAT = "hosted"


def gone_assertion(address: str, body: bytes, findings: Findings) -> bool:
    """Whether a 410 is the answer of an OB 2.0 host about a revoked assertion; if so, the findings say that."""
    try:
        answer = read_object(body)
    except LapelError:
        return False
    if answer.get("revoked") is not True:
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
        """The checks of an assertion, and what they are about. The findings grow as they are made."""
        findings.shown = shown_assertion(Badge(assertion=given, badge_class={}, issuer={}), format_name=FORMAT)
        findings.add(check_assertion(given))
        hosted, status, landed = await self._hosted(given, findings)
        assertion = hosted or given
        badge_class, class_check = await check_badge_class(assertion.get("badge"), self._documents)
        findings.add(class_check)
        issuer, issuer_check = await check_issuer(badge_class.get("issuer"), self._documents)
        badge = Badge(assertion=assertion, badge_class=badge_class, issuer=issuer)
        findings.shown = shown_assertion(badge, format_name=FORMAT)
        findings.add(_bound(issuer_check, badge, landed))
        findings.add(status)
        findings.add(check_assertion_validity(assertion, now=self._now))
        findings.add(check_assertion_recipient(assertion, expected_recipient))
        return badge

    async def _hosted(self, given: JsonObject, findings: Findings) -> tuple[JsonObject | None, Check, str]:
        """The assertion as its host has it, and where it was in the end; ``hosted`` is added, ``status`` returned."""
        address = text_of(given.get("id")) or ""
        good = made(CheckCode.STATUS, Outcome.PASS, "The issuer has not revoked it.", None)
        untold = made(CheckCode.STATUS, Outcome.UNKNOWN, "Whether it is revoked cannot be told.", Problem.NOT_CHECKED)
        try:
            fetched = await self._documents.get(address)
            hosted = await read_document(fetched.body)
        except FetchNotFound as error:
            if error.status == 410:
                sentence = "The issuer's host answers for the assertion."
                findings.add(made(CheckCode.HOSTED, Outcome.PASS, sentence, None))
                return None, revoked(_reason(error.body)), address
            sentence = "The issuer's host does not know this assertion."
            findings.add(made(CheckCode.HOSTED, Outcome.FAIL, sentence, Problem.HOSTED_MISSING, address))
            return None, untold, address
        except FetchFailed as error:
            sentence = "The issuer's host cannot be asked for the assertion."
            findings.add(made(CheckCode.HOSTED, Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail))
            return None, untold, address
        except LapelError as error:
            sentence = "The issuer's host answers with something that is no assertion."
            findings.add(made(CheckCode.HOSTED, Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, error.detail))
            return None, untold, address
        if hosted.get("revoked") is True:
            sentence = "The issuer's host answers for the assertion."
            findings.add(made(CheckCode.HOSTED, Outcome.PASS, sentence, None))
            return None, revoked(text_of(hosted.get("revocationReason"))), fetched.url
        different = differences(given, hosted)
        if different:
            sentence = "The assertion is not what its issuer's host has."
            detail = ", ".join(different)
            findings.add(made(CheckCode.HOSTED, Outcome.FAIL, sentence, Problem.HOSTED_DIFFERS, detail))
        else:
            sentence = "The issuer's host has this very assertion."
            findings.add(made(CheckCode.HOSTED, Outcome.PASS, sentence, None))
        return hosted, good, fetched.url


def _bound(check: Check, badge: Badge, landed: str) -> Check:
    """Assertions live where the issuer says, or on its own host, as their badge class does then.

    Args:
        landed: where the assertion was found in the end. A redirect may not lead out of the issuer's place.
    """
    if check.outcome is not Outcome.PASS:
        return check
    places = [text_of(badge.assertion.get("id")) or "", landed]
    place = stray(badge.issuer, places, beside=[text_of(badge.badge_class.get("id")) or ""])
    if place is None:
        return check
    sentence = "The badge is not where its issuer keeps its badges."
    return made(CheckCode.ISSUER, Outcome.FAIL, sentence, Problem.HOSTED_ELSEWHERE, place)


def differences(given: JsonObject, hosted: JsonObject) -> Sequence[str]:
    """The members that differ. A linked object may be embedded in one of the two."""
    names = (given.keys() | hosted.keys()) - {"@context"}
    return sorted(name for name in names if not _same(given.get(name), hosted.get(name)))[:20]


def _same(one: JsonValue, other: JsonValue) -> bool:
    if one == other:
        return True
    embedded = isinstance(one, Mapping) != isinstance(other, Mapping)
    return embedded and id_of(one) is not None and id_of(one) == id_of(other)


def _reason(body: bytes) -> str | None:
    try:
        return text_of(read_object(body).get("revocationReason"))
    except LapelError:
        return None

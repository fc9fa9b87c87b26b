"""Hosted Open Badges 2.0: verify what the issuer's host publishes now (OB 2.0, "HostedBadge Verification").

The assertion, or endorsement, is fetched from its own id, and the fetched one is verified instead of the given one. Its
badge class and issuer are fetched from their ids. All three must be where the issuer says that its assertions are, by
default on its own host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import id_of, text_of
from lapel.errors import LapelError
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.offloading import offload_if_large
from lapel.services.verifying.open_badges_2.assertion import (
    Badge,
    check_assertion,
    check_assertion_recipient,
    check_assertion_validity,
    follow_links,
    is_endorsement_2,
    is_open_badge_2,
    is_verified_by_host,
    misplaced_address,
    revoked_check,
    shown_assertion,
)
from lapel.services.verifying.open_badges_2.normal_form import read_normalised
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = ["FORMAT", "HostedVerification", "differences", "report_gone_assertion"]

FORMAT = "hosted"
# The members that identify an award. The others may have been edited after the given copy was made.
_IDENTIFYING: Final = ("id", "badge", "issuer", "claim")
_MAX_SHOWN: Final = 20
_hosted: Final = partial(new_check, CheckCode.HOSTED)
_UNKNOWN_STATUS: Final = new_check(
    CheckCode.STATUS, Outcome.UNKNOWN, "Whether it is revoked cannot be told.", Problem.NOT_CHECKED
)


@dataclass(frozen=True, slots=True)
class _HostAnswer:
    """The answer of an assertion's host.

    Attributes:
        check: the check ``hosted``.
        final_url: the assertion's address after all redirects.
        assertion: None if there is none that can be used.
        status: the check ``status``.
    """

    check: Check
    final_url: str
    assertion: JsonObject | None = None
    status: Check = _UNKNOWN_STATUS


async def report_gone_assertion(address: str, body: bytes, findings: Findings) -> bool:
    """Add the check that an assertion is revoked, if this 410 answer of its host says so. Return whether it does."""
    try:
        answer = await read_normalised(body)
    except LapelError:
        return False
    if answer.get("revoked") is not True and not is_open_badge_2(answer):
        return False
    badge = Badge(assertion={**answer, "id": address}, badge_class={}, issuer={})
    findings.shown = shown_assertion(badge, format_name=FORMAT)
    findings.add(revoked_check(text_of(answer.get("revocationReason"))))
    return True


class HostedVerification:
    """Verifies one hosted assertion."""

    def __init__(self, *, documents: Documents, now: datetime) -> None:
        self._documents = documents
        self._now = now

    async def document(self, given: JsonObject, findings: Findings, *, expected_recipient: str | None) -> Badge:
        """Verify an assertion, or an endorsement, and return its documents. Each check is added to the findings."""
        findings.shown = shown_assertion(Badge(assertion=given, badge_class={}, issuer={}), format_name=FORMAT)
        answer = await self._ask_host(given)
        assertion = answer.assertion or given
        findings.add(await offload_if_large(assertion, check_assertion, assertion), answer.check)
        badge, issuer_check = await follow_links(assertion, self._documents, findings)
        findings.shown = shown_assertion(badge, format_name=FORMAT)
        findings.add(_check_place(issuer_check, badge, answer.final_url))
        findings.add(answer.status)
        findings.add(check_assertion_validity(assertion, now=self._now))
        findings.add(check_assertion_recipient(assertion, expected_recipient))
        return badge

    async def _ask_host(self, given: JsonObject) -> _HostAnswer:
        address = text_of(given.get("id")) or ""
        try:
            fetched = await self._documents.get(address)
            hosted = await read_normalised(fetched.body)
        except FetchNotFound as error:
            if error.status == 410:
                return _HostAnswer(_host_answered(), address, status=revoked_check(await _reason(error.body)))
            sentence = "The issuer's host does not know it."
            return _HostAnswer(_hosted(Outcome.FAIL, sentence, Problem.HOSTED_MISSING, address), address)
        except FetchFailed as error:
            sentence = "The issuer's host cannot be asked for it."
            return _HostAnswer(_hosted(Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail), address)
        except LapelError as error:
            sentence = "The issuer's host answers with something else."
            return _HostAnswer(_hosted(Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, error.detail), address)
        if hosted.get("revoked") is True:
            return _HostAnswer(
                _host_answered(), fetched.url, status=revoked_check(text_of(hosted.get("revocationReason")))
            )
        good = new_check(CheckCode.STATUS, Outcome.PASS, "The issuer has not revoked it.")
        return _HostAnswer(_compare(given, hosted), fetched.url, hosted, good)


def _host_answered() -> Check:
    return _hosted(Outcome.PASS, "The issuer's host answers for it.")


def _compare(given: JsonObject, hosted: JsonObject) -> Check:
    """Return the check ``hosted``: the host's document may differ from the copy, if it is for the same award.

    The specification requires that it "describes the expected achievement".
    """
    different = differences(given, hosted)
    detail = ", ".join(different[:_MAX_SHOWN])
    if not different:
        return _hosted(Outcome.PASS, "The issuer's host has this very document.")
    if is_verified_by_host(hosted) and not any(
        name in given and id_of(given[name]) != id_of(hosted.get(name)) for name in _IDENTIFYING
    ):
        sentence = "The issuer's host has it with another content by now. That is what counts, and what was checked."
        return _hosted(Outcome.WARN, sentence, Problem.HOSTED_DIFFERS, detail)
    return _hosted(Outcome.FAIL, "It is not what its issuer's host has.", Problem.HOSTED_DIFFERS, detail)


def _check_place(issuer_check: Check, badge: Badge, final_url: str) -> Check:
    """Return `issuer_check`, or a failed one if the badge is not where its issuer says that its assertions are.

    By default they are on the issuer's own host, and then the badge class must be there, too.

    Args:
        final_url: the assertion's address after all redirects, which must not lead elsewhere.
    """
    if issuer_check.outcome is not Outcome.PASS:
        return issuer_check
    addresses = [text_of(badge.assertion.get("id")) or "", final_url]
    class_addresses = [] if is_endorsement_2(badge.assertion) else [text_of(badge.badge_class.get("id")) or ""]
    misplaced = misplaced_address(badge.issuer, addresses, on_default_host=class_addresses)
    if misplaced is None:
        return issuer_check
    sentence = "The badge is not where its issuer keeps its badges."
    return new_check(CheckCode.ISSUER, Outcome.FAIL, sentence, Problem.HOSTED_ELSEWHERE, misplaced)


def differences(given: JsonObject, hosted: JsonObject) -> Sequence[str]:
    """Return the names of the members that differ. An object embedded in only one document equals its id."""
    names = (given.keys() | hosted.keys()) - {"@context"}
    return sorted(name for name in names if not _same(given.get(name), hosted.get(name)))


def _same(one: JsonValue, other: JsonValue) -> bool:
    if one == other:
        return True
    embedded = isinstance(one, Mapping) != isinstance(other, Mapping)
    return embedded and id_of(one) is not None and id_of(one) == id_of(other)


async def _reason(body: bytes) -> str | None:
    try:
        return text_of((await read_normalised(body)).get("revocationReason"))
    except LapelError:
        return None

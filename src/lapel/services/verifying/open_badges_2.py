"""Hosted Open Badges 2.0: what is true is what the issuer's host says now (OB 2.0, "Verification").

The assertion is asked for at its own id and compared with what was handed in; its badge class and issuer are asked for
at theirs. All three must live where the issuer says that its assertions live, by default on its own host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from lapel.credentials.date_time import parse_timestamp
from lapel.credentials.strict_json import read_object
from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError
from lapel.services.verifying.dates import CLOCK_TOLERANCE
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import absolute_iri, as_list, id_of, object_of, text_of, types_of
from lapel.services.verifying.places import host_of, is_within
from lapel.services.verifying.recipient import identity_matches, recipient_skipped, recipient_verdict
from lapel.services.verifying.report import Check, CheckCode, Kind, Outcome, Problem, Shown

__all__ = ["HostedVerification", "gone_assertion", "is_open_badge_2", "signed_not_supported"]

_CONTEXTS: Final = ("https://w3id.org/openbadges/v2", "https://openbadgespec.org/v2/context.json")
_HOSTED_TYPES: Final = frozenset({"HostedBadge", "hosted"})


def is_open_badge_2(document: JsonObject) -> bool:
    """Whether it is an assertion of OB 2.0."""
    contexts = as_list(document.get("@context"))
    return "Assertion" in types_of(document) or any(context in _CONTEXTS for context in contexts)


def signed_not_supported(assertion: JsonObject, findings: Findings) -> None:
    """The findings about a signed OB 2.0 assertion: it may be good, only nobody here can tell."""
    findings.shown = _shown(assertion, {}, {}, format_name="ob2-jws")
    sentence = "Signed Open Badges 2.0 are not understood here; hosted ones are."
    findings.add(_check(CheckCode.PROOF, Outcome.UNKNOWN, sentence, Problem.PROOF_UNSUPPORTED))


def gone_assertion(address: str, body: bytes, findings: Findings) -> bool:
    """Whether a 410 is the answer of an OB 2.0 host about a revoked assertion; if so, the findings say that."""
    try:
        answer = read_object(body)
    except LapelError:
        return False
    if answer.get("revoked") is not True:
        return False
    findings.shown = _shown({**answer, "id": address}, {}, {})
    findings.add(_revoked(text_of(answer.get("revocationReason"))))
    return True


class HostedVerification:
    """Verifies one hosted assertion."""

    def __init__(self, *, documents: Documents, now: datetime) -> None:
        self._documents = documents
        self._now = now

    async def document(self, given: JsonObject, findings: Findings, *, expected_recipient: str | None) -> None:
        """The checks of an assertion. The findings grow as they are made."""
        findings.shown = _shown(given, {}, {})
        findings.add(_check_structure(given))
        if types_of(_verification(given)).isdisjoint(_HOSTED_TYPES):
            signed_not_supported(given, findings)
            return
        hosted, revoked, landed = await self._hosted(given, findings)
        assertion = hosted or given
        badge_class, class_check = await self._linked(CheckCode.BADGE_CLASS, assertion.get("badge"), "BadgeClass")
        findings.add(class_check)
        issuer, issuer_check = await self._linked(CheckCode.ISSUER, badge_class.get("issuer"), None)
        findings.shown = _shown(assertion, badge_class, issuer)
        findings.add(_bound(issuer_check, assertion, issuer, landed))
        findings.add(revoked)
        findings.add(self._validity(assertion))
        findings.add(_recipient(assertion, expected_recipient))

    async def _hosted(self, given: JsonObject, findings: Findings) -> tuple[JsonObject | None, Check, str]:
        """The assertion as its host has it, and where it was in the end; ``hosted`` is added, ``status`` returned."""
        address = text_of(given.get("id")) or ""
        good = _check(CheckCode.STATUS, Outcome.PASS, "The issuer has not revoked it.", None)
        untold = _check(CheckCode.STATUS, Outcome.UNKNOWN, "Whether it is revoked cannot be told.", Problem.NOT_CHECKED)
        try:
            fetched = await self._documents.get(address)
            hosted = read_object(fetched.body)
        except FetchNotFound as error:
            if error.status == 410:
                sentence = "The issuer's host answers for the assertion."
                findings.add(_check(CheckCode.HOSTED, Outcome.PASS, sentence, None))
                return None, _revoked(_reason(error.body)), address
            sentence = "The issuer's host does not know this assertion."
            findings.add(_check(CheckCode.HOSTED, Outcome.FAIL, sentence, Problem.HOSTED_MISSING, address))
            return None, untold, address
        except FetchFailed as error:
            sentence = "The issuer's host cannot be asked for the assertion."
            findings.add(_check(CheckCode.HOSTED, Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail))
            return None, untold, address
        except LapelError as error:
            sentence = "The issuer's host answers with something that is no assertion."
            findings.add(_check(CheckCode.HOSTED, Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, error.detail))
            return None, untold, address
        if hosted.get("revoked") is True:
            sentence = "The issuer's host answers for the assertion."
            findings.add(_check(CheckCode.HOSTED, Outcome.PASS, sentence, None))
            return None, _revoked(text_of(hosted.get("revocationReason"))), fetched.url
        different = _differences(given, hosted)
        if different:
            sentence = "The assertion is not what its issuer's host has."
            detail = ", ".join(different)
            findings.add(_check(CheckCode.HOSTED, Outcome.FAIL, sentence, Problem.HOSTED_DIFFERS, detail))
        else:
            sentence = "The issuer's host has this very assertion."
            findings.add(_check(CheckCode.HOSTED, Outcome.PASS, sentence, None))
        return hosted, good, fetched.url

    async def _linked(self, code: CheckCode, value: JsonValue, kind: str | None) -> tuple[JsonObject, Check]:
        """The document behind a link (or behind the id of an embedded object), and its check."""
        address = id_of(value) or ""
        name = "badge class" if code is CheckCode.BADGE_CLASS else "issuer"
        embedded = object_of(value)
        if not address:
            sentence = f"The {name} is not known."
            return embedded, _check(code, Outcome.UNKNOWN, sentence, Problem.NOT_CHECKED)
        try:
            fetched = await self._documents.get(address)
            document = read_object(fetched.body)
        except FetchNotFound as error:
            sentence = f"The {name} is not published."
            return embedded, _check(code, Outcome.FAIL, sentence, Problem.HOSTED_MISSING, error.detail)
        except FetchFailed as error:
            sentence = f"The {name} cannot be fetched."
            return embedded, _check(code, Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail)
        except LapelError as error:
            sentence = f"The {name} cannot be read."
            return embedded, _check(code, Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, error.detail)
        if code is CheckCode.ISSUER and host_of(fetched.url) != host_of(address):
            # Whoever can make a host redirect to a page of his own does not speak for that host.
            sentence = "The issuer's address leads to another host."
            return document, _check(code, Outcome.FAIL, sentence, Problem.HOSTED_ELSEWHERE, fetched.url)
        if document.get("id") != address:
            sentence = f"The {name} says that it is another one."
            return document, _check(code, Outcome.FAIL, sentence, Problem.DOCUMENT_ID, str(document.get("id"))[:200])
        if (kind is not None and kind not in types_of(document)) or text_of(document.get("name")) is None:
            sentence = f"What is published as the {name} is none."
            return document, _check(code, Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, address)
        return document, _check(code, Outcome.PASS, f"The {name} is published at its own address.", None)

    def _validity(self, assertion: JsonObject) -> Check:
        start, end = (parse_timestamp(assertion.get(name)) for name in ("issuedOn", "expires"))
        if start is not None and start > self._now + CLOCK_TOLERANCE:
            sentence = f"It is not valid before {assertion['issuedOn']}."
            return _check(CheckCode.VALIDITY, Outcome.FAIL, sentence, Problem.NOT_YET_VALID)
        if end is not None and end < self._now:
            sentence = f"It expired on {assertion['expires']}."
            return _check(CheckCode.VALIDITY, Outcome.FAIL, sentence, Problem.EXPIRED)
        if end is None and assertion.get("expires") is not None:
            sentence = "When it expires cannot be read."
            return _check(CheckCode.VALIDITY, Outcome.UNKNOWN, sentence, Problem.MEMBER_INVALID)
        return _check(CheckCode.VALIDITY, Outcome.PASS, "The date is within its validity period.", None)


def _check_structure(assertion: JsonObject) -> Check:
    recipient = object_of(assertion.get("recipient"))
    missing = [
        name
        for name, there in (
            ("id", absolute_iri(assertion.get("id"))),
            ("type", "Assertion" in types_of(assertion)),
            ("recipient", all(recipient.get(name) is not None for name in ("type", "identity", "hashed"))),
            ("badge", absolute_iri(id_of(assertion.get("badge")))),
            ("verification", bool(_verification(assertion))),
            ("issuedOn", parse_timestamp(assertion.get("issuedOn")) is not None),
        )
        if not there
    ]
    if missing:
        sentence = f"The assertion is not built as Open Badges 2.0 requires: {missing[0]} is missing or wrong."
        detail = ", ".join(missing)
        return _check(CheckCode.STRUCTURE, Outcome.FAIL, sentence, Problem.MEMBER_MISSING, detail)
    sentence = "The assertion has everything that Open Badges 2.0 requires."
    return _check(CheckCode.STRUCTURE, Outcome.PASS, sentence, None)


def _verification(assertion: JsonObject) -> JsonObject:
    return object_of(assertion.get("verification")) or object_of(assertion.get("verify"))


def _bound(check: Check, assertion: JsonObject, issuer: JsonObject, landed: str) -> Check:
    """Assertions live where the issuer says (``verification``), by default on its own host.

    Args:
        landed: where the assertion was found in the end. A redirect may not lead out of the issuer's place.
    """
    if check.outcome is not Outcome.PASS:
        return check
    address, rules = text_of(assertion.get("id")) or "", object_of(issuer.get("verification"))
    prefixes = [prefix for prefix in as_list(rules.get("startsWith")) if isinstance(prefix, str) and prefix]
    hosts = {_as_host(host) for host in as_list(rules.get("allowedOrigins")) if isinstance(host, str)}
    if not hosts and not prefixes:
        hosts = {host_of(text_of(issuer.get("id")) or "")}
    for place in (address, landed):
        among = any(_begins(place, prefix) for prefix in prefixes) if prefixes else True
        if not among or (hosts and host_of(place) not in hosts - {""}):
            sentence = "The assertion is not where its issuer keeps assertions."
            return _check(CheckCode.ISSUER, Outcome.FAIL, sentence, Problem.HOSTED_ELSEWHERE, place)
    return check


def _as_host(origin: str) -> str:
    return host_of(origin) if "://" in origin else host_of(f"https://{origin}")


def _begins(address: str, prefix: str) -> bool:
    # A host that has moved from http to https is the same host.
    moved = prefix.replace("http://", "https://", 1) if prefix.startswith("http://") else prefix
    return is_within(address, prefix) or is_within(address, moved)


def _differences(given: JsonObject, hosted: JsonObject) -> Sequence[str]:
    """The members that differ. A linked object may be embedded in one of the two."""
    names = (given.keys() | hosted.keys()) - {"@context"}
    return sorted(name for name in names if not _same(given.get(name), hosted.get(name)))[:20]


def _same(one: JsonValue, other: JsonValue) -> bool:
    if one == other:
        return True
    embedded = isinstance(one, Mapping) != isinstance(other, Mapping)
    return embedded and id_of(one) is not None and id_of(one) == id_of(other)


def _revoked(reason: str | None) -> Check:
    return _check(CheckCode.STATUS, Outcome.FAIL, "The issuer has revoked it.", Problem.REVOKED, reason)


def _reason(body: bytes) -> str | None:
    try:
        return text_of(read_object(body).get("revocationReason"))
    except LapelError:
        return None


def _recipient(assertion: JsonObject, expected: str | None) -> Check:
    if expected is None:
        return recipient_skipped()
    recipient = object_of(assertion.get("recipient"))
    return recipient_verdict(
        any(
            identity_matches(
                text_of(recipient.get("identity")) or "",
                expected,
                kind=kind,
                hashed=recipient.get("hashed") is not False,
                salt=text_of(recipient.get("salt")) or "",
            )
            for kind in types_of(recipient)
        )
    )


def _shown(assertion: JsonObject, badge_class: JsonObject, issuer: JsonObject, *, format_name: str = "hosted") -> Shown:
    recipient = object_of(assertion.get("recipient"))
    hashed = recipient.get("hashed") is not False
    kind = text_of(recipient.get("type")) or "identity"
    return Shown(
        kind=Kind.BADGE_2,
        format=format_name,
        credential_id=text_of(assertion.get("id")),
        name=text_of(badge_class.get("name")) or text_of(object_of(assertion.get("badge")).get("name")),
        issuer_id=id_of(badge_class.get("issuer")),
        issuer_name=text_of(issuer.get("name")),
        recipient=(f"hashed {kind}" if hashed else text_of(recipient.get("identity"))) if recipient else None,
        valid_from=text_of(assertion.get("issuedOn")),
        valid_until=text_of(assertion.get("expires")),
    )


def _check(
    code: CheckCode, outcome: Outcome, sentence: str, problem: Problem | None, detail: str | None = None
) -> Check:
    return Check(code=code, outcome=outcome, sentence=sentence, problem=problem, detail=detail)

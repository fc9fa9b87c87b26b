"""The newest version of a badge, where its issuer offers one. OB 3.0, 9.1, step 3; Verifiable Credential Refresh 1.0.

Asked for once, and only after the proof of the badge at hand has held, so that nobody but its issuer says where. What
comes takes its place only if it is secured as well and is the same badge: by the same issuer, for the same recipient,
under the same id, and not an older one. Otherwise the badge at hand is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.errors import LapelError
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import id_of, object_of, objects, text_of, types_of
from lapel.services.verifying.reading import Document, Token, read_large
from lapel.services.verifying.report import CheckCode, Outcome, Problem, made
from lapel.services.verifying.standing.dates import member_date

__all__ = ["Authenticate", "refreshed"]

_check: Final = partial(made, CheckCode.REFRESH)

_SERVICE_TYPE: Final = "1EdTechCredentialRefresh"


class Authenticate(Protocol):
    """Steps 1 and 2 of a verification."""

    async def __call__(self, given: Document | Token, findings: Findings, /) -> JsonObject | None:
        """The credential in what was read, its checks in the findings; None where there is none to go on with."""
        ...


async def refreshed(
    credential: JsonObject, findings: Findings, *, authenticate: Authenticate, documents: Documents
) -> JsonObject:
    """The credential that the rest of the verification is about; the check ``refresh`` is added where there is any.

    Args:
        findings: what steps 1 and 2 have found; with a newer version, ``shown`` becomes what that one shows.
    """
    services = objects(credential.get("refreshService"))
    service = next((each for each in services if _SERVICE_TYPE in types_of(each)), None)
    if service is None:
        if services:
            sentence = "The badge offers a newer version of itself in a way that is not understood here."
            findings.add(_check(Outcome.SKIP, sentence, Problem.NOT_CHECKED, _types(services)))
        return credential
    if not all(check.outcome in (Outcome.PASS, Outcome.WARN, Outcome.SKIP) for check in findings.checks):
        sentence = "A newer version of the badge was not asked for, since this one does not hold."
        findings.add(_check(Outcome.SKIP, sentence, Problem.NOT_CHECKED, None))
        return credential
    found: JsonObject | None = None
    reason: str | None = "It is no credential."
    try:
        fetched = await documents.get(text_of(service.get("id")) or "", accept=ACCEPT_CREDENTIAL)
        given = await read_large(fetched.body)
        newer = Findings()
        if isinstance(given, Document | Token):
            found = await authenticate(given, newer)
    except FetchFailed as error:
        sentence = "The newest version of the badge cannot be fetched; this one was checked as it is."
        findings.add(_check(Outcome.WARN, sentence, Problem.UNREACHABLE, error.detail))
        return credential
    except LapelError as error:
        reason = error.detail
    else:
        reason = _open_question(newer) or (reason if found is None else _objection(credential, found))
    if found is None or reason is not None:
        sentence = "What is offered as the newest version of the badge cannot take its place; this one was checked."
        findings.add(_check(Outcome.WARN, sentence, Problem.REFRESH_REFUSED, reason))
        return credential
    findings.shown = newer.shown
    sentence = "The issuer's newest version of the badge is what was checked from here on."
    findings.add(_check(Outcome.PASS, sentence, None, None))
    return found


def _open_question(newer: Findings) -> str | None:
    """What speaks against the new one by itself, or could not be told of it."""
    return next((each.sentence for each in newer.checks if each.outcome in (Outcome.FAIL, Outcome.UNKNOWN)), None)


def _objection(old: JsonObject, new: JsonObject) -> str | None:
    """Why the new one does not take the place of the old one; None if it does."""
    if new.get("id") != old.get("id"):
        return f"It is another credential: {str(new.get('id'))[:200]}."
    if id_of(new.get("issuer")) != id_of(old.get("issuer")):
        return "It has another issuer."
    if types_of(new) != types_of(old):
        return "It is of another type."
    if _holder(new) != _holder(old) or any(map(_differ, _hashed(old), _hashed(new))):
        return "It is about somebody else."
    dates = [member_date(each, "validFrom", "issuanceDate") for each in (old, new)]
    if dates[0] is not None and (dates[1] is None or dates[1] < dates[0]):
        return "It is older."
    return None


def _holder(credential: JsonObject) -> Sequence[object]:
    """Whom it is about, as it says. A hash with a new salt is another text, so that there the kind must do."""
    subject = object_of(credential.get("credentialSubject"))
    plain = [
        (identifier.get("identityType"), identifier.get("identityHash"))
        for identifier in objects(subject.get("identifier"))
        if identifier.get("hashed") is False
    ]
    return (subject.get("id"), plain, [identifier.get("identityType") for identifier in _hashed(credential)])


def _hashed(credential: JsonObject) -> Sequence[JsonObject]:
    subject = object_of(credential.get("credentialSubject"))
    return [each for each in objects(subject.get("identifier")) if each.get("hashed") is not False]


def _differ(old: JsonObject, new: JsonObject) -> bool:
    """Whether two hashes can be compared, by the same function with the same salt, and are of different identities."""
    hashes = [(text_of(each.get("identityHash")) or "").lower().partition("$") for each in (old, new)]
    salts = [text_of(each.get("salt")) for each in (old, new)]
    return salts[0] == salts[1] and hashes[0][0] == hashes[1][0] and hashes[0] != hashes[1]


def _types(services: Sequence[JsonObject]) -> str:
    return ", ".join(sorted({name for service in services for name in types_of(service)}))[:200]

"""The newest version of a badge, if its issuer offers one: OB 3.0, 9.1, step 3; Verifiable Credential Refresh 1.0.

It is fetched once, and only after the given badge's proof is verified, so that only the issuer determines the address.
It replaces the given badge only if it is verified as well and is the same badge: with the same issuer, recipient and
id, and not older. Otherwise the given badge is verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.domain.json_members import id_of, object_of, objects, text_of, types_of
from lapel.errors import LapelError
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.reading import Document, Token, read_large
from lapel.services.verifying.report import CheckCode, Outcome, Problem, new_check
from lapel.services.verifying.standing.dates import member_date

__all__ = ["Authenticate", "refreshed"]

_check: Final = partial(new_check, CheckCode.REFRESH)

_SERVICE_TYPE: Final = "1EdTechCredentialRefresh"


class Authenticate(Protocol):
    """Steps 1 and 2 of a verification."""

    async def __call__(self, given: Document | Token, findings: Findings, /) -> JsonObject | None:
        """Add the checks to the findings, and return the credential; None if there is no point in further checks."""
        ...


async def refreshed(
    credential: JsonObject, findings: Findings, *, authenticate: Authenticate, documents: Documents
) -> JsonObject:
    """Return the credential to verify further, which is the newest version if it can be used.

    If the credential has a refresh service, the check ``refresh`` is added.

    Args:
        findings: the findings of steps 1 and 2. With a newer version, `findings.shown` becomes its summary.
    """
    services = objects(credential.get("refreshService"))
    service = next((service for service in services if _SERVICE_TYPE in types_of(service)), None)
    if service is None:
        if services:
            sentence = "The badge offers a newer version of itself in a way that is not understood here."
            findings.add(_check(Outcome.SKIP, sentence, Problem.NOT_CHECKED, _types(services)))
        return credential
    if not all(check.good for check in findings.checks):
        sentence = "A newer version of the badge was not asked for, since this one does not hold."
        findings.add(_check(Outcome.SKIP, sentence, Problem.NOT_CHECKED, None))
        return credential
    newest: JsonObject | None = None
    objection: str | None = "It is no credential."
    try:
        fetched = await documents.get(text_of(service.get("id")) or "", accept=ACCEPT_CREDENTIAL)
        given = await read_large(fetched.body)
        newest_findings = Findings()
        if isinstance(given, Document | Token):
            newest = await authenticate(given, newest_findings)
    except FetchFailed as error:
        sentence = "The newest version of the badge cannot be fetched; this one was checked as it is."
        findings.add(_check(Outcome.WARN, sentence, Problem.UNREACHABLE, error.detail))
        return credential
    except LapelError as error:
        objection = error.detail
    else:
        objection = _first_problem(newest_findings) or (objection if newest is None else _objection(credential, newest))
    if newest is None or objection is not None:
        sentence = "What is offered as the newest version of the badge cannot take its place; this one was checked."
        findings.add(_check(Outcome.WARN, sentence, Problem.REFRESH_REFUSED, objection))
        return credential
    findings.shown = newest_findings.shown
    sentence = "The issuer's newest version of the badge is what was checked from here on."
    findings.add(_check(Outcome.PASS, sentence, None, None))
    return newest


def _first_problem(findings: Findings) -> str | None:
    """Return the sentence of the first check that failed or whose outcome is unknown."""
    return next((check.sentence for check in findings.checks if not check.good), None)


def _objection(old: JsonObject, new: JsonObject) -> str | None:
    """Return why the new version cannot replace the old one; None if it can."""
    if new.get("id") != old.get("id"):
        return f"It is another credential: {str(new.get('id'))[:200]}."
    if id_of(new.get("issuer")) != id_of(old.get("issuer")):
        return "It has another issuer."
    if types_of(new) != types_of(old):
        return "It is of another type."
    if _recipient(new) != _recipient(old) or any(map(_hashes_differ, _hashed(old), _hashed(new))):
        return "It is about somebody else."
    old_date, new_date = (member_date(credential, "validFrom", "issuanceDate") for credential in (old, new))
    if old_date is not None and (new_date is None or new_date < old_date):
        return "It is older."
    return None


def _recipient(credential: JsonObject) -> Sequence[object]:
    """Return the recipient's identities. Of hashed ones only the kinds, because a new salt changes the hash."""
    subject = object_of(credential.get("credentialSubject"))
    plain = [
        (identifier.get("identityType"), identifier.get("identityHash"))
        for identifier in objects(subject.get("identifier"))
        if identifier.get("hashed") is False
    ]
    return (subject.get("id"), plain, [identifier.get("identityType") for identifier in _hashed(credential)])


def _hashed(credential: JsonObject) -> Sequence[JsonObject]:
    subject = object_of(credential.get("credentialSubject"))
    return [item for item in objects(subject.get("identifier")) if item.get("hashed") is not False]


def _hashes_differ(old: JsonObject, new: JsonObject) -> bool:
    """Return whether two hashes with the same function and salt, which can be compared, are of different identities."""
    old_hash, new_hash = ((text_of(item.get("identityHash")) or "").lower().partition("$") for item in (old, new))
    return text_of(old.get("salt")) == text_of(new.get("salt")) and old_hash[0] == new_hash[0] and old_hash != new_hash


def _types(services: Sequence[JsonObject]) -> str:
    return ", ".join(sorted({name for service in services for name in types_of(service)}))[:200]

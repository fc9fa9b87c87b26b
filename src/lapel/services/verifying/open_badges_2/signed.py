"""Signed Open Badges 2.0: an assertion as the payload of a JWS (OB 2.0, "SignedBadge Verification").

The key counts if the issuer's profile, as it is published now, lists it; ``creator`` in the assertion only says which
of them. The profile also names the list of what it has revoked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lapel.credentials.cryptographic_key import from_pem
from lapel.credentials.jose.vc_jwt import VcJwt, verify_signature
from lapel.credentials.keys import PublicKey, SignatureInvalid
from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError, Unsupported
from lapel.services.verifying.apart import apart
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import as_list, id_of, object_of, objects, text_of, types_of
from lapel.services.verifying.open_badges_2.assertion import (
    Badge,
    check_assertion,
    check_assertion_recipient,
    check_assertion_validity,
    follow,
    revoked,
    shown_assertion,
    verification_of,
)
from lapel.services.verifying.open_badges_2.spelling import plain_object
from lapel.services.verifying.proofs.issuer_binding import signature_check
from lapel.services.verifying.proofs.key_lookup import refuse
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, made

__all__ = ["FORMAT", "SignedVerification", "unsigned"]

FORMAT: Final = "ob2-jws"
_MOST_KEYS: Final = 4


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A key that the issuer lists, and the check ``key``; without a key the check says why."""

    check: Check
    key: PublicKey | None = None

    @property
    def open(self) -> bool:
        """Whether it may be the right one, for all that is known."""
        return self.check.outcome is Outcome.UNKNOWN


async def unsigned(assertion: JsonObject, findings: Findings) -> None:
    """The findings about an assertion without a signature, whose host does not answer for it."""
    findings.shown = shown_assertion(Badge(assertion=assertion, badge_class={}, issuer={}), format_name=FORMAT)
    findings.add(await apart(assertion, check_assertion, assertion))
    sentence = (
        "It comes without a signature, and does not say that its host answers for it: anybody could have written it."
    )
    findings.add(made(CheckCode.PROOF, Outcome.FAIL, sentence, Problem.PROOF_MISSING))


class SignedVerification:
    """Verifies one signed assertion."""

    def __init__(self, *, documents: Documents, now: datetime) -> None:
        self._documents = documents
        self._now = now

    async def token(self, token: VcJwt, findings: Findings, *, expected_recipient: str | None) -> Badge:
        """The checks of the token's ``claims``, an assertion or an endorsement, and what they are about.

        The findings grow meanwhile.
        """
        assertion = token.claims
        findings.shown = shown_assertion(Badge(assertion=assertion, badge_class={}, issuer={}), format_name=FORMAT)
        findings.add(await apart(assertion, check_assertion, assertion))
        badge, issuer_check = await follow(assertion, self._documents, findings, signed=True)
        findings.shown = shown_assertion(badge, format_name=FORMAT)
        sentence = "It is a signed token that can be checked."
        findings.add(made(CheckCode.PROOF, Outcome.PASS, sentence, None))
        # Of an issuer that is not what it should be, no key and no list is believed.
        trusted = issuer_check.outcome is Outcome.PASS
        key, signature = await self.signature(token, badge) if trusted else _without_issuer(issuer_check)
        findings.add(key, issuer_check, signature)
        findings.add(await self.status(badge, trusted=trusted))
        findings.add(check_assertion_validity(assertion, now=self._now))
        findings.add(check_assertion_recipient(assertion, expected_recipient))
        return badge

    # --- keys and signature ---

    async def signature(self, token: VcJwt, badge: Badge) -> tuple[Check, Check]:
        """The checks ``key`` and ``signature`` of what this issuer is said to have signed."""
        listed = {name: item for item in as_list(badge.issuer.get("publicKey")) if (name := id_of(item))}
        named = id_of(verification_of(badge.assertion).get("creator"))
        if not listed:
            check = refuse(Problem.KEY_NOT_FOUND, "The issuer publishes no key.")
            return check, signature_check(Outcome.UNKNOWN, detail="The key is not known.")
        if named is not None and named not in listed:
            sentence = "The badge names a key that the issuer does not list as its own."
            check = refuse(Problem.KEY_NOT_AUTHORISED, sentence, detail=named)
            return check, signature_check(Outcome.UNKNOWN, detail="The key is not the issuer's.")
        wanted = [named] if named is not None else list(listed)[:_MOST_KEYS]
        candidates = [await self._key(name, listed[name], badge.issuer) for name in wanted]
        for candidate in candidates:
            if candidate.key is not None and _fits(token, candidate.key):
                return candidate.check, signature_check(Outcome.PASS)
        untried = len(wanted) < len(listed) and named is None
        if (usable := next((each for each in candidates if each.key is not None), None)) is None:
            unknown = signature_check(Outcome.UNKNOWN, detail="The key is not known.")
            if not untried:
                return next((each for each in candidates if each.open), candidates[0]).check, unknown
            sentence = f"None of the first {_MOST_KEYS} keys of the issuer can be used; the others were not tried."
            detail = candidates[0].check.sentence
            return refuse(Problem.NOT_CHECKED, sentence, outcome=Outcome.UNKNOWN, detail=detail), unknown
        unread = next((each for each in candidates if each.open), None)
        if unread is not None or untried:
            # Another key of the issuer's may fit.
            detail = "Not all of the issuer's keys could be tried, and none of the others fits."
            return (unread or usable).check, signature_check(Outcome.UNKNOWN, detail=detail)
        return usable.check, signature_check(Outcome.FAIL)

    async def _key(self, name: str, listed: JsonValue, issuer: JsonObject) -> _Candidate:
        """The key that the issuer lists under `name`: in its profile, or in a document of its own."""
        described = object_of(listed)
        if "publicKeyPem" not in described:
            try:
                described = _described(await plain_object(self._documents, name), name)
            except FetchNotFound as error:
                return _refused(Problem.KEY_NOT_FOUND, "The key is not published any more, or never was.", error.detail)
            except FetchFailed as error:
                sentence = "The key cannot be fetched."
                check = refuse(Problem.UNREACHABLE, sentence, outcome=Outcome.UNKNOWN, detail=error.detail)
                return _Candidate(check)
            except LapelError as error:
                return _refused(Problem.DOCUMENT_INVALID, "The key's document cannot be read.", error.detail)
        if not described:
            return _refused(Problem.DOCUMENT_ID, "The key's document says that it is about another one.", name)
        owner = id_of(described.get("owner"))
        if owner is not None and owner != id_of(issuer):
            return _refused(Problem.KEY_CONTROLLER, "The key says that it belongs to somebody else.", owner)
        try:
            key = from_pem(text_of(described.get("publicKeyPem")) or "")
        except Unsupported as error:
            check = refuse(Problem.KEY_UNSUPPORTED, error.detail, outcome=Outcome.UNKNOWN, detail=name)
            return _Candidate(check)
        except LapelError as error:
            return _refused(Problem.KEY_INVALID, "The published key cannot be read.", error.detail)
        sentence = "The key is published, and listed by the issuer."
        return _Candidate(Check(code=CheckCode.KEY, outcome=Outcome.PASS, sentence=sentence, detail=name), key)

    # --- revocation ---

    async def status(self, badge: Badge, *, trusted: bool) -> Check:
        """Is it in the issuer's RevocationList? By ``id``, or by the ``uid`` of older badges."""
        if not trusted:
            sentence = "Whether it is revoked cannot be told without the issuer."
            return made(CheckCode.STATUS, Outcome.UNKNOWN, sentence, Problem.NOT_CHECKED)
        given = as_list(badge.issuer.get("revocationList"))
        if not given:
            sentence = "The issuer offers no way to ask whether it has been revoked."
            return made(CheckCode.STATUS, Outcome.SKIP, sentence, None)
        address, embedded = id_of(given[0]), object_of(given[0])
        if len(given) == 1 and _is_list(embedded):
            inside = _in_list(embedded, badge)
            # What is published at its own address may be newer than its copy in the profile.
            if inside.outcome is not Outcome.PASS or not (address or "").startswith("https:"):
                return inside
        elif len(given) > 1 or address is None:
            sentence = "Where the issuer publishes what it has revoked cannot be read."
            return made(CheckCode.STATUS, Outcome.UNKNOWN, sentence, Problem.STATUS_LIST_INVALID)
        try:
            listed = await plain_object(self._documents, address or "")
        except FetchFailed as error:
            sentence = "The issuer's revocation list cannot be fetched, so a revocation would not be known."
            return made(CheckCode.STATUS, Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail)
        except LapelError as error:
            return _unread(error.detail)
        return _in_list(listed, badge)


def _without_issuer(issuer_check: Check) -> tuple[Check, Check]:
    sentence = "Which keys are the issuer's cannot be told without its profile."
    check = refuse(Problem.NOT_CHECKED, sentence, outcome=Outcome.UNKNOWN, detail=issuer_check.detail)
    return check, signature_check(Outcome.UNKNOWN, detail="The key is not known.")


def _described(document: JsonObject, name: str) -> JsonObject:
    """The CryptographicKey in what was fetched: the document itself, or one in a profile; empty if it is another."""
    if document.get("id") == name:
        return document
    return next((item for item in objects(document.get("publicKey")) if item.get("id") == name), {})


def _fits(token: VcJwt, key: PublicKey) -> bool:
    try:
        verify_signature(token, key)
    except SignatureInvalid:
        return False
    return True


def _is_list(document: JsonObject) -> bool:
    return "RevocationList" in types_of(document) and "revokedAssertions" in document


def _in_list(listed: JsonObject, badge: Badge) -> Check:
    """The check ``status`` by a RevocationList."""
    if not _is_list(listed):
        return _unread("It is not a RevocationList with revokedAssertions.")
    for item in as_list(listed["revokedAssertions"]):
        if _is_about(item, badge.assertion):
            return revoked(text_of(object_of(item).get("revocationReason")))
    if "issuer" in listed and id_of(listed["issuer"]) != id_of(badge.issuer):
        # That the issuer's profile leads to it makes it the issuer's; the standard's own example names another.
        sentence = "It is not in the revocation list that the issuer names, which says that it is somebody else's."
        return made(CheckCode.STATUS, Outcome.WARN, sentence, Problem.STATUS_LIST_UNTRUSTED, id_of(listed["issuer"]))
    return made(CheckCode.STATUS, Outcome.PASS, "It is not in the issuer's revocation list.", None)


def _unread(detail: str | None) -> Check:
    sentence = "The issuer's revocation list cannot be read."
    return made(CheckCode.STATUS, Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, detail)


def _is_about(item: JsonValue, assertion: JsonObject) -> bool:
    entry = object_of(item)
    if entry.get("revoked") is False:
        return False
    if (name := id_of(item)) is not None:
        return name == assertion.get("id")
    return entry.get("uid") is not None and entry["uid"] == assertion.get("uid")


def _refused(problem: Problem, sentence: str, detail: str | None) -> _Candidate:
    return _Candidate(refuse(problem, sentence, detail=detail))

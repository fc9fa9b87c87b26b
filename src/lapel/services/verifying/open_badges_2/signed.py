"""Signed Open Badges 2.0: an assertion as the payload of a JWS (OB 2.0, "SignedBadge Verification").

The key must be listed in the issuer's profile as published now; ``creator`` in the assertion only says which key it is.
The profile also names the issuer's revocation list.
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
from lapel.domain.json_members import as_list, id_of, object_of, objects, text_of, types_of
from lapel.errors import LapelError, Unsupported
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.offloading import offload_if_large
from lapel.services.verifying.open_badges_2.assertion import (
    Badge,
    check_assertion,
    check_assertion_recipient,
    check_assertion_validity,
    follow_links,
    revoked_check,
    shown_assertion,
    verification_of,
)
from lapel.services.verifying.open_badges_2.normal_form import get_normalised
from lapel.services.verifying.proofs.issuer_binding import signature_check
from lapel.services.verifying.proofs.key_lookup import key_problem
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = ["FORMAT", "SignedVerification", "unsigned"]

FORMAT: Final = "ob2-jws"
_MAX_KEYS: Final = 4


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A key that the issuer lists, and the check ``key``, which says why if there is no key."""

    check: Check
    key: PublicKey | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether it could not be read, so that it may be the right one."""
        return self.check.outcome is Outcome.UNKNOWN


async def unsigned(assertion: JsonObject, findings: Findings) -> None:
    """Add the findings about an assertion that is neither signed nor hosted."""
    findings.shown = shown_assertion(Badge(assertion=assertion, badge_class={}, issuer={}), format_name=FORMAT)
    findings.add(await offload_if_large(assertion, check_assertion, assertion))
    sentence = (
        "It comes without a signature, and does not say that its host answers for it: anybody could have written it."
    )
    findings.add(new_check(CheckCode.PROOF, Outcome.FAIL, sentence, Problem.PROOF_MISSING))


class SignedVerification:
    """Verifies one signed assertion."""

    def __init__(self, *, documents: Documents, now: datetime) -> None:
        self._documents = documents
        self._now = now

    async def token(self, token: VcJwt, findings: Findings, *, expected_recipient: str | None) -> Badge:
        """Verify the token's ``claims``, an assertion or an endorsement, and return its documents.

        Each check is added to the findings.
        """
        assertion = token.claims
        findings.shown = shown_assertion(Badge(assertion=assertion, badge_class={}, issuer={}), format_name=FORMAT)
        findings.add(await offload_if_large(assertion, check_assertion, assertion))
        badge, issuer_check = await follow_links(assertion, self._documents, findings, signed=True)
        findings.shown = shown_assertion(badge, format_name=FORMAT)
        sentence = "It is a signed token that can be checked."
        findings.add(new_check(CheckCode.PROOF, Outcome.PASS, sentence, None))
        # Keys and revocation lists are used only if the issuer's profile is good.
        trusted = issuer_check.outcome is Outcome.PASS
        key, signature = await self.signature(token, badge) if trusted else _without_issuer(issuer_check)
        findings.add(key, issuer_check, signature)
        findings.add(await self.status(badge, trusted=trusted))
        findings.add(check_assertion_validity(assertion, now=self._now))
        findings.add(check_assertion_recipient(assertion, expected_recipient))
        return badge

    # --- keys and signature ---

    async def signature(self, token: VcJwt, badge: Badge) -> tuple[Check, Check]:
        """Return the checks ``key`` and ``signature`` of a token that names this issuer."""
        listed = {name: item for item in as_list(badge.issuer.get("publicKey")) if (name := id_of(item))}
        creator = id_of(verification_of(badge.assertion).get("creator"))
        if not listed:
            check = key_problem(Problem.KEY_NOT_FOUND, "The issuer publishes no key.")
            return check, signature_check(Outcome.UNKNOWN, detail="The key is not known.")
        if creator is not None and creator not in listed:
            sentence = "The badge names a key that the issuer does not list as its own."
            check = key_problem(Problem.KEY_NOT_AUTHORISED, sentence, detail=creator)
            return check, signature_check(Outcome.UNKNOWN, detail="The key is not the issuer's.")
        names = [creator] if creator is not None else list(listed)[:_MAX_KEYS]
        candidates = [await self._key(name, listed[name], badge.issuer) for name in names]
        for candidate in candidates:
            if candidate.key is not None and _fits(token, candidate.key):
                return candidate.check, signature_check(Outcome.PASS)
        some_untried = len(names) < len(listed) and creator is None
        unknown = next((candidate for candidate in candidates if candidate.is_unknown), None)
        if (usable := next((candidate for candidate in candidates if candidate.key is not None), None)) is None:
            not_checked = signature_check(Outcome.UNKNOWN, detail="The key is not known.")
            if not some_untried:
                return (unknown or candidates[0]).check, not_checked
            sentence = f"None of the first {_MAX_KEYS} keys of the issuer can be used; the others were not tried."
            detail = candidates[0].check.sentence
            return key_problem(Problem.NOT_CHECKED, sentence, outcome=Outcome.UNKNOWN, detail=detail), not_checked
        if unknown is not None or some_untried:
            # Another key of the issuer may fit.
            detail = "Not all of the issuer's keys could be tried, and none of the others fits."
            return (unknown or usable).check, signature_check(Outcome.UNKNOWN, detail=detail)
        return usable.check, signature_check(Outcome.FAIL)

    async def _key(self, name: str, listed: JsonValue, issuer: JsonObject) -> _Candidate:
        """Return the key that the issuer lists under `name`, in its profile or in a separate document."""
        document = object_of(listed)
        if "publicKeyPem" not in document:
            try:
                document = _key_document(await get_normalised(self._documents, name), name)
            except FetchNotFound as error:
                return _refused(Problem.KEY_NOT_FOUND, "The key is not published any more, or never was.", error.detail)
            except FetchFailed as error:
                sentence = "The key cannot be fetched."
                check = key_problem(Problem.UNREACHABLE, sentence, outcome=Outcome.UNKNOWN, detail=error.detail)
                return _Candidate(check)
            except LapelError as error:
                return _refused(Problem.DOCUMENT_INVALID, "The key's document cannot be read.", error.detail)
        if not document:
            return _refused(Problem.DOCUMENT_ID, "The key's document says that it is about another one.", name)
        owner = id_of(document.get("owner"))
        if owner is not None and owner != id_of(issuer):
            return _refused(Problem.KEY_CONTROLLER, "The key says that it belongs to somebody else.", owner)
        try:
            key = from_pem(text_of(document.get("publicKeyPem")) or "")
        except Unsupported as error:
            check = key_problem(Problem.KEY_UNSUPPORTED, error.detail, outcome=Outcome.UNKNOWN, detail=name)
            return _Candidate(check)
        except LapelError as error:
            return _refused(Problem.KEY_INVALID, "The published key cannot be read.", error.detail)
        sentence = "The key is published, and listed by the issuer."
        return _Candidate(Check(code=CheckCode.KEY, outcome=Outcome.PASS, sentence=sentence, detail=name), key)

    # --- revocation ---

    async def status(self, badge: Badge, *, trusted: bool) -> Check:
        """Return the check ``status`` by the issuer's RevocationList: by ``id``, or by the ``uid`` of older badges.

        An assertion may also say itself that it is revoked ("Assertion").
        """
        if badge.assertion.get("revoked") is True:
            return revoked_check(text_of(badge.assertion.get("revocationReason")))
        if not trusted:
            sentence = "Whether it is revoked cannot be told without the issuer."
            return new_check(CheckCode.STATUS, Outcome.UNKNOWN, sentence, Problem.NOT_CHECKED)
        given = as_list(badge.issuer.get("revocationList"))
        if not given:
            sentence = "The issuer offers no way to ask whether it has been revoked."
            return new_check(CheckCode.STATUS, Outcome.SKIP, sentence, None)
        address, embedded = id_of(given[0]), object_of(given[0])
        if len(given) == 1 and _is_list(embedded):
            check = _check_list(embedded, badge)
            # The list at its own address may be newer than the copy in the profile.
            if check.outcome is not Outcome.PASS or not (address or "").startswith("https:"):
                return check
        elif len(given) > 1 or address is None:
            sentence = "Where the issuer publishes what it has revoked cannot be read."
            return new_check(CheckCode.STATUS, Outcome.UNKNOWN, sentence, Problem.STATUS_LIST_INVALID)
        try:
            revocation_list = await get_normalised(self._documents, address or "")
        except FetchFailed as error:
            sentence = "The issuer's revocation list cannot be fetched, so a revocation would not be known."
            return new_check(CheckCode.STATUS, Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail)
        except LapelError as error:
            return _unreadable_list(error.detail)
        return _check_list(revocation_list, badge)


def _without_issuer(issuer_check: Check) -> tuple[Check, Check]:
    sentence = "Which keys are the issuer's cannot be told without its profile."
    check = key_problem(Problem.NOT_CHECKED, sentence, outcome=Outcome.UNKNOWN, detail=issuer_check.detail)
    return check, signature_check(Outcome.UNKNOWN, detail="The key is not known.")


def _key_document(document: JsonObject, name: str) -> JsonObject:
    """Return the CryptographicKey `name`: the document itself, or one in a profile; empty if it is neither."""
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


def _check_list(revocation_list: JsonObject, badge: Badge) -> Check:
    """Return the check ``status`` by a RevocationList."""
    if not _is_list(revocation_list):
        return _unreadable_list("It is not a RevocationList with revokedAssertions.")
    for item in as_list(revocation_list["revokedAssertions"]):
        if _is_about(item, badge.assertion):
            return revoked_check(text_of(object_of(item).get("revocationReason")))
    issuer_id = id_of(revocation_list.get("issuer"))
    if "issuer" in revocation_list and issuer_id != id_of(badge.issuer):
        # The issuer's profile refers to it, which makes it the issuer's; the standard's own example names another one.
        sentence = "It is not in the revocation list that the issuer names, which says that it is somebody else's."
        return new_check(CheckCode.STATUS, Outcome.WARN, sentence, Problem.STATUS_LIST_UNTRUSTED, issuer_id)
    return new_check(CheckCode.STATUS, Outcome.PASS, "It is not in the issuer's revocation list.", None)


def _unreadable_list(detail: str | None) -> Check:
    sentence = "The issuer's revocation list cannot be read."
    return new_check(CheckCode.STATUS, Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, detail)


def _is_about(item: JsonValue, assertion: JsonObject) -> bool:
    entry = object_of(item)
    if entry.get("revoked") is False:
        return False
    if (name := id_of(item)) is not None:
        return name == assertion.get("id")
    return entry.get("uid") is not None and entry["uid"] == assertion.get("uid")


def _refused(problem: Problem, sentence: str, detail: str | None) -> _Candidate:
    return _Candidate(key_problem(problem, sentence, detail=detail))

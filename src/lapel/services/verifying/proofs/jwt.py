"""Verify a VC-JWT: its key, its signature, and that claims and credential agree (OB 3.0, 8.2.5 and 8.2.6).

``kid`` names the key: an entry of the issuer's document, a DID URL, or the address of a JWK. A JWK at an address does
not name its owner, so the issuer must confirm it. A ``jwk`` in the header is only a claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from lapel.credentials.jose import base64url
from lapel.credentials.jose.vc_jwt import (
    ClaimMismatch,
    VcJwt,
    check_claims,
    check_presentation_claims,
    verify_signature,
)
from lapel.credentials.jose.vc_jwt_claims import Profile, read_numeric_date
from lapel.credentials.keys import PublicKey, SignatureInvalid, from_jwk, public_der
from lapel.credentials.strict_json import read_object
from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, id_of, objects
from lapel.errors import LapelError
from lapel.services.verifying.documents import Documents, read_document
from lapel.services.verifying.offloading import offload_if_large
from lapel.services.verifying.origins import is_within, same_origin
from lapel.services.verifying.proofs.data_integrity import ExpectedProof, ProofResult, check_purpose
from lapel.services.verifying.proofs.issuer_binding import (
    bind_issuer,
    issuer_mismatch,
    signature_check,
    signature_refused,
)
from lapel.services.verifying.proofs.key_lookup import (
    FoundKey,
    controller_document,
    find_key,
    key_problem,
    listed_key,
    lists_keys,
)
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check
from lapel.services.verifying.standing.dates import CLOCK_TOLERANCE

__all__ = ["FORMAT", "check_presentation_token", "check_token", "unsupported_token"]

_proof: Final = partial(new_check, CheckCode.PROOF)
_issuer: Final = partial(new_check, CheckCode.ISSUER)

FORMAT: Final = "vc-jwt"
_OTHER_ALGORITHMS: Final = frozenset({"ES384", "ES512", "ES256K", "PS256", "PS384", "PS512", "RS384", "RS512", "Ed448"})


async def check_token(token: VcJwt, *, documents: Documents, now: datetime) -> ProofResult:
    """Return the checks ``proof``, ``claims``, ``key``, ``issuer`` and ``signature`` of a token."""
    issuer_id = id_of(token.credential.get("issuer"))
    found, issuer = await _find_key(token, issuer_id, documents, now)
    statement, claims = _check_statement(token, now), _check_claims(token, check_claims(token))
    checks = (statement, claims, found.check, issuer, _check_signature(token, found))
    return ProofResult(format=FORMAT, checks=checks)


async def check_presentation_token(
    token: VcJwt, *, expected: ExpectedProof, documents: Documents, now: datetime
) -> ProofResult:
    """Return the checks of a presentation token; its challenge is ``nonce``, its domain ``aud``.

    Unlike an embedded proof, a token may be for others too (RFC 7519, 4.1.3).
    """
    audience = token.claims.get("aud")
    purpose: JsonObject = {
        "proofPurpose": expected.purpose,
        "challenge": token.claims.get("nonce"),
        "domain": expected.domain if expected.domain in as_list(audience) else audience,
    }
    holder = id_of(token.credential.get("holder")) or ""
    signed_at = read_numeric_date(token.claims.get("iat")) or token.not_before or now
    if token.kid is None and not holder.startswith(("did:key:", "did:jwk:")):
        check = key_problem(Problem.KEY_NOT_NAMED, "The token does not say which key signed it.")
        found = FoundKey(check=check, key=None, controller=holder)
    else:
        method_id = holder if token.kid is None else _absolute(token.kid, holder)
        found = await find_key(method_id, signed_at=signed_at, documents=documents, purpose=expected.purpose)
    found = _compare_with_jwk(token, found)
    statement = check_purpose(purpose, expected) or _check_statement(token, now)
    claims = _check_claims(token, check_presentation_claims(token, signer=found.controller))
    checks = (statement, claims, found.check, expected.bind(found), _check_signature(token, found))
    return ProofResult(format=FORMAT, checks=checks)


def unsupported_token(compact: str, reason: LapelError) -> ProofResult:
    """Return the result for a token whose algorithm is not supported: unknown if the algorithm exists, else failed."""
    try:
        algorithm = read_object(base64url.decode(compact.partition(".")[0])).get("alg")
    except LapelError:
        algorithm = None
    known = isinstance(algorithm, str) and algorithm in _OTHER_ALGORITHMS
    check = Check(
        code=CheckCode.PROOF,
        outcome=Outcome.UNKNOWN if known else Outcome.FAIL,
        sentence=reason.detail,
        problem=Problem.PROOF_UNSUPPORTED if known else Problem.PROOF_INVALID,
        detail=str(algorithm)[:80],
    )
    return ProofResult(format=FORMAT, checks=(check, signature_check(Outcome.UNKNOWN)))


def _check_statement(token: VcJwt, now: datetime) -> Check:
    # In the other profile the dates are the credential's own, and not the signature's.
    if token.profile is Profile.JOSE_COSE:
        if token.expires is not None and token.expires <= now:
            return _proof(Outcome.FAIL, "The signature has expired.", Problem.PROOF_EXPIRED)
        if token.not_before is not None and token.not_before > now + CLOCK_TOLERANCE:
            return _proof(Outcome.FAIL, "The signature is not valid yet.", Problem.PROOF_FROM_FUTURE)
    return _proof(Outcome.PASS, "The credential is a signed token that can be checked.", None)


def _check_claims(token: VcJwt, mismatches: Sequence[ClaimMismatch]) -> Check:
    if not mismatches:
        sentence = "The token and what it holds say the same."
        return Check(code=CheckCode.CLAIMS, outcome=Outcome.PASS, sentence=sentence)
    missing = all(mismatch.claim not in token.claims for mismatch in mismatches)
    return Check(
        code=CheckCode.CLAIMS,
        outcome=Outcome.FAIL,
        sentence="The token lacks what it must say." if missing else "The token contradicts what it holds.",
        problem=Problem.CLAIM_MISSING if missing else Problem.CLAIM_MISMATCH,
        detail=" ".join(mismatch.detail for mismatch in mismatches),
    )


def _check_signature(token: VcJwt, found: FoundKey) -> Check:
    if found.key is None:
        return signature_check(Outcome.UNKNOWN, detail="The key is not known.")
    try:
        verify_signature(token, found.key)
    except SignatureInvalid as error:
        return signature_refused(error)
    return signature_check(Outcome.PASS)


async def _find_key(token: VcJwt, issuer_id: str | None, documents: Documents, now: datetime) -> tuple[FoundKey, Check]:
    issued = read_numeric_date(token.claims.get("iat")) or token.not_before
    signed_at = issued or now
    if token.kid is not None:
        method_id = _absolute(token.kid, issuer_id)
        if method_id.startswith("did:") or method_id.partition("#")[0] == issuer_id:
            found = await find_key(method_id, signed_at=signed_at, documents=documents)
            issuer = bind_issuer(issuer_id, found)
        else:
            found, issuer = await _find_at_address(method_id, issuer_id, signed_at, documents)
        return _compare_with_jwk(token, found), issuer
    if token.jwk is not None:
        return await _find_jwk(token.jwk, issuer_id, signed_at, documents)
    if issuer_id is not None and issuer_id.startswith(("did:key:", "did:jwk:")):
        found = await find_key(issuer_id, signed_at=signed_at, documents=documents)
        return found, bind_issuer(issuer_id, found)
    check = key_problem(Problem.KEY_NOT_NAMED, "The token does not say which key signed it.")
    return _without_key(check, issuer_id)


def _absolute(kid: str, issuer_id: str | None) -> str:
    """Return the absolute form of ``kid``, which is only a fragment in some tokens."""
    return kid if ":" in kid else f"{issuer_id}#{kid.removeprefix('#')}"


def _compare_with_jwk(token: VcJwt, found: FoundKey) -> FoundKey:
    """Fail the check if the header has a ``jwk`` that is not the key that ``kid`` names."""
    if token.jwk is None or found.key is None or found.check.outcome is not Outcome.PASS:
        return found
    if _read_jwk(token.jwk) == public_der(found.key):
        return found
    check = key_problem(Problem.KEY_INVALID, "The token brings along another key than the one that it names.")
    return FoundKey(check=check, key=found.key, controller=found.controller)


async def _find_jwk(
    jwk: JsonObject, issuer_id: str | None, signed_at: datetime, documents: Documents
) -> tuple[FoundKey, Check]:
    """Return the key of a header with a ``jwk`` only, which is good if the issuer publishes the same key."""
    try:
        key = from_jwk(jwk)
    except LapelError as error:
        check = key_problem(Problem.KEY_INVALID, "The key in the token cannot be read.", detail=error.detail)
        return _without_key(check, issuer_id)
    document = await controller_document(issuer_id or "", documents)
    if isinstance(document, Check):
        found = FoundKey(check=document, key=key, controller=issuer_id or "")
        return found, bind_issuer(issuer_id, found)
    listed = await offload_if_large(document, listed_key, key, document=document, signed_at=signed_at)
    if listed is None:
        check = key_problem(Problem.KEY_NOT_FOUND, "The issuer does not publish the key that the token brings along.")
        listed = FoundKey(check=check, key=key, controller=issuer_id or "")
    return listed, bind_issuer(issuer_id, listed)


async def _find_at_address(
    address: str, issuer_id: str | None, signed_at: datetime, documents: Documents
) -> tuple[FoundKey, Check]:
    """Return the key of a ``kid`` outside of the issuer's document: in a JWK, a JWK Set, or another document."""
    try:
        fetched = await documents.get(address)
        document = await read_document(fetched.body)
    except FetchNotFound as error:
        check = key_problem(
            Problem.KEY_NOT_FOUND, "The key is not published any more, or never was.", detail=error.detail
        )
        return _without_key(check, issuer_id)
    except FetchFailed as error:
        sentence = "The key cannot be fetched."
        check = key_problem(Problem.UNREACHABLE, sentence, outcome=Outcome.UNKNOWN, detail=error.detail)
        return _without_key(check, issuer_id)
    except LapelError as error:
        check = key_problem(Problem.DOCUMENT_INVALID, "The key's document cannot be read.", detail=error.detail)
        return _without_key(check, issuer_id)
    jwk = _jwk_in(document, address)
    if jwk is None:
        found = await find_key(address, signed_at=signed_at, documents=documents)
        return found, bind_issuer(issuer_id, found)
    try:
        key = from_jwk(jwk)
    except LapelError as error:
        check = key_problem(Problem.KEY_INVALID, "The published key cannot be read.", detail=error.detail)
        return _without_key(check, issuer_id)
    return await _check_owner(key, address, fetched.url, issuer_id, signed_at, documents)


async def _check_owner(
    key: PublicKey, address: str, final_url: str, issuer_id: str | None, signed_at: datetime, documents: Documents
) -> tuple[FoundKey, Check]:
    """Return the key, and the check whether the JWK at `address` is the issuer's.

    The issuer's document decides: a key that it does not list is not the issuer's, wherever it is published. Only if
    the document lists no keys at all, a key below the issuer's own address is the issuer's. The same host is not
    enough, because it may have other issuers.

    Args:
        final_url: the address of the JWK after all redirects.
    """
    passed = Check(code=CheckCode.KEY, outcome=Outcome.PASS, sentence="The key is published.", detail=address)
    found = FoundKey(check=passed, key=key, controller=issuer_id or "")
    document = await controller_document(issuer_id or "", documents)
    if isinstance(document, Mapping):
        listed = await offload_if_large(
            document, listed_key, key, address=address, document=document, signed_at=signed_at
        )
        if listed is not None:
            return listed, bind_issuer(issuer_id, listed)
        if lists_keys(document):
            return found, issuer_mismatch(f"issuer {issuer_id}, key at {address}")
        if _is_below(address, issuer_id) and _is_below(final_url, issuer_id):
            return found, bind_issuer(issuer_id, found)
    elif document.outcome is Outcome.UNKNOWN:
        sentence = "Whether the key is the issuer's cannot be told: its document cannot be fetched."
        return found, _issuer(Outcome.UNKNOWN, sentence, document.problem, document.detail)
    if not (_has_origin(address, issuer_id) and _has_origin(final_url, issuer_id)):
        return found, issuer_mismatch(f"issuer {issuer_id}, key at {address}")
    sentence = "The key lies on the issuer's host, but the issuer does not say that it is its own."
    return found, _issuer(Outcome.UNKNOWN, sentence, Problem.ISSUER_SAME_ORIGIN, address)


def _jwk_in(document: JsonObject, address: str) -> JsonObject | None:
    if "kty" in document:
        return document
    fragment = address.partition("#")[2]
    names = {address, fragment} - {""}
    return next((jwk for jwk in objects(document.get("keys")) if jwk.get("kid") in names), None)


def _read_jwk(jwk: JsonObject) -> bytes | None:
    try:
        return public_der(from_jwk(jwk))
    except LapelError:
        return None


def _without_key(check: Check, issuer_id: str | None) -> tuple[FoundKey, Check]:
    found = FoundKey(check=check, key=None, controller=issuer_id or "")
    return found, bind_issuer(issuer_id, found)


def _is_below(address: str, issuer_id: str | None) -> bool:
    """Return whether the address is below the issuer's path. False for an issuer without a path."""
    if not issuer_id or "?" in issuer_id or "#" in issuer_id or not is_within(address, f"{issuer_id}/"):
        return False
    return urlsplit(issuer_id).path.strip("/") != ""


def _has_origin(address: str, issuer_id: str | None) -> bool:
    return address.startswith("https://") and same_origin(address, issuer_id or "")

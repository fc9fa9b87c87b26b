"""The checks ``issuer`` and ``signature``: whether the key is the issuer's, and the signature valid."""

from __future__ import annotations

from lapel.errors import LapelError
from lapel.services.verifying.proofs.key_lookup import FoundKey
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = ["bind_issuer", "issuer_mismatch", "signature_check", "signature_refused"]


def bind_issuer(issuer_id: str | None, found: FoundKey) -> Check:
    """Return the check ``issuer``: whether the key's controller is the issuer that the credential names."""
    if issuer_id is None or found.controller != issuer_id:
        return issuer_mismatch(f"issuer {issuer_id}, key of {found.controller}")
    if found.check.outcome is not Outcome.PASS:
        return Check(
            code=CheckCode.ISSUER,
            outcome=Outcome.UNKNOWN,
            sentence="Whether the issuer made this cannot be told without its key.",
            problem=Problem.NOT_CHECKED,
        )
    return Check(
        code=CheckCode.ISSUER, outcome=Outcome.PASS, sentence="The key belongs to the issuer.", detail=issuer_id
    )


def issuer_mismatch(detail: str) -> Check:
    """Return the failed check ``issuer``, for a key of another controller."""
    return Check(
        code=CheckCode.ISSUER,
        outcome=Outcome.FAIL,
        sentence="The key does not belong to the issuer that the credential names.",
        problem=Problem.ISSUER_KEY_MISMATCH,
        detail=detail,
    )


def signature_refused(error: LapelError) -> Check:
    """Return the failed check ``signature``; its detail is what the error says beyond the check's own sentence."""
    said_already = type(error)().detail
    return signature_check(Outcome.FAIL, detail=None if error.detail == said_already else error.detail)


def signature_check(outcome: Outcome, *, detail: str | None = None) -> Check:
    """Return the check ``signature``: it is valid, not valid, or was not checked."""
    if outcome is Outcome.PASS:
        sentence, problem = "The signature is genuine: nothing was changed since it was made.", None
    elif outcome is Outcome.FAIL:
        sentence = "The signature does not fit: the content was changed, or another key signed it."
        problem = Problem.SIGNATURE_INVALID
    else:
        sentence, problem = "The signature could not be checked.", Problem.NOT_CHECKED
    return Check(code=CheckCode.SIGNATURE, outcome=outcome, sentence=sentence, problem=problem, detail=detail)

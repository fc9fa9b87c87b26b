"""Envelopes and presentations, which contain credentials (VC 2.0, 4.13). An envelope contains a token."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, types_of
from lapel.errors import FieldError
from lapel.services.verifying.data_model.rules import CONTEXT_2
from lapel.services.verifying.data_model.structure import BADGE_TYPES, ENDORSEMENT_TYPE
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.reading import Token
from lapel.services.verifying.report import CheckCode, Outcome, Problem, new_check

__all__ = [
    "ENVELOPED_CREDENTIAL",
    "ENVELOPED_PRESENTATION",
    "is_presentation",
    "read_envelope",
    "report_presentation",
    "report_unopened",
    "token_in_envelope",
]

ENVELOPED_CREDENTIAL: Final = "EnvelopedVerifiableCredential"
ENVELOPED_PRESENTATION: Final = "EnvelopedVerifiablePresentation"

_SCHEME: Final = "data:"
_MEDIA_TYPES: Final = {
    ENVELOPED_CREDENTIAL: ("application/jwt", "application/vc+jwt", "application/vc-ld+jwt"),
    ENVELOPED_PRESENTATION: ("application/jwt", "application/vp+jwt", "application/vp-ld+jwt"),
}
_OTHER_MEDIA_TYPES: Final = frozenset(
    f"application/{what}+{how}" for what in ("vc", "vc-ld") for how in ("cose", "sd-jwt")
)
_PRESENTATIONS: Final = frozenset({"VerifiablePresentation", ENVELOPED_PRESENTATION})
_CREDENTIALS: Final = BADGE_TYPES | {"VerifiableCredential", ENDORSEMENT_TYPE, "Assertion"}


def read_envelope(envelope: JsonObject, kind: str) -> tuple[str, Sequence[FieldError]]:
    """Return the compact token in an envelope, and the envelope's problems.

    Args:
        kind: ENVELOPED_CREDENTIAL or ENVELOPED_PRESENTATION.
    """
    problems = list(_problems(envelope, kind))
    if problems:
        return "", problems
    media_type, *parameters = _media_type(envelope)
    if media_type not in _MEDIA_TYPES[kind]:
        known = ", ".join(_MEDIA_TYPES[kind])
        return "", [FieldError("/id", f"must be of a media type that is read: {known}", "unsupported")]
    data = unquote(str(envelope["id"]).partition(",")[2])
    if parameters[-1:] != ["base64"]:
        return data, ()
    try:
        return base64.b64decode(data, validate=True).decode("ascii"), ()
    except ValueError:
        return "", [FieldError("/id", "must hold a token in base64, as it says")]


def token_in_envelope(envelope: JsonObject, findings: Findings) -> Token | None:
    """Return the token in a credential's envelope; None after adding a check that says why there is none."""
    compact, problems = read_envelope(envelope, ENVELOPED_CREDENTIAL)
    if not problems:
        return Token(compact)
    if _has_unsupported_type(envelope):
        sentence = "What is in the envelope is secured in a way that is not understood here."
        findings.add(new_check(CheckCode.PROOF, Outcome.UNKNOWN, sentence, Problem.PROOF_UNSUPPORTED))
    else:
        report_unopened(findings, "; ".join(f"{problem.pointer} {problem.detail}" for problem in problems))
    return None


def report_unopened(findings: Findings, detail: str) -> None:
    """Add the check that says that the envelope cannot be opened."""
    sentence = "The envelope of the credential cannot be opened."
    findings.add(new_check(CheckCode.STRUCTURE, Outcome.FAIL, sentence, Problem.MEMBER_INVALID, detail))


def is_presentation(document: JsonObject) -> bool:
    """Return whether it is a presentation by its type, in an envelope or not, and not also a credential."""
    types = types_of(document)
    return not _PRESENTATIONS.isdisjoint(types) and _CREDENTIALS.isdisjoint(types)


def report_presentation(findings: Findings) -> None:
    """Add the check that says that presentations are not verified here."""
    sentence = "This is a presentation, which may hold several credentials; one badge at a time is verified here."
    findings.add(new_check(CheckCode.STRUCTURE, Outcome.UNKNOWN, sentence, Problem.PRESENTATION))


def _has_unsupported_type(envelope: JsonObject) -> bool:
    """Return whether its content has a media type that exists but is not supported here."""
    return not list(_problems(envelope, ENVELOPED_CREDENTIAL)) and _media_type(envelope)[0] in _OTHER_MEDIA_TYPES


def _media_type(envelope: JsonObject) -> list[str]:
    """Return the media type of the envelope's content, and its parameters (RFC 2397)."""
    return [part.strip().lower() for part in str(envelope["id"])[len(_SCHEME) :].partition(",")[0].split(";")]


def _problems(envelope: JsonObject, kind: str) -> Iterator[FieldError]:
    """Yield an envelope's problems, except those of its content (4.13, Enveloped Verifiable Credentials)."""
    if CONTEXT_2 not in as_list(envelope.get("@context")):
        yield FieldError("/@context", f"must include {CONTEXT_2}")
    if types_of(envelope) != {kind}:
        yield FieldError("/type", f"must be {kind}")
    address = envelope.get("id")
    if not isinstance(address, str) or address[: len(_SCHEME)].lower() != _SCHEME or "," not in address:
        yield FieldError("/id", "must be a data: URL with what is in the envelope")

"""What a credential may come in: an envelope, whose token secures it, or a presentation (VC 2.0, 4.13)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from lapel.domain.json import JsonObject
from lapel.errors import FieldError
from lapel.services.verifying.data_model.rules import CONTEXT_2
from lapel.services.verifying.data_model.structure import BADGE_TYPES, ENDORSEMENT_TYPE
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import as_list, types_of
from lapel.services.verifying.reading import Token
from lapel.services.verifying.report import CheckCode, Outcome, Problem, made

__all__ = [
    "ENVELOPED_CREDENTIAL",
    "ENVELOPED_PRESENTATION",
    "enveloped",
    "is_presentation",
    "name_presentation",
    "name_unopened",
    "opened",
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
_OTHERS: Final = BADGE_TYPES | {"VerifiableCredential", ENDORSEMENT_TYPE, "Assertion"}


def opened(envelope: JsonObject, kind: str) -> tuple[str, Sequence[FieldError]]:
    """The compact token in an envelope, and what is wrong with the envelope.

    Args:
        kind: ENVELOPED_CREDENTIAL or ENVELOPED_PRESENTATION.
    """
    problems = list(_problems(envelope, kind))
    if problems:
        return "", problems
    media_type, *parameters = _described(envelope)
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


def enveloped(envelope: JsonObject, findings: Findings) -> Token | None:
    """The token in the envelope of a credential; None, with the finding that says why, where there is none to read."""
    compact, problems = opened(envelope, ENVELOPED_CREDENTIAL)
    if not problems:
        return Token(compact)
    if _is_of_other_kind(envelope):
        sentence = "What is in the envelope is secured in a way that is not understood here."
        findings.add(made(CheckCode.PROOF, Outcome.UNKNOWN, sentence, Problem.PROOF_UNSUPPORTED))
    else:
        name_unopened(findings, "; ".join(f"{each.pointer} {each.detail}" for each in problems))
    return None


def name_unopened(findings: Findings, detail: str) -> None:
    """The finding: it is an envelope, and what is wrong with it."""
    sentence = "The envelope of the credential cannot be opened."
    findings.add(made(CheckCode.STRUCTURE, Outcome.FAIL, sentence, Problem.MEMBER_INVALID, detail))


def is_presentation(document: JsonObject) -> bool:
    """Whether it says that it is a presentation, in an envelope or not, and nothing else that could be verified."""
    types = types_of(document)
    return not _PRESENTATIONS.isdisjoint(types) and _OTHERS.isdisjoint(types)


def name_presentation(findings: Findings) -> None:
    """The finding: what it is, and that it is not verified where one badge is."""
    sentence = "This is a presentation, which may hold several credentials; one badge at a time is verified here."
    findings.add(made(CheckCode.STRUCTURE, Outcome.UNKNOWN, sentence, Problem.PRESENTATION))


def _is_of_other_kind(envelope: JsonObject) -> bool:
    """Whether what is in it is secured in a way that exists and is not understood here."""
    return not list(_problems(envelope, ENVELOPED_CREDENTIAL)) and _described(envelope)[0] in _OTHER_MEDIA_TYPES


def _described(envelope: JsonObject) -> list[str]:
    """The media type of what is in it, and that type's parameters (RFC 2397)."""
    return [part.strip().lower() for part in str(envelope["id"])[len(_SCHEME) :].partition(",")[0].split(";")]


def _problems(envelope: JsonObject, kind: str) -> Iterator[FieldError]:
    """What is wrong with an envelope, but for what is in it (4.13, Enveloped Verifiable Credentials, Presentations)."""
    if CONTEXT_2 not in as_list(envelope.get("@context")):
        yield FieldError("/@context", f"must include {CONTEXT_2}")
    if types_of(envelope) != {kind}:
        yield FieldError("/type", f"must be {kind}")
    address = envelope.get("id")
    if not isinstance(address, str) or address[: len(_SCHEME)].lower() != _SCHEME or "," not in address:
        yield FieldError("/id", "must be a data: URL with what is in the envelope")

"""What a credential may come in: an envelope, whose token secures it, or a presentation (VC 2.0, 4.12 and 4.13)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from lapel.domain.json import JsonObject
from lapel.errors import FieldError
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import as_list, types_of
from lapel.services.verifying.report import CheckCode, Outcome, Problem, made
from lapel.services.verifying.structure import CONTEXT_2

__all__ = [
    "ENVELOPED_CREDENTIAL",
    "ENVELOPED_PRESENTATION",
    "is_of_other_kind",
    "is_presentation",
    "name_presentation",
    "opened",
]

ENVELOPED_CREDENTIAL: Final = "EnvelopedVerifiableCredential"
ENVELOPED_PRESENTATION: Final = "EnvelopedVerifiablePresentation"

_MEDIA_TYPES: Final = {
    ENVELOPED_CREDENTIAL: ("application/jwt", "application/vc+jwt", "application/vc-ld+jwt"),
    ENVELOPED_PRESENTATION: ("application/jwt", "application/vp+jwt", "application/vp-ld+jwt"),
}
_OTHER_MEDIA_TYPES: Final = frozenset(
    {"application/vc+cose", "application/vc+sd-jwt", "application/vc-ld+cose", "application/vc-ld+sd-jwt"}
)
_PRESENTATIONS: Final = frozenset({"VerifiablePresentation", ENVELOPED_PRESENTATION})


def opened(envelope: JsonObject, kind: str) -> tuple[str, Sequence[FieldError]]:
    """The compact token in an envelope, and what is wrong with the envelope.

    Args:
        kind: ENVELOPED_CREDENTIAL or ENVELOPED_PRESENTATION.
    """
    problems = list(_problems(envelope, kind))
    media_type, in_base64, data = _parts(envelope)
    if problems:
        return "", problems
    if media_type not in _MEDIA_TYPES[kind]:
        known = ", ".join(_MEDIA_TYPES[kind])
        return "", [FieldError("/id", f"must be of a media type that is read: {known}", "unsupported")]
    try:
        return (base64.b64decode(data, validate=True).decode("ascii") if in_base64 else data), ()
    except (binascii.Error, ValueError):
        return "", [FieldError("/id", "must have a token in base64, for it says that it is in base64")]


def is_of_other_kind(envelope: JsonObject) -> bool:
    """Whether what is in it is secured in a way that exists and is not understood here."""
    return _parts(envelope)[0] in _OTHER_MEDIA_TYPES


def is_presentation(document: JsonObject) -> bool:
    """Whether it says that it is a presentation, in an envelope or not."""
    return not _PRESENTATIONS.isdisjoint(types_of(document))


def name_presentation(findings: Findings) -> None:
    """The finding: what it is, and that it is not verified where one badge is."""
    sentence = "This is a presentation, which may hold several credentials; one badge at a time is verified here."
    findings.add(made(CheckCode.STRUCTURE, Outcome.UNKNOWN, sentence, Problem.PRESENTATION))


def _parts(envelope: JsonObject) -> tuple[str, bool, str]:
    """The media type of what is in an envelope, whether that is in base64, and what it is (RFC 2397)."""
    described, _, data = str(envelope.get("id")).removeprefix("data:").partition(",")
    media_type, *parameters = (each.strip().lower() for each in described.split(";"))
    return media_type, parameters[-1:] == ["base64"], unquote(data)


def _problems(envelope: JsonObject, kind: str) -> Iterator[FieldError]:
    """What is wrong with an envelope (4.12.1 and 4.12.2), but for what is in it."""
    if CONTEXT_2 not in as_list(envelope.get("@context")):
        yield FieldError("/@context", f"must include {CONTEXT_2}")
    if types_of(envelope) != {kind}:
        yield FieldError("/type", f"must be {kind}")
    address = envelope.get("id")
    if not isinstance(address, str) or not address.startswith("data:") or "," not in address:
        yield FieldError("/id", "must be a data: URL with what is in the envelope")

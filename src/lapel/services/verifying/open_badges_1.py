"""Open Badges before 2.0: recognised, shown and named; what they say is not verified.

Images that were baked under them are all over the web, and hold such an assertion or its address. The members that tell
the versions apart: an ``@context`` since 1.1, a ``uid`` and ``verify`` since 1.0, a bare e-mail address and the whole
badge inside in 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lapel.domain.json import JsonObject
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.members import as_list, object_of, text_of
from lapel.services.verifying.report import Check, CheckCode, Kind, Outcome, Problem, Shown

__all__ = ["name_older_version", "older_version"]

_CONTEXTS: Final = ("https://w3id.org/openbadges/v1", "https://openbadgespec.org/v1/context.json")


def older_version(document: JsonObject) -> str | None:
    """The version, ``1.1``, ``1.0`` or ``0.5``, of an assertion that is older than 2.0; None if it is none."""
    if any(context in _CONTEXTS for context in as_list(document.get("@context"))):
        return "1.1"
    if "@context" in document or "badge" not in document or "recipient" not in document:
        return None
    if isinstance(document["recipient"], str) and isinstance(document["badge"], Mapping):
        return "0.5"
    return "1.0" if isinstance(document["recipient"], Mapping) and {"uid", "verify"} & document.keys() else None


def name_older_version(document: JsonObject, version: str, findings: Findings) -> None:
    """The findings: what it is, and that nobody here can tell whether it is genuine."""
    recipient, verify = object_of(document.get("recipient")), object_of(document.get("verify"))
    badge = object_of(document.get("badge"))
    hashed = text_of(document.get("recipient")) is None and recipient.get("hashed") is not False
    plain = text_of(recipient.get("identity")) or text_of(document.get("recipient"))
    findings.shown = Shown(
        kind=Kind.BADGE_1,
        format=text_of(verify.get("type")),
        credential_id=text_of(document.get("id")) or text_of(document.get("uid")),
        name=text_of(badge.get("name")),
        description=text_of(badge.get("description")),
        issuer_id=text_of(badge.get("issuer")) or text_of(object_of(badge.get("issuer")).get("origin")),
        issuer_name=text_of(object_of(badge.get("issuer")).get("name")),
        recipient=f"hashed {text_of(recipient.get('type')) or 'email'}" if hashed else _unhashed(plain),
        valid_from=text_of(document.get("issuedOn")) or text_of(document.get("issued_on")),
        valid_until=text_of(document.get("expires")),
    )
    findings.add(
        Check(
            code=CheckCode.STRUCTURE,
            outcome=Outcome.UNKNOWN,
            sentence=f"This is an Open Badge of version {version}; only versions 2.0 and 3.0 are verified here.",
            problem=Problem.OLDER_VERSION,
            detail=text_of(verify.get("url")),
        )
    )


def _unhashed(identity: str | None) -> str | None:
    """A 0.5 recipient is a hash by its looks alone."""
    return "hashed email" if identity is not None and identity.startswith(("sha256$", "md5$", "sha1$")) else identity

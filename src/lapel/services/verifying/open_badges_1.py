"""Open Badges before 2.0: recognised and summarised, but not verified.

Many images on the web were baked with these versions, and contain such an assertion or its address. The versions differ
in their members: an ``@context`` since 1.1; a ``uid`` and ``verify`` since 1.0; in 0.5, the recipient as a string and
the whole badge class inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, object_of, text_of
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.recipient import hashed_recipient
from lapel.services.verifying.report import Check, CheckCode, Kind, Outcome, Problem, Shown

__all__ = ["older_version", "report_older_version"]

_CONTEXTS: Final = ("https://w3id.org/openbadges/v1", "https://openbadgespec.org/v1/context.json")


def older_version(document: JsonObject) -> str | None:
    """Return the version, ``1.1``, ``1.0`` or ``0.5``, of an assertion older than 2.0; None for other documents."""
    if any(context in _CONTEXTS for context in as_list(document.get("@context"))):
        return "1.1"
    if "@context" in document or "badge" not in document or "recipient" not in document:
        return None
    if isinstance(document["recipient"], str) and isinstance(document["badge"], Mapping):
        return "0.5"
    return "1.0" if isinstance(document["recipient"], Mapping) and {"uid", "verify"} & document.keys() else None


def report_older_version(document: JsonObject, version: str, findings: Findings) -> None:
    """Add the summary, and a check that says that this version is not verified."""
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
        recipient=hashed_recipient(text_of(recipient.get("type")) or "email") if hashed else _unhashed(plain),
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
    """Return a 0.5 recipient, which is recognised as a hash only by its prefix."""
    is_hash = identity is not None and identity.startswith(("sha256$", "md5$", "sha1$"))
    return hashed_recipient("email") if is_hash else identity

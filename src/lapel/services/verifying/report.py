"""What a verification says: ordered checks, each with an outcome, a stable code and a sentence for people.

Two vocabularies, both part of the public interface and explained in ``docs/verification.md``: a *check code* names
what was looked at, a *problem code* names what was found wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from lapel.domain.json import JsonObject

__all__ = ["Check", "CheckCode", "Kind", "Outcome", "Problem", "Report", "Shown", "made"]


class Outcome(StrEnum):
    """How a check ended. ``unknown`` is never a reproach: it could not be told, a network away perhaps."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    WARN = "warn"
    UNKNOWN = "unknown"
    SKIP = "skip"


class CheckCode(StrEnum):
    """What was looked at, in the order in which reports list it."""

    STRUCTURE = "structure"
    CONTEXTS = "contexts"
    JSON_LD = "json_ld"
    SCHEMA = "schema"
    HOSTED = "hosted"
    BADGE_CLASS = "badge_class"
    PROOF = "proof"
    CLAIMS = "claims"
    KEY = "key"
    ISSUER = "issuer"
    HOLDER = "holder"
    SIGNATURE = "signature"
    REFRESH = "refresh"
    STATUS = "status"
    VALIDITY = "validity"
    RECIPIENT = "recipient"
    ENDORSEMENTS = "endorsements"
    TIME_LIMIT = "time_limit"


class Problem(StrEnum):
    """What was found."""

    MEMBER_MISSING = "member_missing"
    MEMBER_INVALID = "member_invalid"
    NOT_A_BADGE = "not_a_badge"
    OLDER_VERSION = "older_version"
    CONTEXT_MISSING = "context_missing"
    CONTEXT_UNKNOWN = "context_unknown"
    CONTEXT_REDEFINES = "context_redefines"
    JSON_LD_INVALID = "json_ld_invalid"
    TOO_COMPLEX = "too_complex"
    MEMBER_HIDDEN = "member_hidden"
    SCHEMA_MISMATCH = "schema_mismatch"
    SCHEMA_UNKNOWN = "schema_unknown"
    HOSTED_MISSING = "hosted_missing"
    HOSTED_DIFFERS = "hosted_differs"
    HOSTED_ELSEWHERE = "hosted_elsewhere"
    PROOF_MISSING = "proof_missing"
    PROOF_INVALID = "proof_invalid"
    PROOF_UNSUPPORTED = "proof_unsupported"
    PROOF_PURPOSE = "proof_purpose"
    CHALLENGE_MISMATCH = "challenge_mismatch"
    DOMAIN_MISMATCH = "domain_mismatch"
    PROOF_EXPIRED = "proof_expired"
    PROOF_FROM_FUTURE = "proof_from_future"
    CLAIM_MISSING = "claim_missing"
    CLAIM_MISMATCH = "claim_mismatch"
    KEY_NOT_NAMED = "key_not_named"
    KEY_NOT_FOUND = "key_not_found"
    KEY_NOT_AUTHORISED = "key_not_authorised"
    KEY_CONTROLLER = "key_controller"
    KEY_INVALID = "key_invalid"
    KEY_UNSUPPORTED = "key_unsupported"
    KEY_EXPIRED = "key_expired"
    KEY_REVOKED = "key_revoked"
    UNREACHABLE = "unreachable"
    DOCUMENT_INVALID = "document_invalid"
    DOCUMENT_ID = "document_id"
    ISSUER_KEY_MISMATCH = "issuer_key_mismatch"
    HOLDER_KEY_MISMATCH = "holder_key_mismatch"
    HOLDER_MISSING = "holder_missing"
    ISSUER_SAME_ORIGIN = "issuer_same_origin"
    SIGNATURE_INVALID = "signature_invalid"
    NOT_CHECKED = "not_checked"
    REFRESH_REFUSED = "refresh_refused"
    STATUS_UNSUPPORTED = "status_unsupported"
    STATUS_LIST_INVALID = "status_list_invalid"
    STATUS_LIST_UNTRUSTED = "status_list_untrusted"
    STATUS_MESSAGE = "status_message"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    RECIPIENT_MISMATCH = "recipient_mismatch"
    ENDORSEMENT_INVALID = "endorsement_invalid"
    ENDORSEMENT_LAPSED = "endorsement_lapsed"
    ENDORSEMENT_ELSEWHERE = "endorsement_elsewhere"
    TIMED_OUT = "timed_out"


class Kind(StrEnum):
    """What was verified."""

    BADGE = "OpenBadgeCredential"
    BADGE_2 = "Assertion"
    BADGE_1 = "Assertion-1"
    ENDORSEMENT = "EndorsementCredential"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        problem: None where nothing is wrong.
        detail: for whoever has to find the cause; may quote the document.
    """

    code: CheckCode
    outcome: Outcome
    sentence: str
    problem: Problem | None = None
    detail: str | None = None

    def to_json(self) -> JsonObject:
        """``{"code", "outcome", "sentence"}``, and ``problem`` and ``detail`` where there are any."""
        shown: dict[str, str] = {
            "code": self.code.value,
            "outcome": self.outcome.value,
            "sentence": self.sentence,
        }
        if self.problem:
            shown["problem"] = self.problem.value
        if self.detail:
            shown["detail"] = self.detail
        return shown


def made(
    code: CheckCode, outcome: Outcome, sentence: str, problem: Problem | None = None, detail: str | None = None
) -> Check:
    """A check, written short."""
    return Check(code=code, outcome=outcome, sentence=sentence, problem=problem, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the document says of itself. It is to be believed only if the report says valid.

    Attributes:
        format: how it is secured: a cryptosuite or proof type, ``vc-jwt``, ``hosted``; None without any security.
        recipient: as the document shows it: a DID or URL, a plain identity, or ``hashed emailAddress``.
        valid_from, valid_until: as written, not parsed.
    """

    kind: Kind = Kind.OTHER
    format: str | None = None
    credential_id: str | None = None
    name: str | None = None
    issuer_id: str | None = None
    issuer_name: str | None = None
    recipient: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a verification."""

    checks: tuple[Check, ...]
    shown: Shown = field(default_factory=Shown)

    @property
    def valid(self) -> bool | None:
        """False if any check failed, None if none did but one could not be told, else True."""
        outcomes = {check.outcome for check in self.checks}
        if Outcome.FAIL in outcomes or not outcomes:
            return False
        return None if Outcome.UNKNOWN in outcomes else True

    def problems(self) -> Sequence[Problem]:
        """The problems found, in order."""
        return [check.problem for check in self.checks if check.problem]

    def to_json(self) -> JsonObject:
        """The report as ``POST /v3/verify`` answers it; members without a value are null."""
        shown = self.shown
        return {
            "valid": self.valid,
            "kind": shown.kind.value,
            "format": shown.format,
            "credential": {
                "id": shown.credential_id,
                "name": shown.name,
                "issuer": {"id": shown.issuer_id, "name": shown.issuer_name},
                "recipient": shown.recipient,
                "validFrom": shown.valid_from,
                "validUntil": shown.valid_until,
            },
            "checks": [check.to_json() for check in self.checks],
        }

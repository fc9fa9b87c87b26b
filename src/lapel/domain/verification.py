"""The vocabulary of verification reports: outcomes, checks, problems and kinds of documents.

It is part of the public interface and explained in ``docs/verification.md``.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CheckCode", "Kind", "Outcome", "Problem"]


class Outcome(StrEnum):
    """The outcome of a check. ``unknown`` means that it could not be decided, for example without a network."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    WARN = "warn"
    UNKNOWN = "unknown"
    SKIP = "skip"


class CheckCode(StrEnum):
    """What was checked, in the order in which reports list it."""

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
    """What a check has found wrong, or could not decide."""

    MEMBER_MISSING = "member_missing"
    MEMBER_INVALID = "member_invalid"
    NOT_A_BADGE = "not_a_badge"
    OLDER_VERSION = "older_version"
    PRESENTATION = "presentation"
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
    STATUS_LIST_MISMATCH = "status_list_mismatch"
    STATUS_LIST_SHORT = "status_list_short"
    STATUS_OUTSIDE_LIST = "status_outside_list"
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
    """The kind of document that was verified."""

    BADGE = "OpenBadgeCredential"
    BADGE_2 = "Assertion"
    BADGE_1 = "Assertion-1"
    ENDORSEMENT = "EndorsementCredential"
    ENDORSEMENT_2 = "Endorsement"
    OTHER = "other"

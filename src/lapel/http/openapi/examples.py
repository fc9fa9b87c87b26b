"""Examples of each request body, by operation: shown in the description and on `/docs`, and sent by a test.

Their ids are the constants below, which the test replaces by real ones.
"""

from __future__ import annotations

from typing import Final

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["ACHIEVEMENT", "CREDENTIAL", "EXAMPLES", "ISSUER"]

ISSUER: Final = "01980c7e-5d6f-7a31-9c2e-4b8d1f60a201"
ACHIEVEMENT: Final = "01980c7e-5d6f-7a31-9c2e-4b8d1f60a202"
CREDENTIAL: Final = "01980c7e-5d6f-7a31-9c2e-4b8d1f60a203"

_ADA: Final[JsonObject] = {"type": "email", "identity": "ada@school.example", "name": "Ada Lovelace"}
_VC: Final = ["https://www.w3.org/ns/credentials/v2"]
_MEMBERSHIP: Final[JsonObject] = {
    "@context": _VC,
    "type": ["VerifiableCredential"],
    "credentialSubject": {"id": "did:example:ada"},
}


def _json(*examples: JsonValue) -> dict[str, dict[str, JsonValue]]:
    return {"application/json": {f"example{number}": value for number, value in enumerate(examples, 1)}}


EXAMPLES: Final[dict[str, dict[str, dict[str, JsonValue]]]] = {
    "create_issuer": _json(
        {"name": "Riverside School", "url": "https://school.example", "email": "badges@school.example"},
        {"name": "Harbour Museum", "identity": "did:key", "description": "Ships, and who sailed them."},
    ),
    "change_issuer": _json({"description": "A school by the river.", "phone": None}),
    "create_achievement": _json(
        {
            "issuer": ISSUER,
            "name": "Knots and Ropes",
            "description": "Ties what must hold.",
            "criteria": {"narrative": "Tie ten knots, blindfolded."},
            "achievementType": "Badge",
            "tag": ["ropes"],
            "suspendable": True,
        }
    ),
    "change_achievement": _json({"description": "Ties what must hold, at sea.", "tag": None}),
    "issue_credential": _json(
        {"achievement": ACHIEVEMENT, "recipient": _ADA},
        {
            "achievement": ACHIEVEMENT,
            "recipient": _ADA,
            "validUntil": "2036-01-31T12:00:00Z",
            "evidence": [{"name": "The tenth knot", "narrative": "Tied in eleven seconds."}],
            "format": "vc-jwt",
        },
    ),
    "change_credential_status": _json(
        {"status": "suspended", "reason": "The rope is being examined."},
        {"status": "active"},
    ),
    "issue_endorsement": _json(
        {"endorsed": "https://school.example/achievements/knots", "issuer": ISSUER, "comment": "We teach by it."}
    ),
    "rotate_key": _json({"algorithm": "Ed25519"}),
    "change_key_state": _json({"state": "compromised", "since": "2026-01-31T12:00:00Z"}),
    "issue_batch": _json(
        [
            {"achievement": ACHIEVEMENT, "recipient": {"type": "email", "identity": "ada@school.example"}},
            {"achievement": ACHIEVEMENT, "recipient": {"type": "email", "identity": "grace@school.example"}},
        ]
    ),
    "change_statuses": _json(
        {"ids": [CREDENTIAL], "status": "suspended", "reason": "The rope is being examined."},
        {"ids": [CREDENTIAL], "status": "active"},
    ),
    "replace_credential": _json({"recipient": _ADA, "reason": "The name was misspelt."}),
    "erase_recipient": _json({"type": "email", "identity": "grace@school.example"}),
    "create_v2_issuer": _json(
        {"type": "Issuer", "name": "Harbour Museum", "url": "https://museum.example", "email": "badges@museum.example"}
    ),
    "create_badge_class": _json(
        {
            "type": "BadgeClass",
            "issuer": f"https://badges.example/v2/issuers/{ISSUER}",
            "name": "Splices",
            "description": "Joins two ropes.",
            "criteria": {"narrative": "Splice five."},
        }
    ),
    "create_assertion": _json(
        {
            "type": "Assertion",
            "badge": f"https://badges.example/v2/badge-classes/{ACHIEVEMENT}",
            "recipient": {"type": "email", "hashed": False, "identity": "ada@school.example"},
            "issuedOn": "2026-01-31T12:00:00Z",
        }
    ),
    "create_api_key": _json({"name": "The school's website", "role": "issuer", "expiresAt": "2036-01-31T12:00:00Z"}),
    "create_organisation": _json({"name": "Harbour Museum"}),
    "change_organisation": _json({"name": "Harbour Museum and Archive"}),
    "verify": _json({"url": f"https://badges.example/v3/credentials/{CREDENTIAL}"}),
    "vc_issue": _json({"credential": {**_MEMBERSHIP, "issuer": f"https://badges.example/v3/issuers/{ISSUER}"}}),
    "vc_change_status": _json(
        {
            "credentialId": f"https://badges.example/v3/credentials/{CREDENTIAL}",
            "credentialStatus": {"type": "BitstringStatusListEntry", "statusPurpose": "suspension"},
            "status": True,
        },
        {
            "credentialId": f"https://badges.example/v3/credentials/{CREDENTIAL}",
            "credentialStatus": {"type": "BitstringStatusListEntry", "statusPurpose": "suspension"},
            "status": False,
        },
    ),
    "vc_verify_credential": _json({"verifiableCredential": _MEMBERSHIP, "options": {"returnResults": True}}),
    "vc_verify_presentation": _json({"presentation": {"@context": _VC, "type": ["VerifiablePresentation"]}}),
}
"""Named example bodies, by operation id and media type."""

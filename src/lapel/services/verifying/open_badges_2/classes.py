"""The classes of Open Badges 2.0: of which kind each of their members is ("Open Badges Vocabulary").

A table of facts. A kind that is none of those in `data_model.kinds` is the name of a class. What is required is asked
elsewhere, and so is what other checks judge with more care, such as dates and keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CLASSES"]

CLASSES: Final[Mapping[str, Mapping[str, str]]] = {
    "Assertion": {
        "recipient": "IdentityObject",
        "image": "Image",
        "evidence": "Evidence",
        "narrative": "text",
        "revoked": "boolean",
        "revocationReason": "text",
    },
    "BadgeClass": {
        "name": "text",
        "description": "text",
        "image": "Image",
        "criteria": "Criteria",
        "alignment": "AlignmentObject",
        "tags": "text",
    },
    "Profile": {
        "name": "text",
        "telephone": "text",
        "description": "text",
        "image": "Image",
        "verification": "VerificationObject",
    },
    "Endorsement": {"claim": "Claim", "revoked": "boolean", "revocationReason": "text"},
    "Claim": {"id": "text", "endorsementComment": "text"},
    "IdentityObject": {"salt": "text"},
    "Image": {"id": "text", "caption": "text", "author": "Author"},
    "Author": {"id": "text", "name": "text"},
    "Evidence": {
        "id": "text",
        "narrative": "text",
        "name": "text",
        "description": "text",
        "genre": "text",
        "audience": "text",
    },
    "Criteria": {"id": "text", "narrative": "text"},
    "AlignmentObject": {
        "targetName": "text",
        "targetUrl": "text",
        "targetDescription": "text",
        "targetFramework": "text",
        "targetCode": "text",
    },
    "VerificationObject": {"verificationProperty": "text", "startsWith": "text", "allowedOrigins": "text"},
}

"""The classes of Open Badges 2.0, and the kinds of their members ("Open Badges Vocabulary").

This table is in the form of `data_model.kinds`. Which members a badge's three documents require is checked elsewhere,
like members that need more thorough checks, such as dates and keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CLASSES"]

_ANY: Final = {"version": "text or number", "related": "Related", "@language": "text"}
"""The members that each of the documents may have ("Properties")."""

CLASSES: Final[Mapping[str, Mapping[str, str]]] = {
    "Assertion": {
        **_ANY,
        "recipient": "IdentityObject",
        "image": "Image",
        "evidence": "Evidence",
        "narrative": "text",
        "expires": "date with offset",
        "revoked": "boolean",
        "revocationReason": "text",
    },
    "BadgeClass": {
        **_ANY,
        "name": "text",
        "description": "text",
        "image": "Image",
        "criteria": "Criteria",
        "alignment": "AlignmentObject",
        "tags": "text",
    },
    "Profile": {
        **_ANY,
        "name": "text",
        "telephone": "text",
        "description": "text",
        "image": "Image",
        "verification": "VerificationObject",
    },
    "Endorsement": {
        "claim": "Claim",
        "expires": "date with offset",
        "revoked": "boolean",
        "revocationReason": "text",
    },
    "Claim": {"id": "text", "endorsementComment": "text"},
    "IdentityObject": {"salt": "text"},
    "Image": {"id": "iri!", "caption": "text", "author": "Author"},
    "Author": {"id": "iri", "name": "text"},
    "Evidence": {
        "id": "iri",
        "narrative": "text",
        "name": "text",
        "description": "text",
        "genre": "text",
        "audience": "text",
    },
    "Criteria": {"id": "iri", "narrative": "text"},
    "AlignmentObject": {
        "targetName": "text!",
        "targetUrl": "iri!",
        "targetDescription": "text",
        "targetFramework": "text",
        "targetCode": "text",
    },
    "Related": {"id": "iri!", "version": "text or number", "@language": "text"},
    "VerificationObject": {"verificationProperty": "text", "startsWith": "text", "allowedOrigins": "text"},
}

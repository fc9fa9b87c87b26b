"""The URLs of the JSON-LD contexts in Lapel's documents."""

from __future__ import annotations

from typing import Final

__all__ = ["CREDENTIALS_V2", "DID", "EXTENSIONS", "MULTIKEY", "OPEN_BADGES", "OPEN_BADGES_V2"]

CREDENTIALS_V2: Final = "https://www.w3.org/ns/credentials/v2"
OPEN_BADGES: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
EXTENSIONS: Final = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
"""Defines 1EdTech's types of schemas, refresh services and revocation lists, which the main context omits."""
DID: Final = "https://www.w3.org/ns/did/v1"
MULTIKEY: Final = "https://w3id.org/security/multikey/v1"
OPEN_BADGES_V2: Final = "https://w3id.org/openbadges/v2"

"""The schemas of parameters and header fields in the OpenAPI description, by their names."""

from __future__ import annotations

from typing import Final

from lapel.domain.audit import Action
from lapel.domain.credential import CredentialStatus
from lapel.domain.json import JsonObject
from lapel.services.paging import DEFAULT_PAGE, MAX_PAGE_SIZE

__all__ = ["ANSWER_HEADERS", "IF_NONE_MATCH", "parameter", "path_parameter"]

_UUID: Final = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_ID: Final[JsonObject] = {"type": "string", "pattern": f"^(urn:uuid:)?{_UUID}$", "maxLength": 45}
_ISSUER_ID: Final[JsonObject] = {"type": "string", "pattern": f"^((urn:uuid:)?{_UUID}|did:.+)$", "maxLength": 400}
_REFERENCE: Final[JsonObject] = {"type": "string", "pattern": f"^(urn:uuid:|https?://.+/)?{_UUID}$"}

_TIME: Final[JsonObject] = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}

_SCHEMAS: Final[dict[str, JsonObject]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": DEFAULT_PAGE},
    "cursor": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22,}$"},
    "name": {"type": "string", "minLength": 1, "maxLength": 200},
    "atomic": {"type": "boolean", "default": True},
    "status": {"type": "string", "enum": [status.value for status in CredentialStatus]},
    "recipientType": {"type": "string", "enum": ["email", "did", "url", "phone"]},
    **dict.fromkeys(("issuedSince", "issuedBefore", "validFromSince", "validFromBefore", "since", "until"), _TIME),
    "Idempotency-Key": {
        "type": "string",
        "pattern": '^("[ !#-\\[\\]-~]{1,255}"|[!#-+\\--~]{1,255})$',
        "examples": ['"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
    },
    "version": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    "issuer": {"type": "string", "pattern": f"^((urn:uuid:|https?://.+/)?{_UUID}|did:.+)$"},
    "achievement": _REFERENCE,
    "actor": {"type": "string", "minLength": 1, "maxLength": 300, "pattern": r"\S", "examples": ["command-line"]},
    "action": {"type": "string", "enum": [action.value for action in Action]},
    "entity": _REFERENCE,
    "recipient": {"type": "string", "minLength": 1, "pattern": r"\S"},
    "If-Match": {"type": "string", "minLength": 1, "examples": ['"1-0123456789abcdef01234567"']},
}

IF_NONE_MATCH: Final[JsonObject] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of your copy: 304 if it is still current. Anything else is ignored.",
    "schema": {"type": "string"},
}

ANSWER_HEADERS: Final[dict[str, JsonObject]] = {
    "X-Request-Id": {
        "description": "What the server's log calls this request.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{14,}$"},
    },
    "Location": {
        "description": "Where the new resource is.",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
    },
    "ETag": {
        "description": "A strong validator, for If-None-Match and, where the resource has versions, If-Match.",
        "schema": {"type": "string", "pattern": '^"([1-9][0-9]*-)?[0-9a-f]{24}(-gzip)?"$'},
    },
    "Link": {
        "description": "The next page, as `rel=next` (RFC 8288); not on the last one.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "How many seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Accept-Patch": {
        "description": "What a PATCH can be (RFC 5789, 3.1).",
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "`true` if the request was carried out before: this is its answer again, or says that what it"
        " created is gone.",
        "schema": {"type": "string", "const": "true"},
    },
    "RateLimit": {
        "description": "What is left of the limit: r calls now, all of them again after t seconds.",
        "schema": {"type": "string", "pattern": '^"[a-z]+";r=[0-9]+;t=[0-9]+$'},
    },
    "RateLimit-Policy": {
        "description": "The limit: q calls in w seconds (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string", "pattern": '^"[a-z]+";q=[0-9]+;w=[0-9]+$'},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750).",
        "required": True,
        "schema": {"type": "string", "pattern": '^Bearer realm="lapel"(, error="invalid_token")?$'},
    },
}
"""Header fields of answers: the content of ``components/headers``."""


def parameter(name: str, place: str, declared: str | tuple[str, JsonObject]) -> JsonObject:
    """Describe a query parameter or request header.

    Args:
        declared: what it means; together with its schema if this module does not have one.
    """
    meaning, schema = (declared, _SCHEMAS.get(name, {"type": "string"})) if isinstance(declared, str) else declared
    return {"name": name, "in": place, "description": meaning, "schema": schema}


def path_parameter(name: str) -> JsonObject:
    """Describe a path parameter, which is always an id."""
    entity = name.removesuffix("_id").replace("_", " ")
    of_issuer = name == "issuer_id"
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"The UUID of the {entity}, bare or as `urn:uuid:…`{', or its DID' if of_issuer else ''}.",
        "schema": _ISSUER_ID if of_issuer else _ID,
    }

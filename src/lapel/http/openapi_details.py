"""What the generated OpenAPI description cannot know: forms of bodies that are read as bytes, formats, choices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from msgspec import Struct, inspect

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["add_details"]

_Object = dict[str, JsonValue]

_TEXT: Final[JsonObject] = {"type": "string"}
_BINARY: Final[JsonObject] = {"type": "string", "format": "binary"}
_JSON: Final[JsonObject] = {"type": "object"}
_NULLABLE: Final[JsonObject] = {"type": ["string", "null"]}
_RECIPIENT: Final[JsonObject] = {"type": "string", "description": "Whom you expect to have earned it."}

_PARAMETERS: Final[dict[str, JsonObject]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    "version": {"type": "integer", "minimum": 1},
    "format": {"type": "string", "enum": ["json", "jwt", "html"]},
}

_COMPONENTS: Final[dict[str, JsonObject]] = {
    "VerificationByAddress": {
        "title": "VerificationByAddress",
        "description": "Verify what is published at an address.",
        "type": "object",
        "required": ["url"],
        "properties": {"url": {"type": "string", "format": "uri"}, "recipient": {"type": ["string", "null"]}},
        "additionalProperties": False,
    },
    "VerificationReport": {
        "title": "VerificationReport",
        "description": "What a verification has found; docs/verification.md explains every code.",
        "type": "object",
        "required": ["valid", "kind", "format", "credential", "checks"],
        "properties": {
            "valid": {"type": ["boolean", "null"], "description": "null where it could not be told"},
            "kind": {"type": "string", "enum": ["OpenBadgeCredential", "Assertion", "other"]},
            "format": _NULLABLE,
            "credential": {
                "type": "object",
                "properties": {
                    "id": _NULLABLE,
                    "name": _NULLABLE,
                    "issuer": {"type": "object", "properties": {"id": _NULLABLE, "name": _NULLABLE}},
                    "recipient": _NULLABLE,
                    "validFrom": _NULLABLE,
                    "validUntil": _NULLABLE,
                },
            },
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["code", "outcome", "sentence"],
                    "properties": {
                        "code": _TEXT,
                        "outcome": {"type": "string", "enum": ["pass", "fail", "warn", "unknown", "skip"]},
                        "sentence": _TEXT,
                        "problem": _TEXT,
                        "detail": _TEXT,
                    },
                },
            },
        },
    },
}

_VC_API: Final[dict[str, tuple[str, JsonObject]]] = {
    "/vc-api/credentials/issue": ("credential", {"credentialId": _TEXT}),
    "/vc-api/credentials/verify": (
        "verifiableCredential",
        {name: {"type": "boolean"} for name in ("returnCredential", "returnProblemDetails", "returnResults")},
    ),
    "/vc-api/presentations/verify": (
        "verifiablePresentation",
        {
            **dict.fromkeys(("challenge", "domain"), _TEXT),
            **{name: {"type": "boolean"} for name in ("returnPresentation", "returnProblemDetails", "returnResults")},
        },
    ),
}
"""What is in the body, and its options."""

_VC_STATUS: Final[JsonObject] = {
    "type": "object",
    "required": ["credentialId", "credentialStatus", "status"],
    "properties": {
        "credentialId": _TEXT,
        "credentialStatus": {
            "type": "object",
            "required": ["type", "statusPurpose"],
            "properties": {"type": _TEXT, "statusPurpose": {"type": "string", "enum": ["revocation", "suspension"]}},
        },
        "status": {"type": "boolean"},
    },
    "additionalProperties": False,
}

_VC_RESULT: Final[JsonObject] = {
    "type": "object",
    "required": ["verified", "checks"],
    "properties": {
        "verified": {"type": "boolean"},
        **{name: {"type": "array", "items": _JSON} for name in ("problemDetails", "errors", "warnings", "checks")},
        "results": _JSON,
        "credentialResults": {"type": "array", "items": _JSON},
    },
}

_VERIFIABLE: Final[dict[str, JsonObject]] = {
    "application/json": {
        "oneOf": [
            {"type": "object", "title": "A credential", "required": ["@context"]},
            {"$ref": "#/components/schemas/VerificationByAddress"},
        ]
    },
    "application/vc": _JSON,
    "application/vc+jwt": _TEXT,
    "text/plain": _TEXT,
    "image/png": _BINARY,
    "image/svg+xml": _BINARY,
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": _BINARY, "recipient": _RECIPIENT},
        "additionalProperties": False,
    },
}


def add_details(description: JsonObject) -> JsonObject:
    """The description, made fuller in place."""
    components = _at(description, "components", "schemas")
    components.update(_COMPONENTS)
    _say_what_shapes_say(components)
    for path, item in _at(description, "paths").items():
        for operation in _objects(cast("_Object", item)):
            for parameter in cast("list[_Object]", operation.get("parameters", [])):
                if parameter["in"] == "query" and parameter["name"] in _PARAMETERS:
                    parameter["schema"] = _PARAMETERS[str(parameter["name"])]
            _binary_images(_at(operation, "requestBody", "content"))
            for response in _objects(_at(operation, "responses")):
                content = _at(response, "content")
                if "image/png" in content:
                    content["image/svg+xml"] = {}
                _binary_images(content)
            if path.startswith("/v2/assertions/"):
                for parameter in cast("list[_Object]", operation.get("parameters", [])):
                    if parameter["name"] == "format":
                        parameter["schema"] = {"type": "string", "enum": ["json", "jws"]}
                gone = _at(operation, "responses", "410")
                gone["description"] = "It is revoked, or suspended: the assertion's id, `revoked`, and the reason."
                gone["content"] = {"application/ld+json": {"schema": _JSON}}
    verify = _at(description, "paths", "/v3/verify", "post")
    _at(verify, "requestBody")["content"] = {name: {"schema": schema} for name, schema in _VERIFIABLE.items()}
    _at(verify, "responses", "200", "content")["application/json"] = {
        "schema": {"$ref": "#/components/schemas/VerificationReport"}
    }
    change = _at(description, "paths", "/vc-api/credentials/status", "post", "requestBody")
    change["content"] = {"application/json": {"schema": _VC_STATUS}}
    for path, (member, options) in _VC_API.items():
        operation = _at(description, "paths", path, "post")
        of_options: JsonObject = {"type": "object", "properties": options, "additionalProperties": False}
        schema: JsonObject = {
            "type": "object",
            "properties": {member: _JSON, "options": of_options},
            "required": [member],
        }
        _at(operation, "requestBody")["content"] = {"application/json": {"schema": schema}}
        if path.endswith("/verify"):
            for status in ("200", "400"):
                _at(operation, "responses", status)["content"] = {"application/json": {"schema": _VC_RESULT}}
    return description


def _say_what_shapes_say(components: _Object) -> None:
    """Bring what is noted beside the members of our structures into their schemas."""
    for shape in _structures(Struct):
        properties = _at(components, shape.__name__, "properties")
        for member in inspect.type_info(shape).fields if properties else ():  # type: ignore[attr-defined]  # a Struct's
            noted = next(_notes(member.type), None)
            if noted is None or member.encode_name not in properties:
                continue
            schema = cast("_Object", properties[member.encode_name])
            choices = cast("list[_Object]", schema.get("oneOf", [schema]))
            if "$ref" in choices[0]:
                choices[0].clear()
                choices[0]["type"] = "string"
            choices[0].update(noted)


def _structures(kind: type[Struct]) -> Iterator[type[Struct]]:
    for structure in kind.__subclasses__():
        if structure.__module__.startswith("lapel."):
            yield structure
            yield from _structures(structure)


def _notes(kind: inspect.Type) -> Iterator[JsonObject]:
    if isinstance(kind, inspect.Metadata) and kind.extra_json_schema:
        yield kind.extra_json_schema
    elif isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from _notes(member)


def _binary_images(content: _Object) -> None:
    for media_type in content:
        if media_type.startswith("image/"):
            content[media_type] = {"schema": _BINARY}


def _at(value: JsonObject, *names: str) -> _Object:
    """The object at that path; an empty one of no consequence where there is none."""
    for name in names:
        found = value.get(name)
        if not isinstance(found, dict):
            return {}
        value = found
    return cast("_Object", value)


def _objects(value: _Object) -> Iterator[_Object]:
    return (item for item in value.values() if isinstance(item, dict))

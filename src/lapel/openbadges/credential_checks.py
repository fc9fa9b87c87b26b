"""The rules for a credential's refresh service, schemas and terms of use (VC 2.0, 4.11, 5.4, 5.5).

A type must be defined by a context, or the signature would not cover it. 1EdTech's own types are defined in its
context of extensions, which a credential lists only if it uses one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges import checks, shapes
from lapel.openbadges.problems import Problems
from lapel.openbadges.syntax import iri_problem

__all__ = ["credential_schemas", "refresh_service", "terms_of_use", "uses_extensions"]

_REFRESH_TYPES: Final = frozenset({"1EdTechCredentialRefresh"})
_SCHEMA_TYPES: Final = frozenset({"1EdTechJsonSchemaValidator2019", "JsonSchema", "JsonSchemaCredential"})
_EXTENSIONS: Final = frozenset({"1EdTechCredentialRefresh", "1EdTechJsonSchemaValidator2019"})


def refresh_service(problems: Problems, item: shapes.RefreshService, pointer: str) -> JsonObject:
    """Check a RefreshService and return its wire form."""
    return _service(problems, item, pointer, _REFRESH_TYPES)


def credential_schemas(
    problems: Problems, items: Sequence[shapes.CredentialSchema] | None, pointer: str
) -> list[JsonObject]:
    """Check CredentialSchema objects and return their wire form."""
    return checks.wire_array(problems, items, pointer, _schema)


def terms_of_use(problems: Problems, items: Sequence[shapes.TermsOfUse] | None, pointer: str) -> list[JsonObject]:
    """Check TermsOfUse objects and return their wire form."""
    return checks.wire_array(problems, items, pointer, _terms)


def uses_extensions(members: JsonObject) -> bool:
    """Return whether a credential with these members needs 1EdTech's context of extensions."""
    schemas, service = members.get("credentialSchema", ()), members.get("refreshService")
    items = [*schemas, service] if isinstance(schemas, Sequence) else [service]
    return any(isinstance(item, dict) and item.get("type") in _EXTENSIONS for item in items)


def _schema(problems: Problems, item: shapes.CredentialSchema, pointer: str) -> JsonObject:
    return _service(problems, item, pointer, _SCHEMA_TYPES)


def _service(
    problems: Problems, item: shapes.RefreshService | shapes.CredentialSchema, pointer: str, allowed: frozenset[str]
) -> JsonObject:
    checks.url(problems, item.id, f"{pointer}/id")
    if item.type not in allowed and iri_problem(item.type):
        names = ", ".join(sorted(allowed))
        problems.add(f"{pointer}/type", f"must be {names}, or the full address of another type", "not_allowed")
    return {"id": item.id, "type": item.type}


def _terms(problems: Problems, item: shapes.TermsOfUse, pointer: str) -> JsonObject:
    checks.iri(problems, item.id, f"{pointer}/id")
    checks.iri(problems, item.type, f"{pointer}/type")
    identity: dict[str, JsonValue] = {} if item.id is None else {"id": item.id}
    return {**identity, "type": item.type}

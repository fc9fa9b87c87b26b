"""Normalise Open Badges 2.0 documents to one of the forms that are equivalent in JSON-LD.

``"badge": ["…"]`` becomes ``"badge": "…"`` (OB 2.0 Examples, "BadgeClass Example"), null is removed, and a typed value
becomes the value. `id`, `type` and `verification` also have other names in the context of OB 2.0, and a type, which is
an IRI, may be written in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from lapel.credentials.jose.vc_jwt import VcJwt
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list
from lapel.services.verifying.documents import Documents, read_document
from lapel.services.verifying.offloading import offload_if_large

__all__ = ["get_normalised", "normalised", "normalised_token", "read_normalised"]

_NAMES: Final = {"@id": "id", "@type": "type", "verify": "verification"}
_VALUE: Final = frozenset({"@value", "@type"})
# The namespaces of the types, in full and as prefixes in the context of OB 2.0. A recipient's type is a property's IRI.
_NAMESPACES: Final = ("https://w3id.org/openbadges#", "obi:", "http://schema.org/", "https://schema.org/", "schema:")


async def normalised(document: JsonObject) -> JsonObject:
    """Return the normalised document. Other contexts, and extensions, have no effect on the checks."""
    return cast("JsonObject", await offload_if_large(document, _normalised, document))


async def normalised_token(token: VcJwt) -> VcJwt:
    """Return the token with normalised ``claims``. Its signature is verified over its bytes, which stay the same."""
    return replace(token, claims=await normalised(token.claims))


async def read_normalised(body: bytes) -> JsonObject:
    """Read a document by `read_document`, and normalise it."""
    return await normalised(await read_document(body))


async def get_normalised(documents: Documents, url: str) -> JsonObject:
    """Get a document by `Documents.get_object`, and normalise it."""
    return await normalised(await documents.get_object(url))


def _normalised(value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping):
        if "@value" in value and value.keys() <= _VALUE:
            return value["@value"]
        return {
            name: _member(name, item)
            for given, item in value.items()
            if item is not None and ((name := _NAMES.get(given, given)) == given or name not in value)
        }
    if isinstance(value, list):
        items = [_normalised(item) for item in value if item is not None]
        return items[0] if len(items) == 1 and not isinstance(items[0], list) else items
    return value


def _member(name: str, value: JsonValue) -> JsonValue:
    if name == "id":
        return value  # in JSON-LD an id is never an array
    if name == "type":
        names = [_short_type(item) for item in as_list(value) if item is not None]
        return names[0] if len(names) == 1 else names
    return _normalised(value)


def _short_type(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        for namespace in _NAMESPACES:
            if value.startswith(namespace):
                return value.removeprefix(namespace)
    return value

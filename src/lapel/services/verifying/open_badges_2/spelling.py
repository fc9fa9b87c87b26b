"""An Open Badges 2.0 document in the one spelling that is looked at here, of all that JSON-LD holds for the same.

``"badge": ["…"]`` is ``"badge": "…"`` (OB 2.0 Examples, "BadgeClass Example"), null is nothing, and a typed value is
the value. `id`, `type` and `verification` have other names in the context of OB 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from lapel.credentials.jose.vc_jwt import VcJwt
from lapel.domain.json import JsonObject, JsonValue
from lapel.services.verifying.apart import apart
from lapel.services.verifying.documents import Documents, read_document

__all__ = ["plain", "plain_object", "plain_token", "read_plain"]

_NAMES: Final = {"@id": "id", "@type": "type", "verify": "verification"}
_VALUE: Final = frozenset({"@value", "@type"})


async def plain(document: JsonObject) -> JsonObject:
    """The document so spelt. What its context says otherwise, and extensions, mean nothing to any check."""
    return cast("JsonObject", await apart(document, _plain, document))


async def plain_token(token: VcJwt) -> VcJwt:
    """The token, with its ``claims`` so spelt. Its signature is over its bytes."""
    return replace(token, claims=await plain(token.claims))


async def read_plain(body: bytes) -> JsonObject:
    """`read_document`, and `plain`."""
    return await plain(await read_document(body))


async def plain_object(documents: Documents, url: str) -> JsonObject:
    """`Documents.get_object`, and `plain`."""
    return await plain(await documents.get_object(url))


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping):
        if "@value" in value and value.keys() <= _VALUE:
            return value["@value"]
        return {
            name: item if name == "id" else _plain(item)  # which JSON-LD lets be no array
            for given, item in value.items()
            if item is not None and ((name := _NAMES.get(given, given)) == given or name not in value)
        }
    if isinstance(value, list):
        items = [_plain(item) for item in value if item is not None]
        return items[0] if len(items) == 1 and not isinstance(items[0], list) else items
    return value

"""Everything that is published has the form that its standard describes, in every part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lapel.credentials.jsonld import Contexts, to_quads
from tests.unit.services.full_badge import STRICT, full_badge
from tests.unit.services.server import BASE, Server
from tests.unit.services.test_endorsements import endorse

KINDS = ["v3/issuers", "v3/achievements", "v2/issuers", "v2/badge-classes", "v2/assertions", "v2/endorsement"]


async def published(server: Server, kind: str) -> Any:
    credential = await full_badge(server)
    assert credential.achievement_id is not None
    issuer = await server.issuers.get(credential.issuer_id)
    renditions = server.renditions
    match kind:
        case "v3/issuers":
            return await server.issuers.document(issuer.id)
        case "v3/achievements":
            return await server.achievements.document(credential.achievement_id)
        case "v2/issuers":
            await server.signed_assertions.get(credential.id)  # so that there is a key to be listed
            return await renditions.v2_issuer(issuer.id)
        case "v2/badge-classes":
            return await renditions.v2_badge_class(credential.achievement_id)
        case "v2/assertions":
            return await renditions.v2_assertion(credential.id)
    endorsed = f"{BASE}/v3/achievements/{credential.achievement_id}"
    return await renditions.v2_assertion((await endorse(server, issuer, endorsed, comment="Good.")).id)


def without_language(value: Any) -> Any:
    """Without ``@language``, of which no quad says anything: the fast path leaves it to the general one."""
    if isinstance(value, list):
        return [without_language(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: without_language(item) for name, item in value.items() if name != "@language"}


def parts(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for part in inner:
        yield from parts(part)


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_null_or_empty_and_everything_is_defined(server: Server, kind: str) -> None:
    document = json.loads(json.dumps(await published(server, kind)))
    assert [part for part in parts(document) if part in (None, [], {}, "")] == []
    # Safe mode: what no context defines is an error.
    assert to_quads(without_language(document), contexts=Contexts.bundled())


@pytest.mark.parametrize(("kind", "definition"), [("v3/issuers", "Profile"), ("v3/achievements", "Achievement")])
async def test_a_public_document_fits_the_strict_schema(
    server: Server, kind: str, definition: str, vectors: Path
) -> None:
    whole = json.loads((vectors / STRICT).read_text())
    schema = {"$schema": whole["$schema"], **whole["$defs"][definition], "$defs": whole["$defs"]}
    jsonschema.validate(json.loads(json.dumps(await published(server, kind))), schema)

"""Check that the JSON uses the usual names for all terms of the standards, before it is processed as JSON-LD.

In JSON-LD, a member's name can be a full IRI or have a prefix, and ``id`` can also be written as ``@id``. A reader of
plain JSON, such as this verifier, sees only the usual name. No honest badge writes the terms of Verifiable Credentials
otherwise, so a document that does is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list

__all__ = ["aliased_name", "expanded", "is_reserved", "nodes_of", "prefixes_of"]

_RESERVED: Final = (
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "https://purl.imsglobal.org/spec/vc/ob/vocab.html#",
    "https://w3id.org/security#",
    "https://www.w3.org/2018/credentials#",
    "https://www.w3.org/ns/credentials",
)
# The prefixes of these vocabularies in the published contexts, at any depth.
_PREFIXES: Final = {
    "cred": "https://www.w3.org/2018/credentials#",
    "obi": "https://purl.imsglobal.org/spec/vc/ob/vocab.html#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "sec": "https://w3id.org/security#",
}
_MAX_STEPS: Final = 4
_MAX_PREFIX: Final = 2_048
"""Longer prefixes are cut, because the beginning determines the vocabulary or the server."""


def is_reserved(iri: str) -> bool:
    """Return whether the IRI belongs to a vocabulary that the verifier reads."""
    return iri.startswith(_RESERVED)


def prefixes_of(document: JsonObject) -> Mapping[str, str]:
    """Return the prefixes that the document may use: its own take precedence over the published contexts'."""
    prefixes = dict(_PREFIXES)
    for inline in as_list(document.get("@context")):
        if isinstance(inline, Mapping):
            for name, definition in inline.items():
                iri = definition.get("@id") if isinstance(definition, Mapping) else definition
                if isinstance(iri, str):
                    prefixes[name] = iri[:_MAX_PREFIX]
    return prefixes


def expanded(name: str, prefixes: Mapping[str, str]) -> str:
    """Return the IRI of a name with a prefix; any other name unchanged."""
    for _ in range(_MAX_STEPS):
        prefix, colon, rest = name.partition(":")
        if not colon or rest.startswith("//") or prefix not in prefixes:
            break
        name = prefixes[prefix] + rest
    return name


def aliased_name(document: JsonObject) -> str | None:
    """Return the first alias of a reserved term, or ``@id`` or ``@type`` beside the plain one; None without any."""
    prefixes = prefixes_of(document)
    for node in nodes_of(document):
        for plain in ("id", "type"):
            if plain in node and f"@{plain}" in node:
                return f"@{plain} beside {plain}"
        names = [name for name in node if ":" in name]
        for kinds in (node.get("type"), node.get("@type")):
            names += [kind for kind in as_list(kinds) if isinstance(kind, str) and ":" in kind]
        for name in names:
            if is_reserved(expanded(name, prefixes)):
                return name[:200]
    return None


def nodes_of(document: JsonObject) -> Iterator[JsonObject]:
    """Yield the document and every object in it, except those in an ``@context``."""
    pending: list[JsonValue] = [document]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            yield item
            pending.extend(value for name, value in item.items() if name != "@context")
        elif isinstance(item, Sequence) and not isinstance(item, str):
            pending.extend(item)

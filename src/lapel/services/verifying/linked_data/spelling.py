"""Is everything called by its usual name? A walk over the JSON, before anybody asks what it means.

JSON-LD lets a member be written as a full IRI, by a prefix, or twice, as ``id`` and ``@id``. A plain reader, this
verifier too, sees the usual name only. No honest badge spells the terms of Verifiable Credentials otherwise, so
whoever does is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.services.verifying.members import as_list

__all__ = ["expanded", "is_reserved", "misspelt", "nodes_of", "prefixes_of"]

_RESERVED: Final = (
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "https://purl.imsglobal.org/spec/vc/ob/vocab.html#",
    "https://w3id.org/security#",
    "https://www.w3.org/2018/credentials#",
    "https://www.w3.org/ns/credentials",
)
# What the published contexts call these vocabularies, at whatever depth.
_PREFIXES: Final = {
    "cred": "https://www.w3.org/2018/credentials#",
    "obi": "https://purl.imsglobal.org/spec/vc/ob/vocab.html#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "sec": "https://w3id.org/security#",
}
_MOST_STEPS: Final = 4
_LONGEST_PREFIX: Final = 2_048
"""As much of a prefix as is looked at: which vocabulary or server it is of stands at its beginning."""


def is_reserved(iri: str) -> bool:
    """Whether the IRI is of a vocabulary that the verifier reads."""
    return iri.startswith(_RESERVED)


def prefixes_of(document: JsonObject) -> Mapping[str, str]:
    """The prefixes that the document may use: its own before those of the published contexts."""
    found = dict(_PREFIXES)
    for inline in as_list(document.get("@context")):
        if isinstance(inline, Mapping):
            for name, definition in inline.items():
                iri = definition.get("@id") if isinstance(definition, Mapping) else definition
                if isinstance(iri, str):
                    found[name] = iri[:_LONGEST_PREFIX]
    return found


def expanded(name: str, prefixes: Mapping[str, str]) -> str:
    """The IRI that a full or prefixed name stands for; the name itself where it is neither."""
    for _ in range(_MOST_STEPS):
        prefix, colon, rest = name.partition(":")
        if not colon or rest.startswith("//") or prefix not in prefixes:
            break
        name = prefixes[prefix] + rest
    return name


def misspelt(document: JsonObject) -> str | None:
    """The first name that hides a reserved one, or an ``@id`` or ``@type`` beside the plain one; else None."""
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
    """The document and every object in it, but not those in an ``@context``."""
    waiting: list[JsonValue] = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            yield item
            waiting.extend(value for name, value in item.items() if name != "@context")
        elif isinstance(item, Sequence) and not isinstance(item, str):
            waiting.extend(item)

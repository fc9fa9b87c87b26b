"""Does the JSON show everything that the RDF says of the credential, and nothing else in its place?

Counting is not enough: what is hidden can be made up for by something shown twice. So the values are compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from lapel.credentials.rdf.nquads import Quad
from lapel.domain.json import JsonObject, JsonValue
from lapel.services.verifying.members import as_list, id_of, object_of

__all__ = ["hidden_member"]

_CREDENTIALS: Final = "https://www.w3.org/2018/credentials#"
_DATES: Final = ("expirationDate", "issuanceDate", "validFrom", "validUntil")
_NODES: Final = ("credentialSubject", "issuer")
_ENTRY_MEMBERS: Final = ("statusListCredential", "statusListIndex", "statusPurpose", "statusSize")
_STATUS_SIZE: Final = "<https://www.w3.org/ns/credentials/status#statusSize>"
_TYPE: Final = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_CREDENTIAL_TYPE: Final = f"<{_CREDENTIALS}VerifiableCredential>"
_LITERAL: Final = re.compile(r'"((?:[^"\\]|\\.)*)"').match
_LOCAL: Final = re.compile(r"[#/]([^#/>]+)>$").search

_Entry = tuple[frozenset[str], ...]


def hidden_member(document: JsonObject, quads: Sequence[Quad]) -> str | None:
    """The name of a decisive member that says something else in the RDF than in the JSON under that name."""
    credentials = {quad[0] for quad in quads if quad[1] == _TYPE and quad[2] == _CREDENTIAL_TYPE and not quad[3]}
    if not credentials:
        return None
    root = id_of(document)
    # Without an id nothing else can speak of the credential, but nested credentials look alike: all count.
    node = None if root is None else f"<{root}>"
    if node is not None and node not in credentials:
        return "id"  # it is short for another one, or another node's

    def said(name: str) -> set[str]:
        predicate = f"<{_CREDENTIALS}{name}>"
        return {quad[2] for quad in quads if quad[1] == predicate and node in (None, quad[0]) and not quad[3]}

    for name in _DATES:
        if {_text(term) for term in said(name)} != {
            _plain(item) for item in as_list(document.get(name)) if item is not None
        }:
            return name
    for name in _NODES:
        if not _shows(document.get(name), said(name)):
            return name
    if not _same_entries(document.get("credentialStatus"), said("credentialStatus"), quads):
        return "credentialStatus"
    # Were it overlooked, another bit of the status list would be read.
    sizes = len({quad for quad in quads if quad[1] == _STATUS_SIZE})
    shown = {
        (id_of(entry) or index)
        for index, entry in enumerate(as_list(document.get("credentialStatus")))
        if object_of(entry).get("statusSize") is not None
    }
    return "statusSize" if sizes > len(shown) else None


def _shows(value: JsonValue, said: Collection[str]) -> bool:
    """Whether the JSON value names the IRIs that are said and no others, and has as many unnamed nodes."""
    items = as_list(value)
    names = {name for item in items if (name := id_of(item)) is not None}
    unnamed = sum(isinstance(item, Mapping) and id_of(item) is None for item in items)
    iris = {term[1:-1] for term in said if term.startswith("<")}
    blank = sum(term.startswith("_:") for term in said)
    return iris == names and blank == unnamed and len(said) == len(iris) + blank


def _same_entries(value: JsonValue, said: Collection[str], quads: Sequence[Quad]) -> bool:
    """Whether the status entries in the JSON are those of the RDF, member by member."""
    named: dict[str, _Entry] = {}
    unnamed: Counter[_Entry] = Counter()
    for item in as_list(value):
        if item is None:
            continue
        name, entry = id_of(item), _shown_entry(object_of(item))
        if name is None:
            unnamed[entry] += 1
        elif name.startswith("_:") or named.setdefault(name, entry) != entry:
            return False
    found = _said_entries(said, quads)
    blank = Counter(entry for term, entry in found.items() if not term.startswith("<"))
    return unnamed == blank and named == {term[1:-1]: entry for term, entry in found.items() if term.startswith("<")}


def _shown_entry(entry: JsonObject) -> _Entry:
    return tuple(frozenset(_plain(item) for item in as_list(entry.get(name))) for name in _ENTRY_MEMBERS)


def _said_entries(said: Collection[str], quads: Sequence[Quad]) -> Mapping[str, _Entry]:
    values: dict[str, dict[str, set[str]]] = {term: {name: set() for name in _ENTRY_MEMBERS} for term in said}
    for subject, predicate, term, graph in quads:
        local = _LOCAL(predicate)
        if subject in values and not graph and local is not None and local[1] in values[subject]:
            values[subject][local[1]].add(_text(term))
    return {term: tuple(frozenset(each[name]) for name in _ENTRY_MEMBERS) for term, each in values.items()}


def _text(term: str) -> str:
    """A literal without its type, an IRI without its brackets; a blank node is nothing that a plain reader sees."""
    literal = _LITERAL(term)
    if literal is not None:
        return literal[1]
    return term[1:-1] if term.startswith("<") else term


def _plain(value: JsonValue) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return id_of(value) or "" if isinstance(value, Mapping) else str(value)

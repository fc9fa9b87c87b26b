"""Check that the JSON shows what the RDF states about the credential, and nothing else.

The values are compared, because counting is not enough: a duplicate could compensate for a hidden statement.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from lapel.credentials.rdf.nquads import Quad
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, id_of, object_of

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
    """Return the name of a decisive member whose values in the RDF differ from those in the JSON; None if all agree."""
    credentials = {quad[0] for quad in quads if quad[1] == _TYPE and quad[2] == _CREDENTIAL_TYPE and not quad[3]}
    if not credentials:
        return None
    root = id_of(document)
    # Without an id, the credential's node cannot be told from nested credentials, so all their statements are compared.
    node = None if root is None else f"<{root}>"
    if node is not None and node not in credentials:
        return "id"  # it expands to another IRI, or is the id of another node

    def stated(name: str) -> set[str]:
        predicate = f"<{_CREDENTIALS}{name}>"
        return {quad[2] for quad in quads if quad[1] == predicate and node in (None, quad[0]) and not quad[3]}

    for name in _DATES:
        if {_text(term) for term in stated(name)} != {
            _plain(item) for item in as_list(document.get(name)) if item is not None
        }:
            return name
    for name in _NODES:
        if not _same_nodes(document.get(name), stated(name)):
            return name
    if not _same_entries(document.get("credentialStatus"), stated("credentialStatus"), quads):
        return "credentialStatus"
    # A hidden statusSize would make the verifier read another bit of the status list.
    sizes = len({quad for quad in quads if quad[1] == _STATUS_SIZE})
    shown = {
        (id_of(entry) or index)
        for index, entry in enumerate(as_list(document.get("credentialStatus")))
        if object_of(entry).get("statusSize") is not None
    }
    return "statusSize" if sizes > len(shown) else None


def _same_nodes(value: JsonValue, stated: Collection[str]) -> bool:
    """Return whether the JSON value names exactly the stated IRIs, and has as many nodes without an id."""
    items = as_list(value)
    names = {name for item in items if (name := id_of(item)) is not None}
    unnamed = sum(isinstance(item, Mapping) and id_of(item) is None for item in items)
    iris = {term[1:-1] for term in stated if term.startswith("<")}
    blank = sum(term.startswith("_:") for term in stated)
    return iris == names and blank == unnamed and len(stated) == len(iris) + blank


def _same_entries(value: JsonValue, stated: Collection[str], quads: Sequence[Quad]) -> bool:
    """Return whether the status entries in the JSON are those in the RDF, member by member."""
    named: dict[str, _Entry] = {}
    unnamed: Counter[_Entry] = Counter()
    for item in as_list(value):
        if item is None:
            continue
        name, entry = id_of(item), _json_entry(object_of(item))
        if name is None:
            unnamed[entry] += 1
        elif name.startswith("_:") or named.setdefault(name, entry) != entry:
            return False
    entries = _rdf_entries(stated, quads)
    blank = Counter(entry for term, entry in entries.items() if not term.startswith("<"))
    return unnamed == blank and named == {term[1:-1]: entry for term, entry in entries.items() if term.startswith("<")}


def _json_entry(entry: JsonObject) -> _Entry:
    return tuple(frozenset(_plain(item) for item in as_list(entry.get(name))) for name in _ENTRY_MEMBERS)


def _rdf_entries(stated: Collection[str], quads: Sequence[Quad]) -> Mapping[str, _Entry]:
    values: dict[str, dict[str, set[str]]] = {term: {name: set() for name in _ENTRY_MEMBERS} for term in stated}
    for subject, predicate, term, graph in quads:
        local = _LOCAL(predicate)
        if subject in values and not graph and local is not None and local[1] in values[subject]:
            values[subject][local[1]].add(_text(term))
    return {term: tuple(frozenset(members[name]) for name in _ENTRY_MEMBERS) for term, members in values.items()}


def _text(term: str) -> str:
    """Return a literal without its type, an IRI without its brackets, or a blank node as it is."""
    literal = _LITERAL(term)
    if literal is not None:
        return literal[1]
    return term[1:-1] if term.startswith("<") else term


def _plain(value: JsonValue) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return id_of(value) or "" if isinstance(value, Mapping) else str(value)

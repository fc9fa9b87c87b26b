"""Check that the members of a badge have the kind of value that Open Badges 3.0 requires (appendix B).

This is more lenient than a JSON Schema, which an issuer chooses to conform to. Members may be missing or unknown; one
value and an array are the same, as in JSON-LD; a node may be given by its IRI; an enumeration may have other values;
and a text may be in several languages. What fails is what no reader can use, such as a number for a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from lapel.credentials.date_time import parse_iso_8601, parse_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import absolute_iri, as_list
from lapel.errors import FieldError
from lapel.services.verifying.data_model.rules import items
from lapel.services.verifying.data_model.schema_classes import CLASSES

__all__ = ["VALUES", "Kinds", "kind_problems"]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
# Checked more thoroughly by other checks: proofs, contexts, identities, and VC 2.0's rules for types and ids.
_CHECKED_ELSEWHERE: Final = frozenset({"Proof", "contexts", "IdentityObject", "Service", "Terms"})


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


VALUES: Final[Mapping[str, tuple[str, Callable[[JsonValue], bool]]]] = {
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "number": ("a number", _is_number),
    "text or number": ("a text or a number", lambda value: isinstance(value, str) or _is_number(value)),
    "iri": ("an IRI", absolute_iri),
    "date": ("a date and time", lambda value: parse_timestamp(value) is not None),
    "date with offset": ("a date and time with an offset", lambda value: parse_iso_8601(value) is not None),
    "day": ("a date", lambda value: isinstance(value, str) and _DAY(value) is not None),
}
"""The kinds of simple values: the name for messages, and a function that recognises them."""


Kinds: TypeAlias = Mapping[str, Mapping[str, str]]
"""For each class, the kinds of its members. A kind that ends with ``!`` marks a required member."""

_KINDS: Final[Kinds] = {
    name: {
        member: "Profile" if kind == "issuer" else kind
        for member, rule in members.items()
        if (kind := rule.rstrip("*!")) not in _CHECKED_ELSEWHERE
    }
    for name, members in CLASSES.items()
}
"""The classes of Open Badges 3.0, with the members that are checked here."""


def kind_problems(value: JsonObject, name: str, pointer: str = "", *, kinds: Kinds = _KINDS) -> Iterator[FieldError]:
    """Yield an error, with its pointer, for each member of an object of the class `name` that has a wrong kind."""
    rules = kinds[name]
    for member, rule in rules.items():
        if rule.endswith("!") and value.get(member) is None:
            yield FieldError(f"{pointer}/{member}", "is missing")
    for member, given in value.items():
        kind = rules.get(member, "").removesuffix("!")
        if not kind or (isinstance(given, str) and kind not in kinds and kind not in VALUES):
            continue  # a shortcut: nearly all members are strings, and should be
        for where, item in items(f"{pointer}/{member}", given):
            yield from _item(item, kind, where, kinds)


def _item(item: JsonValue, kind: str, pointer: str, kinds: Kinds) -> Iterator[FieldError]:
    if item is None:
        return
    if kind not in kinds:
        what, suits = VALUES.get(kind, ("a text", _is_text))
        if not suits(item):
            yield FieldError(pointer, f"must be {what}")
    elif not isinstance(item, Mapping):
        of_id = kinds[kind].get("id", "").removesuffix("!")
        if not (of_id and isinstance(item, str) and (of_id != "iri" or absolute_iri(item))):
            yield FieldError(pointer, f"must be an object ({kind}){' or its IRI' if of_id else ''}")
    elif kind != "EndorsementCredential":  # an endorsement is verified by itself, like a badge
        yield from kind_problems(item, kind, pointer, kinds=kinds)


def _is_text(value: JsonValue) -> bool:
    """Return whether it is a string, or one in several languages: a language map, or an object with ``@value``."""
    values = value.values() if isinstance(value, Mapping) else (value,)
    return all(isinstance(text, str) for item in values for text in as_list(item))

"""Is what stands in a badge of the kind that Open Badges 3.0 gives it (appendix B), whether or not it names a schema?

Less than a schema asks, for a schema is what an issuer binds itself to. Here nothing is missed and nothing is too much,
one value and an array of values are the same, as in JSON-LD, a node may be its address, a word may be from anybody's
list, and a text may be in several languages. What is left is what no reader could make sense of: a number for a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from lapel.credentials.date_time import parse_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import FieldError
from lapel.services.verifying.data_model.rules import items
from lapel.services.verifying.data_model.schema_classes import CLASSES
from lapel.services.verifying.members import absolute_iri, as_list

__all__ = ["VALUES", "Kinds", "kind_problems"]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
# Judged with more care by other checks: proofs, contexts, identities, and what VC 2.0 asks of a type and an id.
_ELSEWHERE: Final = frozenset({"Proof", "contexts", "IdentityObject", "Service", "Terms"})


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


VALUES: Final[Mapping[str, tuple[str, Callable[[JsonValue], bool]]]] = {
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "number": ("a number", _is_number),
    "text or number": ("a text or a number", lambda value: isinstance(value, str) or _is_number(value)),
    "iri": ("an IRI", absolute_iri),
    "date": ("a date and time", lambda value: parse_timestamp(value) is not None),
    "day": ("a date", lambda value: isinstance(value, str) and _DAY(value) is not None),
}
"""Kinds of values that are the same everywhere: what they are called, and what is one."""


Kinds: TypeAlias = Mapping[str, Mapping[str, str]]
"""Of each class the kinds of its members. One that ends with ``!`` may not be missing."""

_KINDS: Final[Kinds] = {
    name: {
        member: "Profile" if kind == "issuer" else kind
        for member, rule in members.items()
        if (kind := rule.rstrip("*!")) not in _ELSEWHERE
    }
    for name, members in CLASSES.items()
}
"""Those of Open Badges 3.0 that are judged here."""


def kind_problems(value: JsonObject, name: str, pointer: str = "", *, kinds: Kinds = _KINDS) -> Iterator[FieldError]:
    """The members of an object of the class `name` that are of another kind than theirs, each under its pointer."""
    rules = kinds[name]
    for member, rule in rules.items():
        if rule.endswith("!") and value.get(member) is None:
            yield FieldError(f"{pointer}/{member}", "is missing")
    for member, given in value.items():
        kind = rules.get(member, "").removesuffix("!")
        if not kind or (isinstance(given, str) and kind not in kinds and kind not in VALUES):
            continue  # nearly everything is a text, and ought to be
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
    elif kind != "EndorsementCredential":  # which is verified like a badge, by itself
        yield from kind_problems(item, kind, pointer, kinds=kinds)


def _is_text(value: JsonValue) -> bool:
    """A text, or the same in several languages: a language map, or JSON-LD's object with ``@value``."""
    texts = value.values() if isinstance(value, Mapping) else (value,)
    return all(isinstance(text, str) for several in texts for text in as_list(several))

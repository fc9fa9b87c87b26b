"""A strict JSON parser for verifiers, which rejects everything that is ambiguous.

If two parsers disagree about a document, an attacker can show one thing and sign another. So whatever RFC 8259 leaves
open is an error: members with the same name, ``NaN``, numbers beyond a double, lone surrogates, a byte order mark.
Size, depth and the number of containers are limited to protect the server.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, NoReturn

from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import InvalidInput, TooLarge

__all__ = ["MAX_BYTES", "MAX_CONTAINERS", "MAX_DEPTH", "UnreadableJson", "read_json", "read_object"]

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_DEPTH: Final = 64
MAX_CONTAINERS: Final = 100_000
"""The maximum number of objects and arrays: parsing a million would block all other tasks for a second or more."""

# An unterminated string matches to the end, so that the search does not start again at each quote in it.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+\\?"?', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)).difference(b"[]{}"))
_STEPS: Final = [1 if code in b"[{" else -1 if code in b"]}" else 0 for code in range(256)]
_SURROGATE = re.compile("[\ud800-\udfff]").search
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]").search


class UnreadableJson(InvalidInput):
    """This is not JSON that can be read in one way only."""

    code = "unreadable_json"


def read_object(data: bytes | str) -> JsonObject:
    """Parse a JSON object.

    Raises:
        UnreadableJson, TooLarge: as `read_json`; or the value is not an object.
    """
    value = read_json(data)
    if isinstance(value, Mapping):
        return value
    raise UnreadableJson("The JSON is not an object.")


def read_json(data: bytes | str) -> JsonValue:
    """Parse a JSON value.

    Raises:
        UnreadableJson: it is not UTF-8, not JSON, or ambiguous.
        TooLarge: more than `MAX_BYTES`.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"The document is larger than {MAX_BYTES} bytes.")
    if isinstance(data, str):
        text = data
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise UnreadableJson(f"The document is not UTF-8 at byte {error.start}.") from error
    if text.startswith("\ufeff"):
        raise UnreadableJson("The document begins with a byte order mark.", hint="Save it as UTF-8 without one.")
    _check_structure(text)
    try:
        value: JsonValue = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableJson(f"The document is not JSON: {error}.") from error
    # Checking every value costs more than parsing, so it is done only if the text may contain surrogates.
    if ("\\" in text and _ESCAPED_SURROGATE(text)) or not (text.isascii() or _SURROGATE(text) is None):
        _check_text(value)
    return value


def _check_structure(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    # Lone surrogates are rejected later; here their bytes do no harm.
    brackets = _STRING.sub(b"", text.encode("utf-8", "surrogatepass")).translate(None, _NO_BRACKETS)
    if brackets.count(b"[") + brackets.count(b"{") > MAX_CONTAINERS:
        raise UnreadableJson(f"The document has more than {MAX_CONTAINERS:,} objects and arrays in it.")
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise UnreadableJson(f"The document is nested more than {MAX_DEPTH} levels deep.")


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1) if len(names) < 1000 else "one"
        raise UnreadableJson(f"The member {duplicate[:80]!a} stands twice in one object.")
    return members


def _reject_constant(name: str) -> NoReturn:
    raise UnreadableJson(f"{name} is not a JSON number.")


def _double(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise UnreadableJson(f"The number {text[:40]} is too large.")
    return number


def _integer(text: str) -> int:
    if len(text) > 310:
        raise UnreadableJson(f"The number {text[:40]}… is too large.")
    number = int(text)
    try:
        float(number)
    except OverflowError as error:
        raise UnreadableJson(f"The number {text[:40]}… is too large.") from error
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_reject_constant, parse_float=_double, parse_int=_integer
)


def _check_text(value: JsonValue) -> None:
    remaining = [value]
    while remaining:
        item = remaining.pop()
        if isinstance(item, str):
            if _SURROGATE(item):
                raise UnreadableJson("A text holds half of a surrogate pair, which is not a character.")
        elif isinstance(item, Mapping):
            remaining.extend(item)
            remaining.extend(item.values())
        elif isinstance(item, Sequence):
            remaining.extend(item)

"""JSON as a verifier must read it: one meaning for everybody, or none.

Two readers that disagree about a document let an attacker show one thing and sign another. So what RFC 8259 leaves
open is refused here: members with the same name, ``NaN``, numbers beyond a double, half a surrogate pair, a byte
order mark; and what would exhaust the server: size, depth and number.
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
"""Objects and arrays: with a million of them nothing else has its turn for a second or more while they are read."""

# A string that never ends matches to the end, so that no quote in it is tried again.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+\\?"?', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)).difference(b"[]{}"))
_STEPS: Final = [1 if code in b"[{" else -1 if code in b"]}" else 0 for code in range(256)]
_SURROGATE = re.compile("[\ud800-\udfff]").search
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]").search


class UnreadableJson(InvalidInput):
    """This is not JSON that can be read in one way only."""

    code = "unreadable_json"


def read_object(data: bytes | str) -> JsonObject:
    """`read_json`, where only an object will do.

    Raises:
        UnreadableJson, TooLarge: as `read_json`; or it is not an object.
    """
    value = read_json(data)
    if isinstance(value, Mapping):
        return value
    raise UnreadableJson("The JSON is not an object.")


def read_json(data: bytes | str) -> JsonValue:
    """The value that `data` holds.

    Raises:
        UnreadableJson: it is not UTF-8, not JSON, or could be read in more than one way.
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
    # Nothing else in the text could become half of a pair, and to look at every value costs more than to read them.
    if ("\\" in text and _ESCAPED_SURROGATE(text)) or not (text.isascii() or _SURROGATE(text) is None):
        _check_text(value)
    return value


def _check_structure(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    # Half of a surrogate pair is found later; here its bytes do no harm.
    brackets = _STRING.sub(b"", text.encode("utf-8", "surrogatepass")).translate(None, _NO_BRACKETS)
    if brackets.count(b"[") + brackets.count(b"{") > MAX_CONTAINERS:
        raise UnreadableJson(f"The document has more than {MAX_CONTAINERS:,} objects and arrays in it.")
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise UnreadableJson(f"The document is nested more than {MAX_DEPTH} levels deep.")


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1) if len(names) < 1000 else "one"
        raise UnreadableJson(f"The member {twice[:80]!a} stands twice in one object.")
    return members


def _no_constant(name: str) -> NoReturn:
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
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_double, parse_int=_integer
)


def _check_text(value: JsonValue) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _SURROGATE(item):
                raise UnreadableJson("A text holds half of a surrogate pair, which is not a character.")
        elif isinstance(item, Mapping):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, Sequence):
            waiting.extend(item)

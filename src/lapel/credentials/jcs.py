"""The JSON Canonicalization Scheme (RFC 8785): one text for equal JSON documents, however they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from lapel.domain.json import JsonValue
from lapel.errors import InvalidInput

__all__ = ["NotCanonicalisable", "canonicalise"]

_MAX_INTEGER_DIGITS: Final = 21  # ECMAScript writes numbers with more digits with an exponent
_MAX_ZEROS: Final = 6  # between the point and the first other digit


class NotCanonicalisable(InvalidInput):
    """The JSON holds an integer that is no double, which implementations read differently."""

    code = "not_canonicalisable"


def canonicalise(value: JsonValue) -> str:
    """Return the canonical form of a value from `strict_json`, which limits its depth.

    Raises:
        NotCanonicalisable: an integer in it is not exactly a double (RFC 8785, 3.2.2.3; RFC 7493, 2.2).
    """
    if isinstance(value, Mapping):
        # By UTF-16 code units (3.2.3): what is beyond the basic plane comes before U+E000.
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{_text(name)}:{canonicalise(item)}" for name, item in members) + "}"
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return _number(value)
    return "[" + ",".join(map(canonicalise, value)) + "]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(value: int | float) -> str:
    text = _double(float(value))
    if value != float(value) and str(value) != text:
        raise NotCanonicalisable(f"The integer {str(value)[:40]} is not one that every implementation keeps.")
    return text


def _double(value: float) -> str:
    """Return the number as ECMAScript writes it (ECMA-262, Number::toString)."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = f"{whole}{fraction}".lstrip("0")
    # The number is 0.DIGITS times ten to the power of `point`.
    point = len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if not digits:
        return "0"
    if len(digits) <= point <= _MAX_INTEGER_DIGITS:
        return f"{sign}{digits:0<{point}}"
    if 0 < point <= _MAX_INTEGER_DIGITS:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -_MAX_ZEROS < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"

"""JSON numbers and booleans as RDF literals (JSON-LD 1.1 API, sections 8.2.2 and 8.6)."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context
from typing import Final

from lapel.credentials.jsonld.errors import JsonLdError, UnsafeNumber
from lapel.domain.safe_numbers import LARGEST, SMALLEST, is_half_way

__all__ = ["XSD", "canonical_double", "check_number", "number_literal"]

XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_BOOLEAN: Final = f"^^<{XSD}boolean>"
_INTEGER: Final = f"^^<{XSD}integer>"
_DOUBLE: Final = f"^^<{XSD}double>"
_MIN_WHOLE_DOUBLE: Final = 1e21  # from here on, whole numbers are serialised as doubles
_DIGITS: Final = 16
_ROUNDED: Final = Context(prec=_DIGITS, rounding=ROUND_HALF_UP)


def number_literal(value: bool | int | float, *, suffix: str | None, strict: bool) -> str:
    """Serialise a boolean or number as an N-Quads literal.

    Args:
        value: from parsed JSON.
        suffix: ``^^<datatype>`` if the term has a type, ``""`` for `xsd:string`, None to derive it from the value.
        strict: reject numbers that implementations serialise differently.

    Raises:
        UnsafeNumber: `strict`, and the number is beyond 2^53, nearer to zero than 1e-6, or half way between two
            numbers of 16 digits.
        JsonLdError: infinite or not a number.
    """
    if value is True or value is False:
        return f'"{"true" if value else "false"}"{_BOOLEAN if suffix is None else suffix}'
    check_number(value, strict=strict)
    whole = isinstance(value, int) or value.is_integer()
    if whole and suffix != _DOUBLE and abs(value) < _MIN_WHOLE_DOUBLE:
        return f'"{int(value)}"{_INTEGER if suffix is None else suffix}'
    return f'"{canonical_double(float(value))}"{_DOUBLE if suffix is None else suffix}'


def check_number(value: int | float, *, strict: bool) -> None:
    """Check that a number can be serialised. Errors as for `number_literal`."""
    try:
        size = abs(float(value))
    except OverflowError:
        size = math.inf
    if not math.isfinite(size):
        raise JsonLdError("a number is not finite, or too large for any implementation")
    # The integer itself is compared, since the nearest double may be 2^53.
    if strict and (abs(value) > LARGEST or 0 < size < SMALLEST or is_half_way(value)):
        raise UnsafeNumber


def canonical_double(value: float) -> str:
    """Return the canonical form of a double. A half of the last digit is rounded away from zero; zero has no sign.

    This follows JavaScript's `toExponential(15)`, by which section 8.6 defines it; C and Python round half to even.
    """
    if value == 0:
        return "0.0E0"
    mantissa, _, exponent = f"{_ROUNDED.create_decimal_from_float(value):.{_DIGITS - 1}E}".partition("E")
    whole, _, fraction = mantissa.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}E{int(exponent)}"

"""JSON numbers and booleans as RDF literals (JSON-LD 1.1 API, sections 8.2.2 and 8.6)."""

from __future__ import annotations

import math
from typing import Final

from lapel.credentials.jsonld.errors import JsonLdError, UnsafeNumber

__all__ = ["XSD", "check_number", "number_literal"]

XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_BOOLEAN: Final = f"^^<{XSD}boolean>"
_INTEGER: Final = f"^^<{XSD}integer>"
_DOUBLE: Final = f"^^<{XSD}double>"
_LARGEST_SAFE: Final = 2**53
_SMALLEST_SAFE: Final = 1e-6
_FIRST_WRITTEN_AS_DOUBLE: Final = 1e21


def number_literal(value: bool | int | float, *, suffix: str | None, strict: bool) -> str:
    """Write a boolean or number as an N-Quads literal.

    Args:
        value: as it came out of JSON.
        suffix: ``^^<datatype>`` where the term says one, ``""`` for `xsd:string`, None to follow the value.
        strict: refuse what implementations write differently.

    Raises:
        UnsafeNumber: `strict`, and the number is beyond 2^53 or nearer to zero than 1e-6.
        JsonLdError: infinite or not a number.
    """
    if value is True or value is False:
        return f'"{"true" if value else "false"}"{_BOOLEAN if suffix is None else suffix}'
    check_number(value, strict=strict)
    whole = isinstance(value, int) or value.is_integer()
    if whole and suffix != _DOUBLE and abs(value) < _FIRST_WRITTEN_AS_DOUBLE:
        return f'"{int(value)}"{_INTEGER if suffix is None else suffix}'
    return f'"{_canonical_double(float(value))}"{_DOUBLE if suffix is None else suffix}'


def check_number(value: int | float, *, strict: bool) -> None:
    """Refuse a number that cannot be written; see `number_literal`."""
    try:
        size = abs(float(value))
    except OverflowError:
        size = math.inf
    if not math.isfinite(size):
        raise JsonLdError("a number is not finite, or too large for any implementation")
    # An integer is compared as it is: the double next to it may be 2^53 itself.
    if strict and (abs(value) > _LARGEST_SAFE or 0 < size < _SMALLEST_SAFE):
        raise UnsafeNumber


def _canonical_double(value: float) -> str:
    mantissa, _, exponent = f"{value:.15E}".partition("E")
    whole, _, fraction = mantissa.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}E{int(exponent)}"

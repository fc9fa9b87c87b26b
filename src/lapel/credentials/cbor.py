"""The part of CBOR in proof values (RFC 8949): unsigned integers, byte strings, arrays and maps of definite length."""

from __future__ import annotations

from typing import Final, TypeAlias

from lapel.errors import InvalidInput

__all__ = ["InvalidCbor", "Value", "decode"]

Value: TypeAlias = "int | bytes | list[Value] | dict[int, Value]"

_MAX_DEPTH: Final = 4
_NUMBER, _BYTES, _ARRAY, _MAP = 0, 2, 4, 5
"""Major types (3.1)."""


class InvalidCbor(InvalidInput):
    """This is not CBOR of the kinds that are read here."""

    code = "invalid_cbor"


def decode(data: bytes) -> Value:
    """Decode exactly one item.

    Raises:
        InvalidCbor: another type of item, a map key that is no integer or is repeated, truncated or trailing data.
    """
    value, end = _item(data, 0, _MAX_DEPTH)
    if end != len(data):
        raise InvalidCbor("bytes are left over")
    return value


def _item(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """Return the item at offset `at`, and the offset of its end."""
    kind, number, at = _head(data, at)
    if kind == _NUMBER:
        return number, at
    if number > len(data) - at:  # each byte or item takes at least one byte
        raise InvalidCbor("it ends too early")
    if kind == _BYTES:
        return data[at : at + number], at + number
    if kind not in (_ARRAY, _MAP) or depth == 0:
        raise InvalidCbor
    items: list[Value] = []
    for _ in range(number if kind == _ARRAY else 2 * number):
        item, at = _item(data, at, depth - 1)
        items.append(item)
    if kind == _ARRAY:
        return items, at
    keys = [key for key in items[::2] if isinstance(key, int)]
    if len(set(keys)) != number:
        raise InvalidCbor("the keys of a map are different numbers")
    return dict(zip(keys, items[1::2], strict=True)), at


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the major type, the argument, and the offset of the end of the head (RFC 8949, 3)."""
    if at >= len(data):
        raise InvalidCbor("it ends too early")
    kind, short = divmod(data[at], 32)
    if short < 24:
        return kind, short, at + 1
    size = 1 << (short - 24)
    if short > 27 or at + 1 + size > len(data):
        raise InvalidCbor
    return kind, int.from_bytes(data[at + 1 : at + 1 + size]), at + 1 + size

"""CBOR, as much of it as proof values hold (RFC 8949): whole numbers, byte strings, arrays and maps of known length."""

from __future__ import annotations

from typing import Final, TypeAlias

from lapel.errors import InvalidInput

__all__ = ["InvalidCbor", "Value", "decode"]

Value: TypeAlias = "int | bytes | list[Value] | dict[int, Value]"

_DEEPEST: Final = 4
_NUMBER, _BYTES, _ARRAY, _MAP = 0, 2, 4, 5
"""Major types (3.1)."""


class InvalidCbor(InvalidInput):
    """This is not CBOR of the kinds that are read here."""

    code = "invalid_cbor"


def decode(data: bytes) -> Value:
    """The one item that the bytes are.

    Raises:
        InvalidCbor: another kind of item, a key that is no number or stands twice, too few bytes, or too many.
    """
    value, end = _item(data, 0, _DEEPEST)
    if end != len(data):
        raise InvalidCbor("bytes are left over")
    return value


def _item(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """The item that begins there, and where it ends."""
    kind, number, at = _head(data, at)
    if kind == _NUMBER:
        return number, at
    if number > len(data) - at:  # every byte and every item takes one at least
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
    """The major type, its number, and where the head ends."""
    if at >= len(data):
        raise InvalidCbor("it ends too early")
    kind, short = divmod(data[at], 32)
    if short < 24:
        return kind, short, at + 1
    size = 1 << (short - 24)
    if short > 27 or at + 1 + size > len(data):
        raise InvalidCbor
    return kind, int.from_bytes(data[at + 1 : at + 1 + size]), at + 1 + size

"""Multibase: bytes encoded as text, with the base as first letter (Controlled Identifiers 1.0, section 2.4).

Credentials use two bases: ``z`` is base58btc, ``u`` is base64url without padding.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from lapel.errors import InvalidInput

__all__ = ["InvalidMultibase", "base58btc", "base64url", "decode"]

DEFAULT_MAX_BYTES: Final = 1024
"""Enough for an RSA key of 4096 bits. Base58 takes quadratic time, so longer text is rejected before decoding."""

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_NOT_A_DIGIT: Final = 255
_DIGITS: Final = bytes(_ALPHABET.find(chr(code)) % 256 for code in range(256))
_TWO, _THREE, _FOUR, _FIVE, _SIX, _EIGHT, _TEN = (58**digits for digits in (2, 3, 4, 5, 6, 8, 10))
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)


class InvalidMultibase(InvalidInput):
    """This is not multibase text in base58btc (z…) or base64url (u…)."""

    code = "invalid_multibase"


def base58btc(data: bytes) -> str:
    """Encode bytes as ``z…``."""
    number = int.from_bytes(data, "big")
    tens: list[str] = []
    pairs = _PAIRS
    while number:  # ten digits at a time: dividing big integers is slow, and the remainder fits in a machine word
        number, ten = divmod(number, _TEN)
        tens.append(
            f"{pairs[ten // _EIGHT]}{pairs[ten // _SIX % _TWO]}{pairs[ten // _FOUR % _TWO]}"
            f"{pairs[ten // _TWO % _TWO]}{pairs[ten % _TWO]}"
        )
    zeros = len(data) - len(data.lstrip(b"\0"))
    tens.reverse()
    return "z" + "1" * zeros + "".join(tens).lstrip("1")


def base64url(data: bytes) -> str:
    """Encode bytes as ``u…``, without padding."""
    return "u" + base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
    """Decode ``z…`` or ``u…``; every value has exactly one accepted encoding.

    Raises:
        InvalidMultibase: another base, a character outside the alphabet, or more than ``max_bytes``.
    """
    # A byte takes 1.37 characters in base58, 1.34 in base64.
    if len(text) - 1 > max_bytes * 7 // 5 + 2:
        raise InvalidMultibase(f"longer than {max_bytes} bytes")
    prefix, digits = text[:1], text[1:]
    if prefix == "z":
        data = _from_base58(digits)
    elif prefix == "u":
        data = _from_base64url(digits)
    else:
        raise InvalidMultibase
    if len(data) > max_bytes:
        raise InvalidMultibase(f"longer than {max_bytes} bytes")
    return data


def _from_base58(digits: str) -> bytes:
    values = digits.encode(errors="replace").translate(_DIGITS)  # the replacement, a question mark, is not a digit
    if _NOT_A_DIGIT in values:
        raise InvalidMultibase("a character is not in the base58btc alphabet")
    values = bytes(-len(values) % 5) + values
    number = 0
    for at in range(0, len(values), 5):  # five digits at a time, because multiplying big integers is slow
        one, two, three, four, five = values[at : at + 5]
        number = number * _FIVE + (one * _FOUR + two * _THREE + three * _TWO + four * 58 + five)
    zeros = len(digits) - len(digits.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _from_base64url(digits: str) -> bytes:
    try:
        data = base64.b64decode(digits + "=" * (-len(digits) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidMultibase("this is not base64url") from error
    # Rejects stray bits after the last byte, padding, and the alphabet of plain base64.
    if base64url(data)[1:] != digits:
        raise InvalidMultibase("this is not base64url in its shortest form")
    return data

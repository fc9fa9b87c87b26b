"""Base64url without padding, as in JOSE (RFC 7515, section 2), decoded strictly.

The standard library's decoder skips unknown characters and ignores left-over bits, so that many texts decode to the
same bytes. That would allow variants of a signed token; here every value has exactly one encoding.
"""

from __future__ import annotations

from lapel.credentials import multibase
from lapel.errors import InvalidInput

__all__ = ["InvalidBase64Url", "decode", "encode"]


class InvalidBase64Url(InvalidInput):
    """This is not base64url without padding."""

    code = "invalid_base64url"


def encode(data: bytes) -> str:
    """Encode `data` in base64url, without padding."""
    return multibase.base64url(data)[1:]


def decode(text: str) -> bytes:
    """Decode base64url. The caller limits the length of `text`.

    Raises:
        InvalidBase64Url: a character outside the alphabet, padding, an impossible length, or left-over bits.
    """
    try:
        return multibase.decode("u" + text, max_bytes=len(text))
    except multibase.InvalidMultibase as error:
        raise InvalidBase64Url from error

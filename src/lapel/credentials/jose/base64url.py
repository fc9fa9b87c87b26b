"""Base64url without padding as JOSE writes it (RFC 7515, section 2), read strictly.

The standard library's decoder skips characters that it does not know and ignores left-over bits, so that many
texts mean the same bytes. In a signed token that is a way to vary what was signed; here one text means one
value.
"""

from __future__ import annotations

from lapel.credentials import multibase
from lapel.errors import InvalidInput

__all__ = ["InvalidBase64Url", "decode", "encode"]


class InvalidBase64Url(InvalidInput):
    """This is not base64url without padding."""

    code = "invalid_base64url"


def encode(data: bytes) -> str:
    """`data` in base64url, without padding."""
    return multibase.base64url(data)[1:]


def decode(text: str) -> bytes:
    """The bytes that `text` stands for. The caller bounds the length of `text`.

    Raises:
        InvalidBase64Url: a character outside the alphabet, padding, an impossible length, or left-over bits.
    """
    try:
        return multibase.decode("u" + text, max_bytes=len(text))
    except multibase.InvalidMultibase as error:
        raise InvalidBase64Url from error

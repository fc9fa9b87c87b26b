"""The payload and the errors that both types of baked images have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lapel.errors import InvalidInput, TooLarge

__all__ = [
    "MAX_IMAGE_BYTES",
    "MAX_PAYLOAD_BYTES",
    "BakedVersion",
    "InvalidImage",
    "InvalidPayload",
    "NothingBaked",
    "Unbaked",
    "check_payload",
    "check_size",
]

MAX_IMAGE_BYTES: Final = 16 * 1024 * 1024
MAX_PAYLOAD_BYTES: Final = 2 * 1024 * 1024


class BakedVersion(StrEnum):
    """The version of the specification by which a credential was baked."""

    OB_3_0 = "3.0"
    OB_2_0 = "2.0"
    """Also for Open Badges 1.1, which bakes in the same way."""
    OB_1_0 = "1.0"
    """A `tEXt` chunk with the URL of a hosted assertion; read, never written."""


class InvalidImage(InvalidInput):
    """This is not a sound PNG or SVG image."""

    code = "invalid_image"


class InvalidPayload(InvalidInput):
    """This cannot be baked into an image."""

    code = "invalid_baked_payload"


class NothingBaked(InvalidInput):
    """There is no Open Badge in this image."""

    code = "nothing_baked"
    hint = "Many programs and web sites remove it when they save or resize an image; use the original file."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbaked:
    """The contents of a baked image.

    Attributes:
        payload: a credential as JSON, a compact JWS, or (2.0 and before) the URL of an assertion.
        keyword: of the PNG chunk (``openbadgecredential``), or the name of the SVG element
            (``openbadges:credential``).
        media_type: of the image.
        verify: the attribute of an SVG element that also has a body, in 2.0 the URL of the hosted assertion.
    """

    payload: str
    version: BakedVersion
    keyword: str
    media_type: str
    verify: str | None = None


def check_size(image: bytes, *, max_bytes: int = MAX_IMAGE_BYTES) -> None:
    """Raise TooLarge if the image has more than `max_bytes` bytes."""
    if len(image) > max_bytes:
        raise TooLarge(f"A badge image may have at most {max_bytes:,} bytes.")


def check_payload(payload: str) -> bytes:
    """Return the payload in UTF-8.

    Raises:
        InvalidPayload: it is empty, or contains NUL or a lone surrogate.
        TooLarge: more than `MAX_PAYLOAD_BYTES`.
    """
    try:
        data = payload.encode()
    except UnicodeEncodeError as error:
        raise InvalidPayload("The credential holds half a surrogate pair.") from error
    if not payload.strip() or "\x00" in payload:
        raise InvalidPayload("The credential is empty or holds the NUL character.")
    if len(data) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"A baked credential may have at most {MAX_PAYLOAD_BYTES:,} bytes.")
    return data

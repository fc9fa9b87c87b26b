"""Recognise the input: a credential as JSON, a compact token, an image with one baked in, or an assertion's address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from lapel.credentials.baking import image_type, unbake
from lapel.credentials.baking.carrier import MAX_IMAGE_BYTES
from lapel.credentials.jose import vc_jwt
from lapel.credentials.strict_json import UnreadableJson, read_object
from lapel.domain.json import JsonObject
from lapel.errors import InvalidInput, TooLarge
from lapel.services.verifying.offloading import LARGE_TEXT, in_thread, offload_if_long

__all__ = [
    "Address",
    "Document",
    "Input",
    "Token",
    "UnreadableInput",
    "decoded",
    "decoded_presentation",
    "read_input",
    "read_large",
    "read_text",
    "text_in",
]

_MAX_URL_CHARACTERS: Final = 2_048
_WEB_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,100}<(?:!doctype\s{1,10}html|html)[\s>]", re.IGNORECASE).match


class UnreadableInput(InvalidInput):
    """There is no badge in this."""

    code = "unreadable_badge"
    hint = (
        "Send the badge as it was issued: the original PNG or SVG image, or a file with JSON or a JWT."
        " A photograph, a screenshot or a PDF has no badge in it."
    )


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object."""

    value: JsonObject


@dataclass(frozen=True, slots=True)
class Token:
    """A compact JWS, not decoded yet."""

    value: str


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a hosted assertion, which images of OB 2.0 and older versions contain."""

    value: str


Input: TypeAlias = Document | Token | Address


def read_input(data: bytes | str) -> Input:
    """Recognise the input by its content.

    Raises:
        UnreadableInput: it is of no known kind.
        UnreadableJson: it is not valid JSON, or is ambiguous.
        InvalidImage, NothingBaked: it is a damaged image, or an image without a badge.
        TooLarge: it is larger than the limit.
    """
    return _read_text(_text_in(data, None))


async def read_large(data: bytes) -> Input:
    """Recognise the input like `read_input`, in the thread if it is large."""
    return await read_text(await text_in(data))


async def text_in(data: bytes | str, *, media_type: str | None = None) -> str:
    """Return the input's text, or the text baked into an image, stripped: the first half of `read_input`.

    Args:
        media_type: the type that the sender gave; named in the error if it is an image type and the input is no image.

    Raises:
        UnreadableInput, InvalidImage, NothingBaked, TooLarge: see `read_input`.
    """
    if isinstance(data, bytes) and len(data) >= LARGE_TEXT and image_type(data):
        return await in_thread(_text_in, data, media_type)
    return _text_in(data, media_type)


async def read_text(text: str) -> Input:
    """Recognise a text from `text_in`: the second half of `read_input`.

    Raises:
        UnreadableInput, UnreadableJson, TooLarge: see `read_input`.
    """
    return await offload_if_long(text, _read_text)


async def decoded(token: Token) -> vc_jwt.VcJwt:
    """Decode a token of Open Badges 3.0, or a signed assertion of 2.0 (its ``claims``).

    Raises:
        InvalidJwt, UnsupportedJwt, TooLarge: see `vc_jwt.decode`.
    """
    return await offload_if_long(token.value, vc_jwt.decode)


async def decoded_presentation(token: Token) -> vc_jwt.VcJwt:
    """Decode a token that contains a presentation."""
    return await offload_if_long(token.value, partial(vc_jwt.decode, presentation=True))


def _text_in(data: bytes | str, media_type: str | None) -> str:
    return _unstripped_text(data, media_type).strip(" \t\r\n")


def _unstripped_text(data: bytes | str, media_type: str | None) -> str:
    if isinstance(data, str):
        return data
    if len(data) > MAX_IMAGE_BYTES:
        raise TooLarge(f"A badge may have at most {MAX_IMAGE_BYTES:,} bytes.")
    if _WEB_PAGE(data):
        raise UnreadableInput(
            "This is a web page, and no badge.",
            hint="Give its address, or download the badge from it as a file or an image.",
        )
    if image_type(data):
        return unbake(data).payload
    if media_type is not None and media_type.partition(";")[0].strip().lower().startswith("image/"):
        raise UnreadableInput(f"This is not a PNG or SVG image, although it is called {media_type[:80]}.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UnreadableInput from error


def _read_text(text: str) -> Input:
    if text.startswith("{"):
        try:
            return Document(read_object(text))
        except UnreadableJson as error:
            hint = error.hint or "It may be cut off or changed: take it again from where it was issued."
            raise UnreadableJson(error.detail, hint=hint) from error
    if vc_jwt.looks_like_jwt(text):
        return Token(text)
    if text.startswith(("https://", "http://")) and len(text) <= _MAX_URL_CHARACTERS and len(text.split()) == 1:
        return Address(text)
    if text.startswith("\ufeff"):
        raise UnreadableJson("The document begins with a byte order mark.", hint="Save it as UTF-8 without one.")
    raise UnreadableInput

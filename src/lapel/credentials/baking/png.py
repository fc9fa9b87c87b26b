"""Baked PNG images (Open Badges 3.0, section 5.3.1; Open Badges Baking 1.0, section 2.1).

Only chunks are added and removed; pixels are never decoded, and all other chunks keep their bytes. Chunk layout: PNG
(W3C Recommendation), 5.3 and 11.3.3 (iTXt, tEXt).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lapel.credentials.baking.carrier import (
    MAX_PAYLOAD_BYTES,
    BakedVersion,
    InvalidImage,
    InvalidPayload,
    NothingBaked,
    Unbaked,
    check_payload,
    check_size,
)
from lapel.errors import TooLarge

__all__ = ["MEDIA_TYPE", "SIGNATURE", "bake", "strip", "unbake"]

MEDIA_TYPE: Final = "image/png"
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_KEYWORDS: Final = {BakedVersion.OB_3_0: b"openbadgecredential", BakedVersion.OB_2_0: b"openbadges"}
_LEGACY_KEYWORD: Final = b"openbadges"
_HEADER: Final = struct.Struct(">I4s")
_MAX_CHUNK_BYTES: Final = 2**31 - 1
_MAX_CHUNKS: Final = 8_192
"""Four times as many as the largest image has in chunks of the usual 8 KiB."""
_MAX_PIXELS: Final = 100_000_000
"""More than any badge has. The server does not decode them, but browsers that show the image do."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    data: memoryview
    whole: memoryview


def bake(image: bytes, payload: str, *, version: BakedVersion = BakedVersion.OB_3_0) -> bytes:
    """Return the image with `payload` in an uncompressed iTXt chunk after the header, replacing any earlier one.

    Raises:
        InvalidImage, TooLarge: as `unbake`.
        InvalidPayload: as `check_payload`; or `version` is 1.0, which is no longer written.
    """
    text = check_payload(payload)
    if version not in _KEYWORDS:
        raise InvalidPayload("Open Badges 1.0 images are read, but no longer made.")
    keyword = _KEYWORDS[version]
    header, *rest = _chunks(image)
    others = (chunk.whole for chunk in rest if _keyword(chunk) != keyword)
    # keyword, NUL, not compressed, method 0, no language, no translated keyword
    return b"".join((SIGNATURE, header.whole, _serialise(b"iTXt", keyword + b"\0\0\0\0\0" + text), *others))


def strip(image: bytes) -> bytes:
    """Return the image without Open Badges of any version, and without any data after its end.

    Raises:
        InvalidImage, TooLarge: as `unbake`.
    """
    keywords = set(_KEYWORDS.values())
    return b"".join((SIGNATURE, *(chunk.whole for chunk in _chunks(image) if _keyword(chunk) not in keywords)))


def unbake(image: bytes) -> Unbaked:
    """Return the first credential of the newest version in the image.

    Raises:
        NothingBaked: there is none.
        InvalidImage: not a PNG, truncated, damaged (check sums are verified), or with unreadable text.
        TooLarge: the file, its area or the text exceeds a limit, compressed or not.
    """
    by_version: dict[BakedVersion, _Chunk] = {}
    for chunk in _chunks(image):
        keyword = _keyword(chunk)
        for version, version_keyword in _KEYWORDS.items():
            if keyword == version_keyword and chunk.kind == b"iTXt":
                by_version.setdefault(version, chunk)
        if keyword == _LEGACY_KEYWORD and chunk.kind == b"tEXt":
            by_version.setdefault(BakedVersion.OB_1_0, chunk)
    for version in BakedVersion:
        if version in by_version:
            payload = _text(by_version[version])
            if not payload.strip():
                raise NothingBaked("The Open Badge in this image is empty.")
            keyword = _keyword(by_version[version]) or b""
            return Unbaked(payload=payload, version=version, keyword=keyword.decode("ascii"), media_type=MEDIA_TYPE)
    raise NothingBaked


def _chunks(image: bytes) -> Iterator[_Chunk]:
    """Yield and check every chunk from IHDR to IEND."""
    check_size(image)
    if not image.startswith(SIGNATURE):
        raise InvalidImage("This is not a PNG image.")
    view, offset = memoryview(image), len(SIGNATURE)
    has_pixels = False
    for number in range(_MAX_CHUNKS):
        if offset + 12 > len(view):
            raise InvalidImage("This PNG image is cut off.")
        length, kind = _HEADER.unpack_from(view, offset)
        end = offset + 12 + length
        if length > _MAX_CHUNK_BYTES or end > len(view):
            raise InvalidImage("This PNG image is cut off.")
        whole, data = view[offset:end], view[offset + 8 : end - 4]
        if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise InvalidImage("A check sum in this PNG image is wrong: the file is damaged.")
        if not (kind.isalpha()) or (number == 0) != (kind == b"IHDR"):
            raise InvalidImage("The chunks of this PNG image are not in order.")
        if number == 0:
            _check_header(data)
        has_pixels |= kind == b"IDAT"
        yield _Chunk(kind, data, whole)
        if kind == b"IEND":
            if length or not has_pixels:
                raise InvalidImage("This PNG image has no pixels or an end with content.")
            return
        offset = end
    raise TooLarge(f"A PNG image may have at most {_MAX_CHUNKS:,} chunks.")


def _check_header(data: memoryview) -> None:
    if len(data) != 13:
        raise InvalidImage("The header of this PNG image is damaged.")
    width, height = struct.unpack_from(">II", data)
    if not width or not height:
        raise InvalidImage("This PNG image has no area.")
    if width * height > _MAX_PIXELS:
        raise TooLarge(f"A badge image may have at most {_MAX_PIXELS:,} pixels.")


def _keyword(chunk: _Chunk) -> bytes | None:
    if chunk.kind not in (b"iTXt", b"tEXt"):
        return None
    keyword, separator, _ = bytes(chunk.data[:80]).partition(b"\0")  # a keyword has at most 79 bytes
    return keyword if separator else None


def _text(chunk: _Chunk) -> str:
    data = bytes(chunk.data)
    _, _, rest = data.partition(b"\0")
    if chunk.kind == b"tEXt":
        return _check_text_size(rest).decode("latin-1")
    compressed, method = rest[:1], rest[1:2]
    _, language_end, rest = rest[2:].partition(b"\0")
    _, translation_end, text = rest.partition(b"\0")
    if not language_end or not translation_end or compressed not in (b"\0", b"\1"):
        raise InvalidImage("The text chunk with the Open Badge is damaged.")
    if compressed == b"\1":
        if method != b"\0":
            raise InvalidImage("The Open Badge is compressed in an unknown way.")
        text = _inflate(text)
    try:
        return _check_text_size(text).decode()
    except UnicodeDecodeError as error:
        raise InvalidImage("The Open Badge in this image is not UTF-8 text.") from error


def _inflate(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(data, MAX_PAYLOAD_BYTES + 1)
    except zlib.error as error:
        raise InvalidImage("The compressed Open Badge in this image is damaged.") from error
    if not inflate.eof and len(text) <= MAX_PAYLOAD_BYTES:
        raise InvalidImage("The compressed Open Badge in this image is cut off.")
    return text


def _check_text_size(text: bytes) -> bytes:
    if len(text) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"A baked credential may have at most {MAX_PAYLOAD_BYTES:,} bytes.")
    return text


def _serialise(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

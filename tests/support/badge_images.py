"""Small images built here, for the tests of baking."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SVG = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n'
    b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 8 8">\n'
    b'  <title>Caf\xc3\xa9</title>\n  <a xlink:href="#b"><rect width="8" height="8"/></a>\n</svg>\n'
)


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def header(width: int = 1, height: int = 1) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def itxt(keyword: bytes, text: bytes, *, compressed: bool = False, language: bytes = b"") -> bytes:
    body = zlib.compress(text) if compressed else text
    return chunk(b"iTXt", keyword + b"\0" + bytes((compressed, 0)) + language + b"\0\0" + body)


def png(*extra: bytes) -> bytes:
    """One grey pixel, with `extra` chunks between the header and the pixels."""
    pixels = chunk(b"IDAT", zlib.compress(b"\0\x80"))
    return SIGNATURE + header() + b"".join(extra) + pixels + chunk(b"IEND")


def kinds(image: bytes) -> list[bytes]:
    offset, found = len(SIGNATURE), []
    while offset < len(image):
        (length,) = struct.unpack_from(">I", image, offset)
        found.append(image[offset + 4 : offset + 8])
        offset += 12 + length
    return found

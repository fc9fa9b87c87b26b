"""What becomes of a badge on its way through careless programs and hostile hands: mutations, each made from a seed."""

from __future__ import annotations

import copy
import json
import struct
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

from lapel.credentials.jose import base64url

__all__ = ["mutate_bytes", "mutate_json", "mutate_png", "mutate_token"]

TOKENS = [
    b"null", b"true", b"{}", b"[]", b"[[]]", b'""', b"0", b"-0.0", b"1e999", b"1e-9", b"9007199254740993", b"NaN",
    b'"@id"', b'"@context"', b'"@value"', b'"@graph"', b'"@list"', b'"@reverse"', b'"_:b0"', b'"\\ud800"', b"\\u0000",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b"\xff", b"\r\n", b"\xe2\x80\xa8", b"<!DOCTYPE x>", b"&#0;", b"]]>",
    b"<![CDATA[", b"openbadges", b"iTXt", b"IEND", b".", b"..", b"eyJhbGciOiJub25lIn0",
]  # fmt: skip
NAMES = [
    "@id", "@type", "@value", "@context", "@graph", "@reverse", "@included", "@language", "id", "type", "name", "proof",
    "issuer", "validUntil", "credentialStatus", "credentialSubject", "https://example.org/p", "_:p", "unknown", "",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 2**53 + 1, 1e-9, 1e300, "", "x", "@id", "_:b0", "relative", "https://example.org/", "\x00",
    "\u2028", "\U0001f393", [], {}, [[]], [None], ["a", "a"], {"@value": "x"}, {"@id": "_:b"}, {"@list": []},
    {"@context": None}, {"id": "did:example:eve"}, {"type": "Profile"}, "2026-05-01T00:00:00Z", "9999-12-31T24:00:00Z",
    {"@context": {"name": "https://schema.org/description"}}, "https://www.w3.org/ns/credentials/v2",
]  # fmt: skip


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """One to three changes of the bytes, without regard to what they mean."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(changed) + 1)
        end = min(len(changed), at + random.choice((1, 1, 2, 5, 40)))
        match random.randrange(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1 if at < len(changed):
                changed[at] = random.randrange(256)
            case 2:
                del changed[at:end]
            case 3:
                changed[at:at] = changed[at:end]
            case 4:
                changed[at:end] = random.choice(TOKENS)
            case 5:
                changed[at:at] = bytes(changed[(start := random.randrange(len(changed) + 1)) : start + 60])
            case _:
                changed[at:at] = random.choice((random.randbytes(3), random.choice(TOKENS)))
        if random.randrange(200) == 0:
            del changed[at:]
    return bytes(changed)


def mutate_json(document: dict[str, Any], random: Random) -> bytes:
    """One or two members or items dropped, replaced, renamed, wrapped, repeated, moved; or only spelled otherwise."""
    changed = copy.deepcopy(document)
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        places = list(_places(changed))
        holder, step = random.choice(places)
        match random.randrange(6):
            case 0:
                del holder[step]
            case 1:
                holder[step] = copy.deepcopy(random.choice(VALUES))
            case 2 if isinstance(holder, dict):
                holder[random.choice(NAMES)] = holder.pop(step)
            case 3:
                holder[step] = [holder[step]]
            case 4 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[step]))
            case 5:
                other, place = random.choice(places)
                other[place] = copy.deepcopy(holder[step])
            case _:
                added = random.choice(NAMES) if isinstance(holder, dict) else step
                holder[added] = copy.deepcopy(random.choice(VALUES))
    ascii_only, indent = random.choice((True, False)), random.choice((None, None, 1))
    return json.dumps(changed, ensure_ascii=ascii_only, indent=indent).encode()


def mutate_token(token: str, random: Random) -> bytes:
    """A changed letter, a changed part, or parts in another order."""
    if random.randrange(2):
        return mutate_bytes(token.encode(), random)
    parts = token.split(".")
    at = random.randrange(3)
    if random.randrange(8) == 0:
        parts[at] = parts[random.randrange(3)]
    elif at < 2 and random.randrange(2):
        parts[at] = base64url.encode(mutate_json(json.loads(base64url.decode(parts[at])), random))
    else:
        parts[at] = base64url.encode(mutate_bytes(base64url.decode(parts[at]), random))
    return ".".join(parts).encode()


def mutate_png(image: bytes, random: Random) -> bytes:
    """Changed bytes; or chunks dropped, repeated, moved or changed inside, with check sums that are right again."""
    if random.randrange(3) == 0:
        return mutate_bytes(image, random)
    chunks = list(_chunks(image))
    at = random.randrange(len(chunks))
    kind, data = chunks[at]
    match random.randrange(5):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(random.randrange(len(chunks)), chunks[at])
        case 2:
            chunks[at] = (random.choice((b"iTXt", b"tEXt", b"zTXt", b"IDAT", b"abCd")), data)
        case 3 if kind == b"iTXt":
            keyword, _, text = data.partition(b"\0\0\0\0\0")
            chunks[at] = (kind, keyword + b"\0\1\0\0\0" + mutate_bytes(zlib.compress(text), random))
        case _:
            chunks[at] = (kind, mutate_bytes(data, random))
    return image[:8] + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunks(image: bytes) -> Sequence[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(image):
        (length,) = struct.unpack_from(">I", image, at)
        found.append((image[at + 4 : at + 8], image[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _places(value: Any) -> Sequence[tuple[Any, Any]]:
    found = []
    for step in _steps(value):
        found.append((value, step))
        if isinstance(value[step], dict | list):
            found += _places(value[step])
    return found


def _steps(value: Any) -> Sequence[Any]:
    return list(value) if isinstance(value, dict) else range(len(value))

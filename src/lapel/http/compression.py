"""Content coding: gzip for text that is long enough (RFC 9110, 8.4 and 12.5.3).

Only answers to GET are compressed. An answer that contains a secret, such as a new API key, answers a POST and is sent
uncompressed: the compressed length would reveal a secret that stands beside text that an attacker chooses (BREACH).
"""

from __future__ import annotations

import asyncio
import zlib
from functools import lru_cache
from typing import Final

from lapel.http.call import Call

__all__ = ["GZIPPED", "accepts_gzip", "gzip", "is_compressible", "is_worth_it", "vary_too", "with_gzip"]

GZIPPED: Final = ("content-encoding", "gzip")
"""The header field of a compressed answer."""

_MIN_BYTES: Final = 1024
_LONG_BYTES: Final = 128 * 1024
_MAX_ACCEPT_LENGTH: Final = 500
_LEVEL: Final = 6
_GZIP_WINDOW_BITS: Final = 16 + zlib.MAX_WBITS  # 16 more makes zlib write gzip's header
_TEXT_ENDINGS: Final = ("json", "jwt", "/vc", "/jose")


def accepts_gzip(request: Call) -> bool:
    """Return whether the client accepts gzip, and does not prefer the uncompressed content."""
    accepted = request.header_list(b"accept-encoding")
    return accepted is not None and len(accepted) <= _MAX_ACCEPT_LENGTH and _accepts_gzip(accepted)


@lru_cache(maxsize=128)
def _accepts_gzip(accepted: str) -> bool:
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        key, _, value = parameter.partition("=")
        try:
            weights[name.strip()] = float(value) if key.strip() == "q" else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    quality = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return quality > 0.0 and quality >= weights.get("identity", 0.0)


@lru_cache(maxsize=128)
def is_compressible(media_type: str) -> bool:
    """Return whether the media type is text. PNG is compressed already, and SVG is left as it is."""
    return media_type.startswith("text/") or media_type.endswith(_TEXT_ENDINGS)


def is_worth_it(content: bytes) -> bool:
    """Return whether the content is long enough to gain from compression."""
    return len(content) >= _MIN_BYTES


def gzip(content: bytes) -> bytes:
    """Compress the content; the same content always gives the same bytes."""
    return zlib.compress(content, _LEVEL, _GZIP_WINDOW_BITS)


def vary_too(vary: str | None) -> str:
    """Add Accept-Encoding to the value of a Vary header."""
    return f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"


async def with_gzip(request: Call, content: bytes, headers: dict[str, str]) -> bytes:
    """Compress the content of an answer without an ETag if the client accepts that. Updates `headers` accordingly.

    Long content is compressed in a thread: two megabytes take a tenth of a second.
    """
    headers["vary"] = vary_too(headers.get("vary"))
    if not is_worth_it(content) or not accepts_gzip(request):
        return content
    headers.update([GZIPPED])
    return gzip(content) if len(content) < _LONG_BYTES else await asyncio.to_thread(gzip, content)

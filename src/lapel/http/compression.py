"""Content coding: gzip, of what is text and long enough (RFC 9110, 8.4 and 12.5.3).

Only what GET reads goes through here. What shows a secret, such as a new API key, answers a POST, and is sent as it is:
the length of what is compressed would tell of a secret that stands beside chosen text (BREACH).
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Final

from lapel.http.call import Call

__all__ = ["GZIPPED", "accepts_gzip", "gzip", "is_compressible", "is_worth_it", "vary_too", "with_gzip"]

GZIPPED: Final = ("content-encoding", "gzip")
"""The header field of what is sent so."""

_SHORTEST: Final = 1024
_LONGEST_HEADER: Final = 500
_LEVEL: Final = 6
_WITH_HEADER: Final = 16 + zlib.MAX_WBITS
_TEXTS: Final = ("json", "jwt", "/vc", "/jose")


def accepts_gzip(request: Call) -> bool:
    """Whether the client takes gzip, and would not rather have the content as it is."""
    accepted = request.header_list(b"accept-encoding")
    return accepted is not None and len(accepted) <= _LONGEST_HEADER and _accepts_gzip(accepted)


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
    wanted = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return wanted > 0.0 and wanted >= weights.get("identity", 0.0)


@lru_cache(maxsize=128)
def is_compressible(media_type: str) -> bool:
    """Whether it is text; an image is compressed already, or is left as it is."""
    return media_type.startswith("text/") or media_type.endswith(_TEXTS)


def is_worth_it(content: bytes) -> bool:
    """Whether it is long enough."""
    return len(content) >= _SHORTEST


def gzip(content: bytes) -> bytes:
    """The content in that coding: the same bytes each time."""
    return zlib.compress(content, _LEVEL, _WITH_HEADER)


def vary_too(vary: str | None) -> str:
    """Vary, of what may be compressed."""
    return f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"


def with_gzip(request: Call, content: bytes, headers: dict[str, str]) -> bytes:
    """The JSON of an answer that has no validator, as the client takes it; `headers` come to say so."""
    headers["vary"] = vary_too(headers.get("vary"))
    if not is_worth_it(content) or not accepts_gzip(request):
        return content
    headers.update([GZIPPED])
    return gzip(content)

"""Media types: what an answer is, and whether it was asked for (RFC 9110, 8.3 and 12.5.1)."""

from __future__ import annotations

import re

__all__ = ["UNKNOWN", "accepts", "media_type_of"]

UNKNOWN = "application/octet-stream"
_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,127}/[!#$%&'*+.^_`|~0-9a-z-]{1,127}")


def media_type_of(content_type: str | None) -> str:
    """The type in a ``Content-Type`` field, in lower case, without parameters; `UNKNOWN` if there is none."""
    return _without_parameters(content_type or "") or UNKNOWN


def accepts(accept: str, media_type: str) -> bool:
    """Whether `media_type` was asked for by `accept`. Weights are not looked at."""
    return any(_covers(_without_parameters(part), media_type) for part in accept.split(","))


def _without_parameters(text: str) -> str | None:
    media_type = text.partition(";")[0].strip().lower()
    return media_type if _TYPE.fullmatch(media_type) else None


def _covers(wanted: str | None, media_type: str) -> bool:
    if wanted is None:
        return False
    if wanted in ("*/*", media_type):
        return True
    if wanted == "application/json":
        return media_type.endswith("+json")  # RFC 6839, 3.1: it is JSON as well
    kind, _, subtype = wanted.partition("/")
    return subtype == "*" and media_type.startswith(f"{kind}/")

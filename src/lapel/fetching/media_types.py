"""Media types: reading ``Content-Type`` and matching it with ``Accept`` (RFC 9110, 8.3 and 12.5.1)."""

from __future__ import annotations

import re

__all__ = ["UNKNOWN", "accepts", "media_type_of"]

UNKNOWN = "application/octet-stream"
_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,127}/[!#$%&'*+.^_`|~0-9a-z-]{1,127}")


def media_type_of(content_type: str | None) -> str:
    """Return the type in a ``Content-Type`` field in lower case, without parameters; `UNKNOWN` if there is none."""
    return _without_parameters(content_type or "") or UNKNOWN


def accepts(accept: str, media_type: str) -> bool:
    """Return whether `accept` includes `media_type`. Weights are ignored."""
    return any(_matches(_without_parameters(part), media_type) for part in accept.split(","))


def _without_parameters(text: str) -> str | None:
    media_type = text.partition(";")[0].strip().lower()
    return media_type if _TYPE.fullmatch(media_type) else None


def _matches(media_range: str | None, media_type: str) -> bool:
    if media_range is None:
        return False
    if media_range in ("*/*", media_type):
        return True
    if media_range == "application/json":
        return media_type.endswith("+json")  # RFC 6839, 3.1: it is JSON as well
    kind, _, subtype = media_range.partition("/")
    return subtype == "*" and media_type.startswith(f"{kind}/")

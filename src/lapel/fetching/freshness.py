"""How long an answer may be kept by a cache that many share (RFC 9111, 4.2 and 5.2.2)."""

from __future__ import annotations

import re

__all__ = ["fresh_seconds"]

_DIRECTIVE = re.compile(r'([a-z-]+)(?:\s*=\s*"?(\d{1,10})"?)?')
_FORBIDDING = frozenset({"no-store", "no-cache", "private"})


def fresh_seconds(*, cache_control: str | None, age: str | None) -> int | None:
    """Seconds from now; None if ``Cache-Control`` does not say.

    Args:
        cache_control: the ``Cache-Control`` field.
        age: the ``Age`` field: seconds that the answer has been in caches already.
    """
    if cache_control is None:
        return None
    found: dict[str, str | None] = {}
    for part in cache_control.lower().split(","):
        if match := _DIRECTIVE.match(part.strip()):
            found.setdefault(match[1], match[2])
    if _FORBIDDING & found.keys():
        return 0
    lifetime = found.get("s-maxage") or found.get("max-age")
    if lifetime is None:
        return None
    spent = int(age) if age is not None and re.fullmatch(r"\d{1,10}", age.strip()) else 0
    return max(int(lifetime) - spent, 0)

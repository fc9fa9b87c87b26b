"""How long a shared cache may keep a response (RFC 9111, 4.2 and 5.2.2)."""

from __future__ import annotations

import re

__all__ = ["fresh_seconds"]

_DIRECTIVE = re.compile(r'([a-z-]+)(?:\s*=\s*"?(\d{1,10})"?)?')
_FORBIDDING = frozenset({"no-store", "no-cache", "private"})


def fresh_seconds(*, cache_control: str | None, age: str | None) -> int | None:
    """Return the remaining seconds; None if ``Cache-Control`` does not say.

    Args:
        cache_control: the ``Cache-Control`` field.
        age: the ``Age`` field: how many seconds the response has already been in caches.
    """
    if cache_control is None:
        return None
    directives: dict[str, str | None] = {}
    for part in cache_control.lower().split(","):
        if match := _DIRECTIVE.match(part.strip()):
            directives.setdefault(match[1], match[2])
    if _FORBIDDING & directives.keys():
        return 0
    lifetime = directives.get("s-maxage") or directives.get("max-age")
    if lifetime is None:
        return None
    elapsed = int(age) if age is not None and re.fullmatch(r"\d{1,10}", age.strip()) else 0
    return max(int(lifetime) - elapsed, 0)

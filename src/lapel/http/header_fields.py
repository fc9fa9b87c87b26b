"""A request's header fields, straight from its scope: cheaper than Litestar's `headers`, which sorts out all of them.

Names are in lower case, as ASGI has them.
"""

from __future__ import annotations

from litestar.types import Scope

__all__ = ["field_lines", "first_line"]


def first_line(scope: Scope, name: bytes) -> bytes | None:
    """The value of the first line of a header field that has one line; None if there is none."""
    for given, value in scope["headers"]:
        if given == name:
            return value
    return None


def field_lines(scope: Scope, name: bytes) -> str | None:
    """The value of a header field that is a list: all its lines as one (RFC 9110, 5.3); None if there are none."""
    lines = [value for given, value in scope["headers"] if given == name]
    return b",".join(lines).decode("latin-1") if lines else None

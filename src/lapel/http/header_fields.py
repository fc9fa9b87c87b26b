"""A request's header fields, read from its ASGI scope: cheaper than Litestar's `headers`, which parses all of them.

Names are in lower case, as in ASGI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands load this module without the web framework
    from litestar.types import Scope

__all__ = ["field_lines", "first_line"]


def first_line(scope: Scope, name: bytes) -> bytes | None:
    """Return the value of the first line of a header field; None if there is none."""
    for field, value in scope["headers"]:
        if field == name:
            return value
    return None


def field_lines(scope: Scope, name: bytes) -> str | None:
    """Return the value of a header field that is a list: all lines joined (RFC 9110, 5.3); None if there are none."""
    lines = [value for field, value in scope["headers"] if field == name]
    return b",".join(lines).decode("latin-1") if lines else None

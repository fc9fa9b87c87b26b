"""Content negotiation by the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from lapel.http.errors import NotAcceptable

__all__ = ["HTML", "choose", "prefers_html"]

HTML: Final = "text/html"

_MAX_ACCEPT_LENGTH = 2000
_MAX_RANGES = 64
_JAVA_DEFAULT = "text/html, image/gif, image/jpeg, *"
"""The beginning of Java's default Accept (`java.net.URLConnection`). It asks for HTML, but it is not a browser."""


def choose(accept: str | None, available: tuple[str, ...]) -> str:
    """Return the media type of `available` that `accept` prefers; among equals, and without an Accept, the first.

    Raises:
        NotAcceptable: it accepts none of them.
    """
    if not accept or accept == "*/*" or len(accept) > _MAX_ACCEPT_LENGTH:
        return available[0]
    return _choose(accept, available)


def prefers_html(accept: str | None, *available: str) -> bool:
    """Return whether `accept` prefers HTML to the rest of `available`; False, too, if it accepts none of them."""
    try:
        return choose(accept, available) == HTML
    except NotAcceptable:
        return False


@lru_cache(maxsize=512)
def _choose(accept: str, available: tuple[str, ...]) -> str:
    if accept.startswith(_JAVA_DEFAULT):
        return available[0]
    ranges = [_parse(text) for text in accept.split(",")[:_MAX_RANGES] if text.strip()]
    best, best_quality = None, 0.0
    for offered in available:
        quality = _quality(offered, ranges)
        if quality > best_quality:
            best, best_quality = offered, quality
    if best is None:
        raise NotAcceptable(hint=f"It is available as {', '.join(available)}.")
    return best


def _parse(text: str) -> tuple[str, float]:
    """Parse one media range and its weight; parameters other than q are ignored."""
    name, *parameters = (part.strip() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return name.lower(), quality if quality == quality else 0.0


def _quality(offered: str, ranges: list[tuple[str, float]]) -> float:
    """Return the weight of the most specific range that matches `offered`."""
    main_type = offered.partition("/")[0]
    for wanted in (offered, f"{main_type}/*", "*/*"):
        qualities = [quality for name, quality in ranges if name == wanted]
        if qualities:
            return max(qualities)
    return 0.0

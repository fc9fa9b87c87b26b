"""Content negotiation by the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from lapel.http.errors import NotAcceptable

__all__ = ["HTML", "choose", "prefers_html"]

HTML: Final = "text/html"

_LONGEST_ACCEPT = 2000
_MOST_RANGES = 64
_OF_JAVA = "text/html, image/gif, image/jpeg, *"
"""How Accept begins where a program in Java says nothing of its own (`java.net.URLConnection`): it is no browser."""


def choose(accept: str | None, available: tuple[str, ...]) -> str:
    """The media type of `available` that `accept` likes best; among equals, and without an Accept, the earlier one.

    Raises:
        NotAcceptable: it accepts none of them.
    """
    if not accept or accept == "*/*" or len(accept) > _LONGEST_ACCEPT:
        return available[0]
    return _choose(accept, available)


def prefers_html(accept: str | None, *available: str) -> bool:
    """Whether `accept` likes a page best of `available`, where something is answered to whoever likes none of them."""
    try:
        return choose(accept, available) == HTML
    except NotAcceptable:
        return False


@lru_cache(maxsize=512)
def _choose(accept: str, available: tuple[str, ...]) -> str:
    if accept.startswith(_OF_JAVA):
        return available[0]
    ranges = [_parse(text) for text in accept.split(",")[:_MOST_RANGES] if text.strip()]
    best, best_quality = None, 0.0
    for offered in available:
        quality = _quality(offered, ranges)
        if quality > best_quality:
            best, best_quality = offered, quality
    if best is None:
        raise NotAcceptable(hint=f"It is available as {', '.join(available)}.")
    return best


def _parse(text: str) -> tuple[str, float]:
    """One media range and its weight; parameters other than q are passed over."""
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
    """The weight of the most specific range that covers `offered`."""
    group = offered.partition("/")[0]
    for wanted in (offered, f"{group}/*", "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0

"""Does one address lie where another says? Compared as addresses, never as texts: a text knows no end of a host."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = ["host_of", "is_within", "same_origin"]

_PORTS: Final = {"https": 443, "http": 80}
# Letters of which older software makes others, so that a host with them would be taken for another one (RFC 5894, 7.2).
_READ_OTHERWISE: Final = frozenset("ßẞς\u200c\u200d")
_Place = tuple[str, str, int | None]


def same_origin(one: str, other: str) -> bool:
    """Whether both have the same scheme, host and port."""
    place = _place(one)
    return place is not None and place == _place(other)


def host_of(address: str) -> str:
    """The host in ASCII and lower case, with a port that is not the scheme's own; empty if it cannot be told."""
    place = _place(address)
    if place is None:
        return ""
    scheme, host, port = place
    return host if port == _PORTS.get(scheme) else f"{host}:{port}"


def is_within(address: str, prefix: str) -> bool:
    """Whether `address` has the origin of `prefix`, and a path that begins as that one's does.

    A path that climbs (dot segments, however they are spelt, and backslashes) is within nothing. Where the prefix has
    no more than a host, the whole host is meant and no other whose name begins alike.
    """
    if not same_origin(address, prefix) or _climbs(address) or _climbs(prefix):
        return False
    wanted, given = urlsplit(prefix), urlsplit(address)
    # What stands after the path belongs to the prefix too: some hosts tell their assertions by the query alone.
    if wanted.query:
        return given.path == wanted.path and given.query.startswith(wanted.query)
    return (given.path or "/").startswith(_single(wanted.path) or "/")


def _single(path: str) -> str:
    return f"{path.rstrip('/')}/" if path.endswith("/") else path


def _climbs(address: str) -> bool:
    path = urlsplit(address).path.lower()
    # Twice encoded: some servers decode until nothing is left to decode.
    if any(sign in path for sign in ("\\", "%5c", "%2f", "%25")):
        return True
    return any(segment.replace("%2e", ".") in (".", "..") for segment in path.split("/"))


def _place(address: str) -> _Place | None:
    try:
        parts = urlsplit(address)
        port, host = parts.port, (parts.hostname or "").removesuffix(".")
        if _READ_OTHERWISE.isdisjoint(host):
            host = host.encode("idna").decode()
    except ValueError:
        return None
    if not host or "@" in parts.netloc or "\\" in address:
        return None
    return parts.scheme, host, _PORTS.get(parts.scheme) if port is None else port

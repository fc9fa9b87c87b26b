"""Compare the origins and paths of addresses. They are parsed first, because a string prefix may end within a host."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = ["host_of", "is_within", "same_origin"]

_PORTS: Final = {"https": 443, "http": 80}
# Letters that IDNA 2003 maps to others, which would make a host equal to a different one (RFC 5894, 7.2).
_CHANGED_BY_IDNA_2003: Final = frozenset("ßẞς\u200c\u200d")
_Origin = tuple[str, str, int | None]


def same_origin(one: str, other: str) -> bool:
    """Return whether both addresses have the same scheme, host and port."""
    origin = _origin(one)
    return origin is not None and origin == _origin(other)


def host_of(address: str) -> str:
    """Return the host in ASCII and lower case, with a port that is not the default; empty if there is no valid host."""
    origin = _origin(address)
    if origin is None:
        return ""
    scheme, host, port = origin
    return host if port == _PORTS.get(scheme) else f"{host}:{port}"


def is_within(address: str, prefix: str) -> bool:
    """Return whether `address` has the origin of `prefix`, and a path that begins with its path.

    False for paths that may climb: with dot segments, in any encoding, or backslashes. A prefix without a path covers
    its whole host, but no other host whose name begins with it.
    """
    if not same_origin(address, prefix) or _climbs(address) or _climbs(prefix):
        return False
    prefix_parts, parts = urlsplit(prefix), urlsplit(address)
    # A query is part of the prefix, because on some hosts only the query distinguishes assertions.
    if prefix_parts.query:
        return parts.path == prefix_parts.path and parts.query.startswith(prefix_parts.query)
    return (parts.path or "/").startswith(_with_one_slash(prefix_parts.path) or "/")


def _with_one_slash(path: str) -> str:
    return f"{path.rstrip('/')}/" if path.endswith("/") else path


def _climbs(address: str) -> bool:
    path = urlsplit(address).path.lower()
    # %25 may hide a second encoding, and some servers decode repeatedly.
    if any(sign in path for sign in ("\\", "%5c", "%2f", "%25")):
        return True
    return any(segment.replace("%2e", ".") in (".", "..") for segment in path.split("/"))


def _origin(address: str) -> _Origin | None:
    try:
        parts = urlsplit(address)
        port, host = parts.port, (parts.hostname or "").removesuffix(".")
        if _CHANGED_BY_IDNA_2003.isdisjoint(host):
            host = host.encode("idna").decode()
    except ValueError:
        return None
    if not host or "@" in parts.netloc or "\\" in address:
        return None
    return parts.scheme, host, _PORTS.get(parts.scheme) if port is None else port

"""The client's address: the peer of the connection, or the address that a trusted proxy names.

It is computed only when it is asked for. Headers count only if the connection comes from a proxy that the operator
trusts; then the client's address is the right-most one that is not a trusted proxy's. Everything to the left of it was
sent by that client and proves nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from lapel.http.header_fields import field_lines

if TYPE_CHECKING:
    from litestar.types import HTTPScope

__all__ = ["TRUSTED_PROXIES", "UNKNOWN", "IPNetwork", "TrustedProxies", "client_address"]

IPNetwork: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
_IPAddress: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

UNKNOWN: Final = "unknown"
"""Stands for the address where there is none, as on a Unix socket."""

TRUSTED_PROXIES: Final = "trusted_proxies"
"""The key under which `Frame` puts the `TrustedProxies` into a request's state."""

_MAX_PROXIES = 32  # longer than any real chain; bounds what a stranger can make us parse

# RFC 7239, 4, matched on the reversed text, from the right: only what the nearest proxy wrote can be trusted. What
# stands further left may contain half a quoted string, which would garble everything that follows it.
_ELEMENT = re.compile(r'(?:"[^"]*"|[^",])+')
_PAIR = re.compile(r'(?:"[^"]*"|[^";])+')
_FOR = re.compile(r'\s*for\s*=\s*(?:"([^"]*)"|([^\s"]*))\s*', re.IGNORECASE)
_BRACKETED = re.compile(r"\[([^\]]*)\](?::\d{1,5})?")
_IPV4_AND_PORT = re.compile(r"([\d.]+):\d{1,5}")


class TrustedProxies:
    """The networks of the proxies that are trusted to name a request's client address and its id."""

    def __init__(self, networks: Iterable[IPNetwork] = ()) -> None:
        self._networks = tuple(networks)
        self._trusts = lru_cache(maxsize=4096)(self._is_trusted)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def sent(self, scope: HTTPScope) -> bool:
        """Return whether the connection comes from a trusted proxy."""
        return self._trusts(_peer(scope))

    def client_of(self, scope: HTTPScope) -> str:
        """Return the client's address, normalised."""
        peer = _peer(scope)
        if not self._networks or not self._trusts(peer):
            return peer
        clients = [self._first_untrusted(peer, chain) for chain in _chains(scope) if chain is not None]
        # A proxy sets one of the two headers, and may pass on the other as its client sent it. So they have to agree.
        return clients[0] if clients and all(client == clients[0] for client in clients) else peer

    def _first_untrusted(self, peer: str, chain: Iterable[str]) -> str:
        """Return the chain's first address that is not a trusted proxy's, or the last one that can be read."""
        last = peer
        for _, name in zip(range(_MAX_PROXIES), chain, strict=False):
            address = _parse_address(name)
            if address is None:  # "unknown", a pseudonym (RFC 7239, 6.3), or nonsense
                return last
            last = str(address)
            if not self._trusts(last):
                return last
        return last

    def _is_trusted(self, host: str) -> bool:
        address = _parse_address(host)
        return address is not None and any(address in network for network in self._networks)


def client_address(scope: HTTPScope) -> str:
    """Return the address of the client that sent this request; `UNKNOWN` if it has none."""
    trusted: TrustedProxies = scope["state"][TRUSTED_PROXIES]
    return trusted.client_of(scope)


def _peer(scope: HTTPScope) -> str:
    client = scope.get("client")
    return client[0].removeprefix("::ffff:") if client else UNKNOWN


def _chains(scope: HTTPScope) -> tuple[Iterator[str] | None, Iterator[str] | None]:
    """Return the addresses of Forwarded and of X-Forwarded-For, the nearest first; None for a missing header."""
    forwarded = field_lines(scope, b"forwarded")
    x_forwarded_for = field_lines(scope, b"x-forwarded-for")
    return (
        None if forwarded is None else (_for_value(match[0][::-1]) for match in _ELEMENT.finditer(forwarded[::-1])),
        None if x_forwarded_for is None else (name.strip() for name in reversed(x_forwarded_for.split(","))),
    )


def _for_value(element: str) -> str:
    """Return the ``for`` parameter of an element of Forwarded; `UNKNOWN` if it does not have exactly one.

    An element with a backslash is `UNKNOWN`, too: read from the right, an escaped quotation mark looks like any other.
    """
    matches = [match for pair in _PAIR.findall(element) if (match := _FOR.fullmatch(pair))]
    if len(matches) != 1 or "\\" in element:
        return UNKNOWN
    return matches[0][1] or matches[0][2]


def _parse_address(name: str) -> _IPAddress | None:
    """Parse an address as headers have it: an optional port, and IPv6 in optional brackets."""
    if match := _BRACKETED.fullmatch(name) or _IPV4_AND_PORT.fullmatch(name):
        name = match[1]
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

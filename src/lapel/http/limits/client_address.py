"""Who is asking, by address: the other end of the connection, or whom a trusted proxy names.

Nothing is worked out before somebody asks. What a header says counts only where the connection comes from a proxy that
the operator trusts; then the right-most address that is not such a proxy's is the client's. All to the left of it is
what that client said of itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from litestar.types import HTTPScope

from lapel.http.header_fields import field_lines

__all__ = ["TRUSTED_PROXIES", "UNKNOWN", "IPNetwork", "TrustedProxies", "client_address"]

IPNetwork: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
_IPAddress: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

UNKNOWN: Final = "unknown"
"""What stands for an address where there is none, as on a Unix socket."""

TRUSTED_PROXIES: Final = "trusted_proxies"
"""Where a request's state holds the `TrustedProxies` that count for it: put there by the frame."""

_MOST_PROXIES = 32  # in a row: more than any chain has, and what a stranger can make us read

# RFC 7239, 4, from the right, as the nearest proxy is the one to be trusted. What is to the left may have half a quoted
# text in it, so that nothing else can be told there.
_ELEMENT = re.compile(r'(?:"[^"]*"|[^",])+')
_PAIR = re.compile(r'(?:"[^"]*"|[^";])+')
_FOR = re.compile(r'\s*for\s*=\s*(?:"([^"]*)"|([^\s"]*))\s*', re.IGNORECASE)
_BRACKETED = re.compile(r"\[([^\]]*)\](?::\d{1,5})?")
_IPV4_AND_PORT = re.compile(r"([\d.]+):\d{1,5}")


class TrustedProxies:
    """The networks whose word on a request is taken: where it comes from, and what it is called."""

    def __init__(self, networks: Iterable[IPNetwork] = ()) -> None:
        self._networks = tuple(networks)
        self._trusts = lru_cache(maxsize=4096)(self._find)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def sent(self, scope: HTTPScope) -> bool:
        """Whether the connection comes from one of them."""
        return self._trusts(_peer(scope))

    def client_of(self, scope: HTTPScope) -> str:
        """The client's address, normalised."""
        peer = _peer(scope)
        if not self._networks or not self._trusts(peer):
            return peer
        said = [self._furthest(peer, chain) for chain in _chains(scope) if chain is not None]
        # A proxy sets one of the two headers and may hand on what its client made of the other.
        return said[0] if said and all(one == said[0] for one in said) else peer

    def _furthest(self, peer: str, chain: Iterable[str]) -> str:
        """The first address from the right that no trusted proxy has, or the last one that can be read."""
        found = peer
        for _, name in zip(range(_MOST_PROXIES), chain, strict=False):
            address = _address(name)
            if address is None:  # "unknown", a pseudonym (RFC 7239, 6.3), nonsense: nobody is named
                return found
            found = str(address)
            if not self._trusts(found):
                return found
        return found

    def _find(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)


def client_address(scope: HTTPScope) -> str:
    """The address of the client that sent this request; `UNKNOWN` where there is none."""
    trusted: TrustedProxies = scope["state"][TRUSTED_PROXIES]
    return trusted.client_of(scope)


def _peer(scope: HTTPScope) -> str:
    """The other end of the connection."""
    client = scope.get("client")
    return client[0].removeprefix("::ffff:") if client else UNKNOWN


def _chains(scope: HTTPScope) -> tuple[Iterator[str] | None, Iterator[str] | None]:
    """The addresses that each of the two headers names, the nearest first; None for a header that is not there."""
    forwarded = field_lines(scope, b"forwarded")
    x_forwarded_for = field_lines(scope, b"x-forwarded-for")
    return (
        None if forwarded is None else (_for_of(found[0][::-1]) for found in _ELEMENT.finditer(forwarded[::-1])),
        None if x_forwarded_for is None else (name.strip() for name in reversed(x_forwarded_for.split(","))),
    )


def _for_of(element: str) -> str:
    """Whom an element of Forwarded is for. With a backslash in it, quotes cannot be told from the right."""
    found = [match for pair in _PAIR.findall(element) if (match := _FOR.fullmatch(pair))]
    if len(found) != 1 or "\\" in element:
        return UNKNOWN
    return found[0][1] or found[0][2]


def _address(name: str) -> _IPAddress | None:
    """An address as a header writes it: perhaps with a port, an IPv6 one perhaps in brackets."""
    if found := _BRACKETED.fullmatch(name) or _IPV4_AND_PORT.fullmatch(name):
        name = found[1]
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

"""How often one address may ask for work that costs: a token bucket each (about GCRA, one number an address)."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from lapel.errors import TooManyRequests
from lapel.http.call import Call

__all__ = ["RateLimit", "network_of", "take_verification"]


class RateLimit:
    """At most `per_minute` calls a minute and network, in bursts of up to a minute's worth.

    Args:
        per_minute: 0 is no limit.
        most_networks: how many to remember; the one longest unseen is forgotten first.
    """

    def __init__(
        self, per_minute: int, *, most_networks: int = 10_000, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 60 / per_minute if per_minute > 0 else 0.0
        self._most = most_networks
        self._seconds = seconds
        self._busy_until: OrderedDict[str, float] = OrderedDict()

    def take(self, network: str) -> None:
        """Count one call. Raises TooManyRequests, which says when to come again."""
        if not self._interval:
            return
        now = self._seconds()
        busy_until = max(self._busy_until.get(network, now), now) + self._interval
        if busy_until > now + 60.0 + self._interval / 2:
            error = TooManyRequests()
            error.retry_after_seconds = max(1, round(busy_until - now - 60.0 + 0.5))
            raise error
        self._busy_until[network] = busy_until
        self._busy_until.move_to_end(network)
        if len(self._busy_until) > self._most:
            self._busy_until.popitem(last=False)


def take_verification(request: Call) -> None:
    """Count one verification of whoever is asking. Raises TooManyRequests."""
    limit: RateLimit = request.app.state.verification_limit
    limit.take(network_of(request.client.host if request.client else None))


def network_of(host: str | None) -> str:
    """The address, or for IPv6 its /64, of which one caller has 2^64 addresses."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host or "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)

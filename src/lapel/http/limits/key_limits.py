"""How often keys may be tried, and how much one key may change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lapel.domain.access import Principal
from lapel.errors import Unauthorized
from lapel.http.call import Call
from lapel.http.limits.client_address import client_address
from lapel.http.limits.rate_limit import network_of

__all__ = ["within_limits"]


async def within_limits(request: Call, secret: str, authenticate: Callable[[str], Awaitable[Principal]]) -> Principal:
    """Whose key `secret` is, as `authenticate` finds out, within the limits.

    From an address that has tried too many wrong keys, only keys that were good in this process lately are looked up:
    guessing costs the server next to nothing, and others at the same address are not locked out.

    Raises:
        Unauthorized: it is not valid.
        TooManyRequests: too many keys from this address were wrong, or this key has sent too many changes.
    """
    limits = request.services.rate_limits
    fingerprint = hash(secret)  # of this process, and of no use outside it
    known = fingerprint in limits.good_keys
    if not known and limits.failures.has_callers:
        limits.failures.check(network_of(client_address(request.scope)))
    try:
        principal = await authenticate(secret)
    except Unauthorized:
        limits.good_keys.discard(fingerprint)
        limits.failures.take(network_of(client_address(request.scope)))
        raise
    if not known:
        limits.remember(fingerprint)
    if request.scope["method"] != "GET":
        limits.changes.take(principal.actor)
    return principal

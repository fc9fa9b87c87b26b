"""Limits on API keys and tokens: how many wrong ones an address may try, and how many changes one key may make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lapel.domain.access import Principal
from lapel.errors import Unauthorized
from lapel.http.call import Call
from lapel.http.limits.client_address import client_address
from lapel.http.limits.rate_limit import network_of

__all__ = ["within_limits"]


async def within_limits(request: Call, secret: str, authenticate: Callable[[str], Awaitable[Principal]]) -> Principal:
    """Authenticate `secret` with `authenticate`, and apply the limits.

    From an address that has tried too many wrong keys, only keys that this process has accepted lately are looked up.
    So guessing costs the server next to nothing, and others at the same address are not locked out.

    Raises:
        Unauthorized: the secret is not valid.
        TooManyRequests: too many wrong keys came from this address, or this key has sent too many changes.
    """
    limits = request.services.rate_limits
    fingerprint = hash(secret)  # salted for each process, so it is useless outside this one
    is_known = fingerprint in limits.good_keys
    if not is_known and limits.failures.has_callers:
        limits.failures.check(network_of(client_address(request.scope)))
    try:
        principal = await authenticate(secret)
    except Unauthorized:
        limits.good_keys.discard(fingerprint)
        limits.failures.take(network_of(client_address(request.scope)))
        raise
    if not is_known:
        limits.remember(fingerprint)
    if request.scope["method"] != "GET":
        limits.changes.take(principal.actor)
    return principal

"""Limits on verifications, which need no key: how many a minute, and how many at a time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from lapel.http.call import Call
from lapel.http.limits.client_address import client_address
from lapel.http.limits.rate_limit import network_of

__all__ = ["count_verification", "verification_slot"]


def count_verification(request: Call) -> dict[str, str]:
    """Count one verification of the caller, and return the header fields for its answer, which say how many remain.

    Raises:
        TooManyRequests: none remain; it says how long to wait.
    """
    limit, caller = request.services.rate_limits.verifications, network_of(client_address(request.scope))
    limit.take(caller)
    return limit.fields(caller)


def verification_slot(request: Call) -> AbstractAsyncContextManager[None]:
    """Return the context in which to verify for the caller: two at a time, further ones wait."""
    return request.services.rate_limits.verification_slot(network_of(client_address(request.scope)))

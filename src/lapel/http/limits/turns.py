"""Whose turn it is: anybody may verify, so many times a minute, and a few at a time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from lapel.http.call import Call
from lapel.http.limits.client_address import client_address
from lapel.http.limits.rate_limit import network_of

__all__ = ["a_few_at_a_time", "verification_turn"]


def verification_turn(request: Call) -> dict[str, str]:
    """Count one verification of whoever is asking; the header fields of its answer, which tell how many are left.

    Raises:
        TooManyRequests: there are none left; it says when to come again.
    """
    limit, caller = request.services.rate_limits.verifications, network_of(client_address(request.scope))
    limit.take(caller)
    return limit.fields(caller)


def a_few_at_a_time(request: Call) -> AbstractAsyncContextManager[None]:
    """To verify what whoever is asking has sent, beside one other of theirs; further ones wait."""
    return request.services.rate_limits.at_a_time(network_of(client_address(request.scope)))

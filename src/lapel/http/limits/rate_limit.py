"""Rate limits: a token bucket for each caller, stored as one number (much like GCRA).

Each process counts on its own: with several workers a caller has each worker's limit.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import lru_cache
from weakref import WeakValueDictionary

from lapel.errors import TooManyRequests

__all__ = ["RateLimit", "RateLimits", "network_of"]

_WINDOW_SECONDS = 60.0
_MAX_GOOD_KEYS = 4096
_VERIFICATIONS_AT_A_TIME = 2


class RateLimit:
    """Allows each caller `per_minute` calls a minute on average, and at most that many at once.

    Args:
        name: the limit's name in the `RateLimit` headers.
        per_minute: 0 for no limit.
        counted: what is counted, and for whom, as the error message says it.
        max_callers: how many callers to remember; the least recent ones are forgotten first.
    """

    def __init__(
        self,
        name: str,
        per_minute: int,
        *,
        counted: str = "requests",
        max_callers: int = 10_000,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_on = per_minute > 0
        self._interval = _WINDOW_SECONDS / per_minute if per_minute > 0 else 0.0
        # Half an interval more, so that the last call of a burst does not depend on rounding.
        self._window = _WINDOW_SECONDS + self._interval / 2
        self._max_callers = max_callers
        self._seconds = seconds
        self._busy_until: dict[Hashable, float] = {}
        self._name = name
        self._sentence = f"There were too many {counted}: at most {per_minute:,} a minute are allowed."
        self.policy = f'"{name}";q={per_minute};w={_WINDOW_SECONDS:.0f}'
        """The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10)."""

    @property
    def has_callers(self) -> bool:
        """Whether any caller is remembered."""
        return bool(self._busy_until)

    def take(self, caller: Hashable) -> None:
        """Count one call. Raises TooManyRequests, with the time to wait, if there were too many."""
        if not self.is_on:
            return
        now = self._seconds()
        previous = self._busy_until.pop(caller, now)
        busy_until = (previous if previous > now else now) + self._interval
        if busy_until > now + self._window:
            self._busy_until[caller] = previous
            raise self._too_many(caller, busy_until - now - _WINDOW_SECONDS)
        if len(self._busy_until) >= self._max_callers:
            del self._busy_until[next(iter(self._busy_until))]
        self._busy_until[caller] = busy_until  # popped and set anew, so the most recent caller is the last entry

    def check(self, caller: Hashable) -> None:
        """Raise TooManyRequests where `take` would, without counting a call."""
        busy_until = self._busy_until.get(caller)
        if busy_until is not None:
            wait = busy_until + self._interval - self._seconds() - _WINDOW_SECONDS
            if wait > self._interval / 2:
                raise self._too_many(caller, wait)

    def fields(self, caller: Hashable) -> dict[str, str]:
        """Return `RateLimit` and `RateLimit-Policy` for an answer to `caller`; nothing if there is no limit."""
        if not self.is_on:
            return {}
        busy = max(self._busy_until.get(caller, 0.0) - self._seconds(), 0.0)
        remaining = math.floor((self._window - busy) / self._interval)
        return {"ratelimit-policy": self.policy, "ratelimit": f'"{self._name}";r={remaining};t={math.ceil(busy)}'}

    def _too_many(self, caller: Hashable, seconds: float) -> TooManyRequests:
        wait = max(1, round(seconds + 0.5))
        error = TooManyRequests(self._sentence, hint=f"Try again in {wait} second{'' if wait == 1 else 's'}.")
        error.retry_after_seconds = wait
        error.fields = self.fields(caller)
        return error


class RateLimits:
    """The limits of a server. Callers without a key are identified by `network_of` their address.

    Attributes:
        requests: requests of any kind, by address.
        verifications: verifications, by address.
        failures: requests with a wrong key, by address.
        changes: requests with a key that are not GET, by the key's id.
        good_keys: fingerprints of keys that were valid when they were last used.
    """

    def __init__(self, *, requests: int = 0, verifications: int = 0, failures: int = 0, changes: int = 0) -> None:
        self.requests = RateLimit("requests", requests, counted="requests from this address")
        self.verifications = RateLimit("verifications", verifications, counted="verifications from this address")
        self.failures = RateLimit("failures", failures, counted="wrong keys from this address")
        self.changes = RateLimit("changes", changes, counted="changes with this key")
        self.good_keys: set[int] = set()
        # An entry lasts as long as a request holds or awaits its semaphore.
        self._slots: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    def verification_slot(self, caller: Hashable) -> AbstractAsyncContextManager[None]:
        """Return the context in which to verify for a caller: two at a time if verifications are limited, others wait.

        Without this a single caller could occupy the fetching, parsing and memory that all callers share: a
        verification can take twenty seconds.
        """
        if not self.verifications.is_on:
            return nullcontext()
        return self._slots.setdefault(caller, asyncio.Semaphore(_VERIFICATIONS_AT_A_TIME))

    def remember(self, fingerprint: int) -> None:
        """Remember a valid key by its fingerprint; beyond a number of keys an arbitrary one is forgotten."""
        if len(self.good_keys) >= _MAX_GOOD_KEYS:
            self.good_keys.pop()
        self.good_keys.add(fingerprint)


@lru_cache(maxsize=10_000)
def network_of(host: str) -> str:
    """Return the address itself, or for IPv6 its /64 network, because one caller usually has a whole /64."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)

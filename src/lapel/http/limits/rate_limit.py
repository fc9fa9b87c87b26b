"""How often one caller may ask: a token bucket each (about GCRA, one number a caller).

Counts are this process's own: with several workers a caller may have a share of each.
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

_WINDOW = 60.0
_MOST_KEYS = 4096
_AT_A_TIME = 2


class RateLimit:
    """At most `per_minute` calls a minute and caller, in bursts of up to a minute's worth.

    Args:
        name: what a client knows the limit by.
        per_minute: 0 is no limit.
        counted: what is counted, of whom, for a person.
        most_callers: how many to remember; those who have asked least lately are forgotten first.
    """

    def __init__(
        self,
        name: str,
        per_minute: int,
        *,
        counted: str = "requests",
        most_callers: int = 10_000,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_on = per_minute > 0
        self._interval = _WINDOW / per_minute if per_minute > 0 else 0.0
        # Half a turn more, so that the last of a burst does not depend on rounding.
        self._window = _WINDOW + self._interval / 2
        self._most = most_callers
        self._seconds = seconds
        self._busy_until: dict[Hashable, float] = {}
        self._name = name
        self._sentence = f"There were too many {counted}: at most {per_minute:,} a minute are allowed."
        self.policy = f'"{name}";q={per_minute};w={_WINDOW:.0f}'
        """`RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10)."""

    @property
    def has_callers(self) -> bool:
        """Whether it remembers anybody."""
        return bool(self._busy_until)

    def take(self, caller: Hashable) -> None:
        """Count one call. Raises TooManyRequests, which says when to come again."""
        if not self.is_on:
            return
        now = self._seconds()
        known = self._busy_until.pop(caller, now)
        busy_until = (known if known > now else now) + self._interval
        if busy_until > now + self._window:
            self._busy_until[caller] = known
            raise self._refusal(caller, busy_until - now - _WINDOW)
        if len(self._busy_until) >= self._most:
            del self._busy_until[next(iter(self._busy_until))]
        self._busy_until[caller] = busy_until  # at the end: the one who asked last

    def check(self, caller: Hashable) -> None:
        """Raises TooManyRequests where `take` would; counts nothing."""
        until = self._busy_until.get(caller)
        if until is not None:
            missing = until + self._interval - self._seconds() - _WINDOW
            if missing > self._interval / 2:
                raise self._refusal(caller, missing)

    def fields(self, caller: Hashable) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` for an answer to `caller`; none where there is no limit."""
        if not self.is_on:
            return {}
        busy = max(self._busy_until.get(caller, 0.0) - self._seconds(), 0.0)
        left = math.floor((self._window - busy) / self._interval)
        return {"ratelimit-policy": self.policy, "ratelimit": f'"{self._name}";r={left};t={math.ceil(busy)}'}

    def _refusal(self, caller: Hashable, seconds: float) -> TooManyRequests:
        wait = max(1, round(seconds + 0.5))
        error = TooManyRequests(self._sentence, hint=f"Try again in {wait} second{'' if wait == 1 else 's'}.")
        error.retry_after_seconds = wait
        error.fields = self.fields(caller)
        return error


class RateLimits:
    """The limits of a server. Callers without a key are told apart by the `network_of` their address.

    Attributes:
        requests: of any kind, by address.
        verifications: by address.
        failures: keys that are nobody's, by address.
        changes: what a key asks other than to read, by the key's id.
        good_keys: fingerprints of keys that were somebody's when they were last seen.
    """

    def __init__(self, *, requests: int = 0, verifications: int = 0, failures: int = 0, changes: int = 0) -> None:
        self.requests = RateLimit("requests", requests, counted="requests from this address")
        self.verifications = RateLimit("verifications", verifications, counted="verifications from this address")
        self.failures = RateLimit("failures", failures, counted="wrong keys from this address")
        self.changes = RateLimit("changes", changes, counted="changes with this key")
        self.good_keys: set[int] = set()
        # An entry lasts as long as somebody holds or awaits its turn.
        self._under_way: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    def at_a_time(self, caller: Hashable) -> AbstractAsyncContextManager[None]:
        """To verify for a caller: a few at a time, where verifications have a limit; the caller's others wait.

        What fetches, reads and holds badges in memory is for everybody, and a verification may last its twenty seconds.
        """
        if not self.verifications.is_on:
            return nullcontext()
        return self._under_way.setdefault(caller, asyncio.Semaphore(_AT_A_TIME))

    def remember(self, fingerprint: int) -> None:
        """Note a good key; of many, some."""
        if len(self.good_keys) >= _MOST_KEYS:
            self.good_keys.pop()
        self.good_keys.add(fingerprint)


@lru_cache(maxsize=10_000)
def network_of(host: str) -> str:
    """The address, or for IPv6 its /64, of which one caller has 2^64 addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)

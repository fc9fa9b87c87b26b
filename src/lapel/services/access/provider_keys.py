"""The identity provider's public keys: fetched, cached, and fetched again when a token names an unknown key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final

import structlog

from lapel.credentials.jose.access_token import PublishedKey, published_keys
from lapel.credentials.jose.jws import InvalidJwt, Jws
from lapel.credentials.keys import PublicKey
from lapel.credentials.strict_json import UnreadableJson, read_object
from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.domain.ports import Fetcher
from lapel.errors import InvalidToken, TooLarge, Unavailable

__all__ = ["FRESH_SECONDS", "MAX_AGE_SECONDS", "PAUSE_SECONDS", "ProviderKeys"]

FRESH_SECONDS: Final = 600.0
"""How long the keys are used before they are fetched again in the background."""

MAX_AGE_SECONDS: Final = 3600.0
"""How long they are used if they cannot be fetched again."""

PAUSE_SECONDS: Final = 10.0
"""The minimum time between two attempts, whatever key a token names, and even if the first one failed."""

_log = structlog.get_logger("lapel.access")

_MAX_BYTES: Final = 256 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class _KeySet:
    keys: Sequence[PublishedKey]
    fetched_at: float


class ProviderKeys:
    """The keys with which an OpenID provider or OAuth server signs its tokens.

    Args:
        fetcher: a fetcher without a cache.
        issuer: the provider's name in the tokens' ``iss``.
        jwks_url: the address of its keys; None to find it by discovery (OpenID Connect Discovery 1.0, 4).
        timer: a monotonic clock, in seconds.
    """

    def __init__(self, *, fetcher: Fetcher, issuer: str, jwks_url: str | None, timer: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._timer = timer
        self._cached: _KeySet | None = None
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    async def key_of(self, token: Jws) -> PublicKey:
        """Return the key that the token's header names.

        Raises:
            InvalidToken: the provider publishes no such key.
            Unavailable: its keys cannot be fetched.
        """
        key_set = await self._current()
        key = _matching(key_set.keys, token)
        if key is None:
            key_set = await self._newer_than(key_set.fetched_at)
            key = _matching(key_set.keys, token)
        if key is None:
            raise InvalidToken("This token is not signed with any key that its issuer publishes (`kid`).")
        return key

    async def _current(self) -> _KeySet:
        cached, now = self._cached, self._timer()
        if cached is None or now - cached.fetched_at >= MAX_AGE_SECONDS:
            return await self._newer_than(float("-inf") if cached is None else cached.fetched_at)
        if now - cached.fetched_at >= FRESH_SECONDS and now - self._tried_at >= PAUSE_SECONDS and self._renewal is None:
            # In a context of its own, because it does not belong to this request.
            self._renewal = asyncio.get_running_loop().create_task(self._renew(cached.fetched_at), context=Context())
        return cached

    async def _renew(self, fetched_at: float) -> None:
        try:
            await self._newer_than(fetched_at)
        except Unavailable:
            pass  # the cached keys are used on; when they are too old, the request itself gets the error
        finally:
            self._renewal = None

    async def _newer_than(self, fetched_at: float) -> _KeySet:
        """Return keys that were fetched after `fetched_at` if possible, else the cached ones."""
        async with self._lock:
            cached, now = self._cached, self._timer()
            if (cached is None or cached.fetched_at <= fetched_at) and now - self._tried_at >= PAUSE_SECONDS:
                last_tried_at, self._tried_at = self._tried_at, now
                try:
                    cached = self._cached = _KeySet(await self._fetch(), now)
                except (FetchFailed, UnreadableJson, TooLarge, InvalidJwt) as error:
                    self._tried_at = self._timer()  # so that those who have waited do not try it again one by one
                    _log.warning("the identity provider's keys cannot be fetched", reason=error.detail)
                    if cached is None or now - cached.fetched_at >= MAX_AGE_SECONDS:
                        raise Unavailable(f"The identity provider's keys cannot be fetched: {error.detail}") from error
                except BaseException:  # such as a cancellation: it was no failed attempt, so no pause follows
                    self._tried_at = last_tried_at
                    raise
            if cached is None or now - cached.fetched_at >= MAX_AGE_SECONDS:
                raise Unavailable("The identity provider's keys could not be fetched a moment ago.")
            return cached

    async def _fetch(self) -> list[PublishedKey]:
        url = self._jwks_url
        if url is None:
            metadata = await self._fetch_object(self._issuer.rstrip("/") + _DISCOVERY)
            jwks_uri = metadata.get("jwks_uri")
            if metadata.get("issuer") != self._issuer or not isinstance(jwks_uri, str):
                raise InvalidJwt(f"The document at {_DISCOVERY} does not describe {self._issuer}.")
            url = jwks_uri
        keys = published_keys(await self._fetch_object(url))
        if not keys:
            raise InvalidJwt("It publishes no key that this server can use.")
        return keys

    async def _fetch_object(self, url: str) -> JsonObject:
        return read_object((await self._fetcher.fetch(url, max_bytes=_MAX_BYTES)).body)


def _matching(keys: Sequence[PublishedKey], token: Jws) -> PublicKey | None:
    """Return the one key that matches the header; without ``kid`` there must be only one (RFC 7515, 4.1.4)."""
    kid, alg = token.header.get("kid"), token.header["alg"]
    matching = [
        published.key
        for published in keys
        if (kid is None or published.kid == kid)
        and published.alg in (None, alg)
        and published.algorithm is token.algorithm
    ]
    return matching[0] if len(matching) == 1 else None

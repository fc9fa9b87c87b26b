"""The public keys of the identity provider: found, kept, and looked for again when a token names another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final

from lapel.credentials.jose.access_token import PublishedKey, published_keys
from lapel.credentials.jose.jws import InvalidJwt, Jws
from lapel.credentials.keys import PublicKey
from lapel.credentials.strict_json import UnreadableJson, read_object
from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.domain.ports import Fetcher
from lapel.errors import InvalidToken, TooLarge, Unavailable

__all__ = ["FRESH_SECONDS", "LONGEST_SECONDS", "PAUSE_SECONDS", "ProviderKeys"]

FRESH_SECONDS: Final = 600.0
"""How long the keys are used before they are fetched again, beside what goes on with these."""

LONGEST_SECONDS: Final = 3600.0
"""How long they are used where they cannot be fetched again."""

PAUSE_SECONDS: Final = 10.0
"""The least time between two attempts, whatever tokens name and whether or not they succeed."""

_MOST_BYTES: Final = 256 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class _Known:
    keys: Sequence[PublishedKey]
    since: float


class ProviderKeys:
    """What an OpenID provider or OAuth server signs its tokens with.

    Args:
        fetcher: one that keeps nothing.
        issuer: its name, as tokens say it.
        jwks_url: where its keys are; None to ask its description (OpenID Connect Discovery 1.0, 4).
        timer: seconds, never going back.
    """

    def __init__(self, *, fetcher: Fetcher, issuer: str, jwks_url: str | None, timer: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._timer = timer
        self._known: _Known | None = None
        self._tried = float("-inf")
        self._one_at_a_time = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    async def key_of(self, token: Jws) -> PublicKey:
        """The key that the token says it is signed with.

        Raises:
            InvalidToken: the provider publishes no such key.
            Unavailable: its keys cannot be had.
        """
        known = await self._current()
        found = _chosen(known.keys, token)
        if found is None:
            known = await self._renewed(known.since)
            found = _chosen(known.keys, token)
        if found is None:
            raise InvalidToken("This token is not signed with any key that its issuer publishes (`kid`).")
        return found

    async def _current(self) -> _Known:
        known, now = self._known, self._timer()
        if known is None or now - known.since >= LONGEST_SECONDS:
            return await self._renewed(float("-inf") if known is None else known.since)
        if now - known.since >= FRESH_SECONDS and now - self._tried >= PAUSE_SECONDS and self._renewal is None:
            # In a context of its own: it is no matter of the request that has noticed.
            self._renewal = asyncio.get_running_loop().create_task(self._renew(known.since), context=Context())
        return known

    async def _renew(self, since: float) -> None:
        try:
            await self._renewed(since)
        except Unavailable:
            pass  # whoever cannot go on with those that there are is told
        finally:
            self._renewal = None

    async def _renewed(self, since: float) -> _Known:
        """Keys that are newer than `since` if such can be had now, else those that there are."""
        async with self._one_at_a_time:
            known, now = self._known, self._timer()
            if (known is None or known.since <= since) and now - self._tried >= PAUSE_SECONDS:
                before, self._tried = self._tried, now
                try:
                    known = self._known = _Known(await self._fetched(), now)
                except (FetchFailed, UnreadableJson, TooLarge, InvalidJwt) as error:
                    if known is None or now - known.since >= LONGEST_SECONDS:
                        raise Unavailable(f"The identity provider's keys cannot be fetched: {error.detail}") from error
                except BaseException:  # such as a cancellation: the provider has not answered, and may be asked again
                    self._tried = before
                    raise
            if known is None or now - known.since >= LONGEST_SECONDS:
                raise Unavailable("The identity provider's keys could not be fetched a moment ago.")
            return known

    async def _fetched(self) -> list[PublishedKey]:
        url = self._jwks_url
        if url is None:
            described = await self._object(self._issuer.rstrip("/") + _DISCOVERY)
            named = described.get("jwks_uri")
            if described.get("issuer") != self._issuer or not isinstance(named, str):
                raise InvalidJwt(f"The document at {_DISCOVERY} does not describe {self._issuer}.")
            url = named
        keys = published_keys(await self._object(url))
        if not keys:
            raise InvalidJwt("It publishes no key that this server can use.")
        return keys

    async def _object(self, url: str) -> JsonObject:
        return read_object((await self._fetcher.fetch(url, max_bytes=_MOST_BYTES)).body)


def _chosen(keys: Sequence[PublishedKey], token: Jws) -> PublicKey | None:
    """The one key that fits what the header says; a token without ``kid`` must leave no choice (RFC 7515, 4.1.4)."""
    kid, alg = token.header.get("kid"), token.header["alg"]
    fitting = [
        one.key
        for one in keys
        if (kid is None or one.kid == kid) and one.alg in (None, alg) and one.algorithm is token.algorithm
    ]
    return fitting[0] if len(fitting) == 1 else None

"""The two clients: the same operations, sent by a blocking and by an asynchronous HTTP client."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self, TypeVar

import httpx

from lapel.client.access import AccessOperations
from lapel.client.achievements import AchievementOperations
from lapel.client.asking import Ask
from lapel.client.conversation import Heard, conversation
from lapel.client.credentials import CredentialOperations
from lapel.client.issuers import IssuerOperations
from lapel.client.open_badges_2 import OpenBadges2Operations
from lapel.client.serving import ServingOperations
from lapel.client.vc_api import VcApiOperations
from lapel.client.verification import VerificationOperations

__all__ = ["AsyncClient", "Client"]

Result = TypeVar("Result")

TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 30.0


class _Operations(
    IssuerOperations,
    AchievementOperations,
    CredentialOperations,
    VerificationOperations,
    OpenBadges2Operations,
    VcApiOperations,
    AccessOperations,
    ServingOperations,
):
    """Every operation of a server.

    Args:
        url: the server's, such as ``https://badges.example``.
        key: an API key; what is public needs none.
        timeout: seconds until a request that is not answered has failed.
        patience: seconds to spend on waiting between one request's attempts, all together; 0 to try once.
        http: sends the requests, in place of one of our own, and is not closed.
    """

    def _request(self, ask: Ask[Result]) -> httpx.Request:
        headers = {"accept": "application/json, */*;q=0.5", **ask.headers}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key}"
        query = {name: value for name, value in ask.query.items() if value is not None}
        timeout = httpx.Timeout(self._timeout).as_dict()
        url = httpx.URL(self._url + ask.path, params=query) if query else httpx.URL(self._url + ask.path)
        return httpx.Request(ask.method, url, headers=headers, content=ask.content, extensions={"timeout": timeout})

    def _remember(self, url: str, key: str | None, timeout: float, patience: float) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._patience = patience


class Client(_Operations):
    __doc__ = f"A client that waits for each answer.\n\n{_Operations.__doc__}"

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        http: httpx.Client | None = None,
    ) -> None:
        self._remember(url, key, timeout, patience)
        self._http = http or httpx.Client()
        self._owns_http = http is None

    def send(self, ask: Ask[Result]) -> Result:
        """Send it, again if need be, and give what it asked for. Raises RequestFailed."""
        steps = conversation(ask, patience=self._patience)
        heard: Heard = None
        while True:
            try:
                step = steps.send(heard)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(step, float):
                time.sleep(step)
                heard = None
                continue
            try:
                heard = self._http.send(self._request(step))
            except httpx.TransportError as error:
                heard = error

    def close(self) -> None:
        """Close its connections."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Operations):
    __doc__ = f"A client whose operations are awaited.\n\n{_Operations.__doc__}"

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._remember(url, key, timeout, patience)
        self._http = http or httpx.AsyncClient()
        self._owns_http = http is None

    async def asend(self, ask: Ask[Result]) -> Result:
        """Send it, again if need be, and give what it asked for. Raises RequestFailed."""
        steps = conversation(ask, patience=self._patience)
        heard: Heard = None
        while True:
            try:
                step = steps.send(heard)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(step, float):
                await asyncio.sleep(step)
                heard = None
                continue
            try:
                heard = await self._http.send(self._request(step))
            except httpx.TransportError as error:
                heard = error

    async def aclose(self) -> None:
        """Close its connections."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

"""The two clients: the same operations with a blocking and with an asynchronous HTTP client."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self, TypeVar

import httpx

from lapel.client.access import AccessOperations
from lapel.client.achievements import AchievementOperations
from lapel.client.credentials import CredentialOperations
from lapel.client.issuers import IssuerOperations
from lapel.client.monitoring import MonitoringOperations
from lapel.client.open_badges_2 import OpenBadges2Operations
from lapel.client.requests import Request
from lapel.client.retrying import Outcome, attempts
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
    MonitoringOperations,
):
    """Every operation of a server.

    Args:
        url: the server's public URL, such as ``https://badges.example``.
        key: an API key; public operations need none.
        timeout: seconds after which an attempt without an answer has failed.
        patience: seconds to wait between the attempts of one request, in total; 0 to try once.
        http: the HTTP client to use in place of a new one; it is not closed.
    """

    def _build(self, request: Request[Result]) -> httpx.Request:
        headers = {"accept": "application/json, */*;q=0.5", **request.headers}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key}"
        query = {name: value for name, value in request.query.items() if value is not None}
        timeout = httpx.Timeout(self._timeout).as_dict()
        url = httpx.URL(self._url + request.path, params=query) if query else httpx.URL(self._url + request.path)
        return httpx.Request(
            request.method, url, headers=headers, content=request.content, extensions={"timeout": timeout}
        )

    def _configure(self, url: str, key: str | None, timeout: float, patience: float) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._patience = patience


class Client(_Operations):
    __doc__ = f"A blocking client.\n\n{_Operations.__doc__}"

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        http: httpx.Client | None = None,
    ) -> None:
        self._configure(url, key, timeout, patience)
        self._http = http or httpx.Client()
        self._owns_http = http is None

    def send(self, request: Request[Result]) -> Result:
        """Send the request, again if necessary, and return its result. Raises RequestFailed."""
        steps = attempts(request, patience=self._patience)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(step, float):
                time.sleep(step)
                outcome = None
                continue
            try:
                outcome = self._http.send(self._build(step))
            except httpx.TransportError as error:
                outcome = error

    def close(self) -> None:
        """Close the HTTP client, unless it was passed in."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Operations):
    __doc__ = f"An asynchronous client.\n\n{_Operations.__doc__}"

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._configure(url, key, timeout, patience)
        self._http = http or httpx.AsyncClient()
        self._owns_http = http is None

    async def asend(self, request: Request[Result]) -> Result:
        """Send the request, again if necessary, and return its result. Raises RequestFailed."""
        steps = attempts(request, patience=self._patience)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(step, float):
                await asyncio.sleep(step)
                outcome = None
                continue
            try:
                outcome = await self._http.send(self._build(step))
            except httpx.TransportError as error:
                outcome = error

    async def aclose(self) -> None:
        """Close the HTTP client, unless it was passed in."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

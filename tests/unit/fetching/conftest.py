"""A server on this machine and a fetcher that may reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lapel.fetching.client import GuardedFetcher
from tests.unit.fetching.local_server import LocalServer, serve


@pytest.fixture
async def server() -> AsyncIterator[LocalServer]:
    async with serve() as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[GuardedFetcher]:
    async with GuardedFetcher(allow_loopback_http=True, max_bytes=1000) as running:
        yield running

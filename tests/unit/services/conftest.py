"""What the tests of the services share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.services.server import Server, running


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as server:
        yield server

"""What the tests of the services share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.audited import every_change_is_recorded
from tests.unit.services.server import Server, running

__all__ = ["every_change_is_recorded", "server"]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as server:
        yield server

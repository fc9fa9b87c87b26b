"""What the tests of verification share."""

from __future__ import annotations

import pytest

from tests.unit.verifying.world import World


@pytest.fixture
def world() -> World:
    return World()

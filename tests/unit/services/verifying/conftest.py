"""What the tests of verification share."""

from __future__ import annotations

import pytest

from tests.unit.services.verifying.badges_2 import publish_hosted
from tests.unit.services.verifying.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hosted(world: World) -> World:
    """A world in which an Open Badge 2.0 is hosted."""
    publish_hosted(world)
    return world

"""The independent processor that all is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.credentials.jsonld.oracle import Oracle


@pytest.fixture(scope="session")
def oracle(vectors: Path) -> Oracle:
    return Oracle.published(vectors)

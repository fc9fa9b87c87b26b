"""What every test may use: the standards bodies' test data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of published test data; set LAPEL_VECTORS when it is elsewhere."""
    folder = Path(os.environ.get("LAPEL_VECTORS") or REPOSITORY.parent / "shared" / "vectors")
    if folder.is_dir():
        return folder
    message = f"the standards' test data is not at {folder}; set LAPEL_VECTORS to run these tests"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)

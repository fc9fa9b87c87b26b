"""What every test may use: the standards bodies' test data, and a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from lapel.database.interface import DatabaseSettings
from tests.support.databases import DATABASES, settings_for
from tests.support.postgres_server import PostgresServer

pytest_plugins = ["lapel.database.conformance.plugin", "tests.support.nothing_skips"]

REPOSITORY = Path(__file__).resolve().parent.parent

# A busy machine makes an example slow, which says nothing about the code.
# In CI the same examples are tried each time; the long run looks for new ones.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
patient = hypothesis.settings.get_profile("patient")
hypothesis.settings.register_profile("short", patient, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.register_profile("long", patient, derandomize=False, max_examples=5_000)
hypothesis.settings.load_profile("short")


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL that all tests share: leave it running. If it cannot start, what needs it fails."""
    with PostgresServer.for_tests() as server:
        yield server


@pytest.fixture
def postgres_dsn(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database of this test's own, dropped afterwards."""
    dsn = postgres.create_database()
    yield dsn
    postgres.drop_database(dsn)


@pytest.fixture(scope="module")
def private_postgres() -> Iterator[PostgresServer]:
    """What ``stoppable_postgres`` hands out: making a server takes a second, so a module's tests share one."""
    with PostgresServer.temporary() as server:
        yield server


@pytest.fixture
def stoppable_postgres(private_postgres: PostgresServer) -> PostgresServer:
    """A private server, running, for this test alone to stop, crash and restart; it may be left stopped."""
    private_postgres.start()
    return private_postgres


@pytest.fixture(params=DATABASES)
def database_settings(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, DatabaseSettings]:
    """A module's name and settings for a fresh, empty database: once for every database that Lapel runs on."""
    kind: str = request.param
    dsn: str | None = request.getfixturevalue("postgres_dsn") if kind == "postgresql" else None
    return settings_for(kind, folder=tmp_path, dsn=dsn)

"""What every test may use: the standards bodies' test data, and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from lapel.database.interface import DatabaseSettings
from tests.support.databases import DATABASES, opened, roll_back_prepared, settings_for
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


# A shell has what it runs in the background ignore SIGINT, and so would everything that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

_LONGEST = ("contract/test_third_party.py", "contract/test_conformance.py", "verifying/test_generated_mutations.py")
"""Modules that take a worker tens of seconds each: begun last, one would keep the others waiting for its end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; all else in its order."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(_LONGEST))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: many tests have it look for what they themselves left."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests of faults have counted."""
    reports = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    reports += terminalreporter.getreports("failed")
    lines = [told for report in reports for name, told in report.user_properties if name == "counted"]
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)


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


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> Iterator[str]:
    """The address of a migrated database, to copy: leave it as it is."""
    dsn = postgres.create_database()

    async def migrate() -> None:
        async with opened("postgresql", DatabaseSettings(url=dsn)):
            pass

    asyncio.run(migrate())
    yield dsn
    postgres.drop_database(dsn)


@pytest.fixture
def migrated_postgres_dsn(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The address of a migrated database of this test's own, dropped afterwards."""
    dsn = postgres.create_database(template=postgres_template)
    yield dsn
    postgres.drop_database(dsn)


@pytest.fixture
def two_dsns(postgres: PostgresServer, postgres_template: str) -> Iterator[list[str]]:
    """The addresses of two migrated databases of this test's own, in which transactions may stay prepared."""
    made = [postgres.create_database(template=postgres_template) for _ in range(2)]
    yield made
    for dsn in made:
        asyncio.run(roll_back_prepared(dsn))
        postgres.drop_database(dsn)


@pytest.fixture(scope="session")
def private_postgres() -> Iterator[PostgresServer]:
    """What ``stoppable_postgres`` hands out: making a server takes seconds, so the tests share one, in turns."""
    with PostgresServer.temporary(settings={"max_wal_size": "256MB"}, in_memory=True) as server:
        yield server


@pytest.fixture
def stoppable_postgres(private_postgres: PostgresServer) -> PostgresServer:
    """A private server, running, for this test alone to stop, crash and restart; it may be left stopped."""
    private_postgres.start()
    return private_postgres


@pytest.fixture(params=DATABASES)
def database_settings(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, DatabaseSettings]:
    """A module's name and settings for a fresh database: once for every database that Lapel runs on.

    It is empty; where the fixture ``database`` is going to migrate it, and to copy one is quicker, it is migrated.
    """
    kind: str = request.param
    fixture = "migrated_postgres_dsn" if "database" in request.fixturenames else "postgres_dsn"
    dsn: str | None = request.getfixturevalue(fixture) if kind == "postgresql" else None
    return settings_for(kind, folder=tmp_path, dsn=dsn)

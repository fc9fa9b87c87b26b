"""How often each fault is made to happen, what was counted meanwhile, and the databases that it happens to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.outages import FAULTS, Outage
from tests.faults.site import Site
from tests.support.broken_network import BrokenNetwork
from tests.support.postgres_pair import PostgresPair
from tests.support.postgres_server import PostgresServer

CYCLES = int(os.environ.get("FAULT_CYCLES", "20"))

Tell = Callable[[str], None]


@pytest.fixture(params=[pytest.param(1, id="short"), pytest.param(CYCLES, id="long", marks=pytest.mark.long)])
def cycles(request: pytest.FixtureRequest) -> int:
    """How often: once, and in the long run as often as FAULT_CYCLES says."""
    number: int = request.param
    return number


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Takes a sentence that is shown when all the tests are over."""
    told: list[tuple[str, object]] = request.node.user_properties  # which a worker hands on to whoever reports
    return lambda sentence: told.append(("counted", f"{request.node.name}: {sentence}"))


SERVERS = ("sqlite", "postgresql", "two-processes")
"""For `site`, where a server is what the test is about; the last one is two processes on PostgreSQL."""


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A fresh database for a server: once for every database that outlives one."""
    if request.param == "sqlite":
        return Site(tmp_path)
    workers = "2" if request.param == "two-processes" else "1"
    return Site(tmp_path, dsn=request.getfixturevalue("postgres_dsn"), LAPEL_WORKERS=workers)


@pytest.fixture(scope="module")
def network(private_postgres: PostgresServer) -> Iterator[BrokenNetwork]:
    """The way to the module's own PostgreSQL."""
    with BrokenNetwork.to(private_postgres.socket_dir / ".s.PGSQL.5432") as network:
        yield network


@pytest.fixture(params=[*FAULTS, "stopped under two processes"])
def outage(
    request: pytest.FixtureRequest, stoppable_postgres: PostgresServer, network: BrokenNetwork, tmp_path: Path
) -> Outage:
    """A fresh PostgreSQL database for a server, and a way to lose it: each way once, and one under two processes."""
    kind, _, several = request.param.partition(" under ")
    return Outage.of(kind, stoppable_postgres, network, tmp_path, workers=2 if several else 1)


@pytest.fixture(scope="session")
def running_pair() -> Iterator[PostgresPair]:
    """What `pair` hands out: making two servers takes seconds."""
    with PostgresPair.temporary() as pair:
        yield pair


@pytest.fixture
def pair(running_pair: PostgresPair) -> Iterator[PostgresPair]:
    """A primary and its standby, for this test alone to break."""
    yield running_pair
    running_pair.repair()

"""Distributed transactions whose coordinator is killed at every step, and whose servers go away."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lapel.database.conformance.opening import opened
from lapel.database.errors import CommitDelayed, ConnectionLost, OutcomeUnknown
from lapel.database.interface import Database, DatabaseSettings
from lapel.maintenance.recovering import Settlement, recover
from tests.faults.conftest import CYCLES, Tell
from tests.support.broken_network import BrokenNetwork
from tests.support.postgres_server import PostgresServer
from tests.support.two_databases import LOG, STEPS, Halt, ask, award, leave_decided, opened_pair, standing, stored
from tests.support.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = "SELECT name FROM issuers"


@pytest.fixture
async def first(two_dsns: list[str]) -> AsyncIterator[Database]:
    """A database on the server that all tests share."""
    async with opened_pair(two_dsns[0]) as (database,):
        yield database


class Coordinators:
    """The process of `tests.faults.coordinator`, and what its children were told."""

    def __init__(self, running: subprocess.Popen[str], file: Path) -> None:
        self._running = running
        self._file = file

    def start(self, step: str, *dsns: str) -> int:
        """Have a transaction begun in a child, and return when it has died there. Its process id."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(f"{step.replace(' ', '_')} {' '.join(dsns)}\n")
        self._running.stdin.flush()
        return int(self._running.stdout.readline())

    def told(self) -> set[str]:
        """The transactions of which a child was told that they are committed."""
        return set(self._file.read_text().split()) if self._file.exists() else set()

    def wait_for(self, count: int) -> None:
        """Return when so many more have been told."""
        enough = len(self.told()) + count
        assert eventually(lambda: len(self.told()) >= enough)


@contextmanager
def coordinators(file: Path) -> Iterator[Coordinators]:
    command = [sys.executable, "-m", "tests.faults.coordinator", str(file)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield Coordinators(running, file)
        finally:
            assert running.stdin is not None
            running.stdin.close()


def test_a_coordinator_killed_after_any_step_leaves_both_sides_agreeing(two_dsns: list[str], tmp_path: Path) -> None:
    decided = list(STEPS).index("decided")
    with coordinators(tmp_path / "told") as processes:
        for number, step in enumerate(STEPS):
            processes.start(step, *two_dsns)
            asyncio.run(_recovered_to(two_dsns, step, count=max(0, number - decided + 1)))
    assert processes.told() == set()


async def _recovered_to(two_dsns: list[str], step: str, *, count: int) -> None:
    expected = Settlement.COMMITTED if count else Settlement.ROLLED_BACK
    async with opened_pair(*two_dsns) as databases:
        before = await standing(*databases)
        found = await recover(databases)
        assert len(found) == before
        assert {one.settlement for one in found} <= {expected}
        assert await recover(databases) == []
        assert (before > 0) is (step not in ("locked", "both committed", "forgotten"))
        names = [await ask(dsn, NAMES) for dsn in two_dsns]
        assert sorted(names[0]) == sorted(names[1]), step
        assert len(names[0]) == count
        assert (await standing(*databases), await ask(two_dsns[0], LOG)) == (0, [])


@pytest.mark.parametrize("rounds", [3, pytest.param(5 * CYCLES, marks=pytest.mark.long)])
def test_coordinators_killed_at_any_moment_leave_both_sides_agreeing(
    two_dsns: list[str], tmp_path: Path, rounds: int, tell: Tell
) -> None:
    found: Counter[str] = Counter()
    with coordinators(tmp_path / "told") as processes:
        for _ in range(rounds):
            living = [processes.start("for-ever", *(two_dsns if way else reversed(two_dsns))) for way in (True, False)]
            processes.wait_for(1 + secrets.randbelow(6))
            os.kill(living[0], signal.SIGKILL)
            found.update(asyncio.run(_recovered(two_dsns)))  # beside one that lives
            os.kill(living[1], signal.SIGKILL)
            found.update(asyncio.run(_recovered(two_dsns)))
            while asyncio.run(_standing(two_dsns)):  # what a dead process has sent may be prepared a moment later
                found.update(asyncio.run(_recovered(two_dsns)))
    here, there = (set(asyncio.run(ask(dsn, NAMES))) for dsn in two_dsns)
    assert here == there
    assert processes.told() <= here, "what was told to be committed is there"
    tell(f"{rounds} rounds, {len(here)} transactions, recovery: {dict(found)}")


async def _recovered(two_dsns: list[str]) -> Counter[str]:
    async with opened_pair(*two_dsns) as databases:
        return Counter(str(one.settlement) for one in await recover(databases))


async def _standing(two_dsns: list[str]) -> int:
    async with opened_pair(*two_dsns) as databases:
        return await standing(*databases)


@pytest.mark.parametrize("shown", ["INSERT INTO two_phase_decisions", "INSERT 0 2"])
async def test_a_decision_that_is_not_answered_is_unknown_until_recovery(
    stoppable_postgres: PostgresServer, network: BrokenNetwork, two_dsns: list[str], shown: str
) -> None:
    direct = stoppable_postgres.create_database()
    url = urlsplit(direct)
    through = url._replace(netloc=f"{url.username}@127.0.0.1:{network.port}", query="").geturl()
    network.silent_at = shown.encode()
    try:
        async with (
            opened("postgresql", DatabaseSettings(url=direct)),
            opened_pair(through, statement_seconds=1) as here,
            opened_pair(two_dsns[1]) as there,
        ):
            with pytest.raises(OutcomeUnknown):
                await award(here + there)
            assert here[0].metrics.transactions["unknown"] == 1
    finally:
        network.silent_at = b""
        network.cut()
        network.mend()

    async with opened_pair(direct, two_dsns[1]) as both:
        found = await recover(both)
        is_done = shown == "INSERT 0 2"  # it reached the server, and only the answer was lost
        expected = Settlement.COMMITTED if is_done else Settlement.ROLLED_BACK
        assert [one.settlement for one in found] == [expected] * 2
        assert (await stored(*both), await standing(*both)) == ([is_done] * 2, 0)


async def test_a_decided_transaction_is_kept_in_the_log_until_its_database_is_there(
    first: Database, stoppable_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DatabaseSettings(url=stoppable_postgres.create_database(), connect_seconds=1)
    async with opened("postgresql", settings) as away:
        halt = Halt(monkeypatch, "one committed")
        task = asyncio.create_task(award([first, away]))
        await halt.reached.wait()
        await asyncio.to_thread(stoppable_postgres.stop, "immediate")
        halt.go_on.set()
        with pytest.raises(CommitDelayed) as told:
            await task
        assert "recover" in (told.value.hint or "")
        (kept,) = await ask(first.settings.url, LOG)

        alone, together = await recover([first]), await recover([first, away])
        assert [one.name for one in alone] == [kept]
        assert {(one.name, one.settlement) for one in together} == {("", Settlement.LEFT), (kept, Settlement.LEFT)}
        assert await ask(first.settings.url, LOG) == [kept]

        await asyncio.to_thread(stoppable_postgres.start)
        recovered = await recover([first, away])
        assert [(one.name, one.settlement) for one in recovered] == [(kept, Settlement.COMMITTED)]
        assert await recover([first, away]) == []
        assert (await stored(first, away), await ask(first.settings.url, LOG)) == ([1, 1], [])


@pytest.mark.parametrize("step", ["one prepared", "both prepared"])
@pytest.mark.parametrize("coordinates", [True, False])
async def test_a_server_that_is_restarted_before_it_is_decided(
    first: Database,
    stoppable_postgres: PostgresServer,
    step: str,
    coordinates: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = DatabaseSettings(url=stoppable_postgres.create_database(), connect_seconds=5)
    async with opened("postgresql", settings) as restarted:
        both = [restarted, first] if coordinates else [first, restarted]
        halt = Halt(monkeypatch, step)
        task = asyncio.create_task(award(both))
        await halt.reached.wait()
        await asyncio.to_thread(stoppable_postgres.restart, "immediate")
        halt.go_on.set()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        await recover(both)

        is_done = outcome is None
        assert is_done or isinstance(outcome, ConnectionLost | OutcomeUnknown | CommitDelayed), outcome
        assert (await stored(*both), await standing(*both)) == ([is_done] * 2, 0)
        assert await ask(both[0].settings.url, LOG) == []


@pytest.mark.parametrize("coordinates", [True, False])
async def test_a_decision_is_neither_acted_on_nor_forgotten_before_the_standby_has_it(
    first: Database, stoppable_postgres: PostgresServer, coordinates: bool
) -> None:
    url = stoppable_postgres.create_database()
    async with opened("postgresql", DatabaseSettings(url=url, statement_seconds=1)) as one:
        both = [one, first] if coordinates else [first, one]
        await leave_decided(*(database.settings.url for database in both))
        decisions = await ask(both[0].settings.url, LOG)
        if not coordinates:
            (name,) = await ask(url, "SELECT gid FROM pg_prepared_xacts")
            await ask(url, f"COMMIT PREPARED '{name}'")  # which may have been, without waiting
        try:
            await asyncio.to_thread(stoppable_postgres.have_commits_wait_for, "away")

            found = await recover(both)

            assert Settlement.LEFT in {one.settlement for one in found}
            assert len(await ask(both[0].settings.url, LOG)) >= 1, "a standby that is promoted has it prepared still"
            assert (await standing(*both)) == (2 if coordinates else 0)
            assert set(await ask(both[0].settings.url, LOG)) <= set(decisions)
        finally:
            await asyncio.to_thread(stoppable_postgres.have_commits_wait_for, "")
        await recover(both)
        assert (await stored(*both), await standing(*both), await ask(both[0].settings.url, LOG)) == ([1, 1], 0, [])


async def test_what_another_schema_of_the_same_database_has_decided_is_left_to_its_own_log(two_dsns: list[str]) -> None:
    await ask(two_dsns[0], "CREATE SCHEMA beside")
    more = "&" if "?" in two_dsns[0] else "?"
    beside = DatabaseSettings(url=f"{two_dsns[0]}{more}search_path=beside")
    await leave_decided(*two_dsns)
    async with opened_pair(*two_dsns) as (here, there), opened("postgresql", beside) as another:
        found = await recover([another, there])
        assert {one.settlement for one in found} == {Settlement.LEFT}
        assert await standing(here, there) == 2

        await recover([here, there])
        assert (await stored(here, there), await standing(here, there)) == ([1, 1], 0)

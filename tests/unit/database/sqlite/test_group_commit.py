"""Group commit by itself: who shares a COMMIT, who is told what when something goes wrong."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from lapel.database.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseFull,
    NotConnected,
    StorageFailure,
    TransactionAborted,
)
from lapel.database.sqlite.driver import connect_stdlib
from lapel.database.sqlite.group_commit import GroupCommit


class Bench:
    """A writer on a file, whose COMMITs can be held up."""

    def __init__(self, file: Path, **options: float) -> None:
        self.file = str(file)
        file.touch()
        self.connection = connect_stdlib(self.file)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("CREATE TABLE IF NOT EXISTS t (x TEXT UNIQUE) STRICT")
        self.executor = ThreadPoolExecutor(1)
        self.writer = GroupCommit(self.connection, executor=self.executor, **options)  # type: ignore[arg-type]  # whole

    @contextmanager
    def commits_held(self) -> Iterator[None]:
        gate = threading.Event()
        self.executor.submit(gate.wait)
        try:
            yield
        finally:
            gate.set()

    async def unit(self, value: str, *, fails: bool = False) -> None:
        unit = await self.writer.enter()
        self.connection.execute("INSERT INTO t VALUES (?)", (value,))
        if fails:
            self.writer.abandon(unit)
        else:
            await self.writer.leave(unit)

    def stored(self) -> list[str]:
        with sqlite3.connect(self.file) as other:
            found = [value for (value,) in other.execute("SELECT x FROM t ORDER BY rowid")]
        other.close()
        return found


@asynccontextmanager
async def bench(folder: Path, **options: float) -> AsyncIterator[Bench]:
    made = Bench(folder / "t.sqlite", **options)
    try:
        yield made
    finally:
        await made.writer.close()
        made.executor.shutdown()
        made.connection.close()


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_while_a_commit_is_in_flight_the_next_units_gather_and_share_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        with made.commits_held():
            first = asyncio.create_task(made.unit("first"))
            await turns()
            rest = [asyncio.create_task(made.unit(str(number))) for number in range(50)]
            await turns()
            assert made.stored() == []
            assert not any(task.done() for task in (first, *rest))
            assert made.writer.waiting == 50
        await asyncio.gather(first, *rest)
        assert made.writer.commits == 2
        assert made.writer.units == 51
        assert made.stored() == ["first", *map(str, range(50))], "units run in the order in which they asked"


@pytest.mark.parametrize("gathered", [True, False])
async def test_the_commit_of_what_was_gathered_waits_for_nobody_else(tmp_path: Path, gathered: bool) -> None:
    async with bench(tmp_path) as made:
        unit = await made.writer.enter()
        made.connection.execute("INSERT INTO t VALUES ('a')")
        leaving = made.writer.leave(unit, gathered=gathered)
        leaving.send(None)  # as far as it comes without a turn of the event loop
        assert made.writer.busy is gathered  # a COMMIT is in flight, or somebody may still join
        leaving.close()
        while made.writer.commits == 0:
            await asyncio.sleep(0)
        assert made.stored() == ["a"]


@pytest.mark.parametrize(("options", "commits"), [({"max_group_size": 4}, 3), ({"max_group_seconds": 0.0}, 12)])
async def test_a_group_that_is_large_or_old_enough_takes_no_further_units(
    tmp_path: Path, options: dict[str, float], commits: int
) -> None:
    async with bench(tmp_path, **options) as made:
        with made.commits_held():
            first = asyncio.create_task(made.unit("first"))
            await turns()
            rest = [asyncio.create_task(made.unit(str(number))) for number in range(12)]
            await turns()
        await asyncio.gather(first, *rest)
        assert made.writer.commits == 1 + commits


async def test_who_has_finished_is_not_kept_waiting_by_those_who_keep_coming(tmp_path: Path) -> None:
    async with bench(tmp_path, max_group_size=8) as made:
        patient = asyncio.create_task(made.unit("patient"))
        coming: list[asyncio.Task[None]] = []
        while not patient.done():
            if len(coming) < 2_000:  # a COMMIT may take as long as thousands of turns
                coming += [asyncio.create_task(made.unit(f"{len(coming)}-{number}")) for number in range(4)]
            await asyncio.sleep(0)
        joined = made.stored()
        assert joined[0] == "patient"
        assert len(joined) <= 8
        await asyncio.gather(*coming)


async def test_a_unit_that_fails_hurts_no_neighbour(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        with made.commits_held():
            units = [asyncio.create_task(made.unit(str(number), fails=number % 2 == 1)) for number in range(6)]
            await turns()
        await asyncio.gather(*units)
        assert made.stored() == ["0", "2", "4"]


async def test_one_that_is_cancelled_in_the_queue_lets_the_next_one_pass(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        with made.commits_held():
            units = [asyncio.create_task(made.unit(str(number))) for number in range(4)]
            await turns()
            units[2].cancel()
            await turns()
        outcomes = await asyncio.gather(*units, return_exceptions=True)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [False, False, True, False]
        assert set(made.stored()) >= {"0", "1", "3"}


async def test_one_that_is_cancelled_as_its_turn_comes_gives_it_on(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        unit = await made.writer.enter()
        waiting = [asyncio.create_task(made.unit(str(number))) for number in range(3)]
        await turns()
        made.writer.abandon(unit)  # the first one's turn has come, and it has not run yet
        waiting[0].cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert made.stored() == ["1", "2"]


async def test_one_that_is_cancelled_during_the_commit_hears_of_it_when_its_work_is_durable(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        with made.commits_held():
            unit = asyncio.create_task(made.unit("kept"))
            await turns()
            for _ in range(3):
                unit.cancel()
                await turns()
            assert not unit.done()
            assert made.stored() == []
        with pytest.raises(asyncio.CancelledError):
            await unit
        assert made.stored() == ["kept"]


async def test_cancelled_waiters_take_no_place_in_the_queue(tmp_path: Path) -> None:
    async with bench(tmp_path, max_waiting=2) as made:
        unit = await made.writer.enter()
        for _ in range(5):
            waiting = [asyncio.create_task(made.unit("x")) for _ in range(2)]
            await turns()
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert made.writer.waiting == 0
        made.writer.abandon(unit)


async def test_too_many_waiting_are_turned_away_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, max_waiting=2) as made:
        unit = await made.writer.enter()
        waiting = [asyncio.create_task(made.unit(str(number))) for number in range(2)]
        await turns()
        with pytest.raises(DatabaseBusy):
            await made.unit("one too many")
        made.writer.abandon(unit)
        await asyncio.gather(*waiting)


async def test_a_hundred_thousand_writers_at_once_need_no_memory_but_for_those_who_may_wait(tmp_path: Path) -> None:
    async with bench(tmp_path, max_waiting=1_000, busy_seconds=300, max_unit_seconds=300) as made:
        unit = await made.writer.enter()
        waiting: set[asyncio.Task[None]] = set()
        refused = 0

        async def arrive(number: int) -> None:
            nonlocal refused
            arriving = [asyncio.create_task(made.unit(f"{number}-{one}")) for one in range(1_000)]
            await turns(2)
            waiting.update(task for task in arriving if not task.done())
            refused += sum(isinstance(task.exception(), DatabaseBusy) for task in arriving if task.done())

        for number in range(10):
            await arrive(number)
        tracemalloc.start()
        for number in range(10, 100):
            await arrive(number)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (refused, len(waiting), made.writer.waiting) == (99_000, 1_000, 1_000)
        assert kept < 1_000_000
        made.writer.abandon(unit)
        await asyncio.gather(*waiting)
        assert len(made.stored()) == 1_000


async def test_who_waits_too_long_is_turned_away_and_the_next_ones_wait_on(tmp_path: Path) -> None:
    async with bench(tmp_path, busy_seconds=0.1) as made:
        unit = await made.writer.enter()
        for _ in range(2):
            with pytest.raises(DatabaseBusy):
                await made.unit("late")
        made.writer.abandon(unit)
        await made.unit("in time")
        assert made.stored() == ["in time"]


async def test_a_unit_that_keeps_others_waiting_too_long_is_undone(tmp_path: Path) -> None:
    async with bench(tmp_path, max_unit_seconds=0.1) as made:
        unit = await made.writer.enter()
        made.connection.execute("INSERT INTO t VALUES ('hangs')")
        await made.unit("waits")
        with pytest.raises(ConnectionLost):
            made.writer.check(unit)
        with pytest.raises(ConnectionLost):
            await made.writer.leave(unit)
        made.writer.abandon(unit)  # no harm done to whoever is in now
        await made.unit("after")
        assert made.stored() == ["waits", "after"]


async def test_closing_turns_away_who_waits_and_keeps_what_was_done(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        with made.commits_held():
            done = asyncio.create_task(made.unit("done"))
            await turns()
            waiting = asyncio.create_task(made.unit("waiting"))
            await turns()
            closing = asyncio.create_task(made.writer.close())
            await turns()
            assert not closing.done()
            with pytest.raises(NotConnected):
                await waiting
        await asyncio.gather(done, closing)
        with pytest.raises(NotConnected):
            await made.unit("too late")
        assert made.stored() == ["done"]


async def test_closing_undoes_a_unit_that_hangs(tmp_path: Path) -> None:
    async with bench(tmp_path, busy_seconds=0.1) as made:
        unit = await made.writer.enter()
        made.connection.execute("INSERT INTO t VALUES ('hangs')")
        await made.writer.close()
        with pytest.raises(ConnectionLost):
            await made.writer.leave(unit)
        assert made.stored() == []


async def test_an_error_at_the_beginning_lets_the_next_one_in(tmp_path: Path) -> None:
    async with bench(tmp_path, busy_seconds=0.05) as made:
        other = connect_stdlib(made.file)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy, match="Another process"):
            await made.unit("kept out")
        waiting = asyncio.create_task(made.unit("cancelled"))
        await turns()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        other.execute("ROLLBACK")
        other.close()
        await made.unit("let in")
        assert made.stored() == ["let in"]


async def test_when_sqlite_rolls_everything_back_the_whole_group_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        with made.commits_held():
            first = asyncio.create_task(made.unit("first"))
            await turns()
        await first
        unit = await made.writer.enter()
        made.connection.execute("INSERT INTO t VALUES ('neighbour')")
        neighbour = asyncio.create_task(made.writer.leave(unit))
        unit = await made.writer.enter()
        with pytest.raises(sqlite3.IntegrityError):
            made.connection.execute("INSERT OR ROLLBACK INTO t VALUES ('first')")
        with pytest.raises(TransactionAborted):
            await made.writer.leave(unit)
        with pytest.raises(TransactionAborted):
            await neighbour
        await made.unit("after")
        assert made.stored() == ["first", "after"]


async def test_a_disk_that_is_full_fails_the_unit_and_not_what_was_committed(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        await made.unit("before")
        (pages,) = made.connection.execute("PRAGMA page_count").fetchone()
        made.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        unit = await made.writer.enter()
        with pytest.raises(sqlite3.OperationalError, match="full"):
            made.connection.execute("INSERT INTO t VALUES (?)", ("x" * 100_000,))
        made.writer.abandon(unit)
        await made.unit("after")
        assert made.stored() == ["before", "after"]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is full: nothing in this process may be written beyond `size` bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_commit_that_cannot_be_written_fails_all_of_its_group_each_with_an_error_of_its_own(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as made:
        await made.unit("before")
        size = Path(f"{made.file}-wal").stat().st_size
        with files_no_larger_than(size + 20_000):
            units = [asyncio.create_task(made.unit(str(number) * 50_000)) for number in range(3)]
            outcomes = await asyncio.gather(*units, return_exceptions=True)
        assert all(isinstance(outcome, DatabaseFull | StorageFailure) for outcome in outcomes)
        assert len(set(map(id, outcomes))) == 3
        assert made.stored() == ["before"]
        await made.unit("after")
        assert made.stored() == ["before", "after"]


async def test_an_io_error_in_the_middle_of_a_unit_leaves_nobody_with_a_lie(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.connection.execute("PRAGMA cache_size = 10")  # so that what is written goes to the file before the COMMIT
        await made.unit("before")
        size = Path(f"{made.file}-wal").stat().st_size
        unit = await made.writer.enter()
        made.connection.execute("INSERT INTO t VALUES ('neighbour')")
        neighbour = asyncio.create_task(made.writer.leave(unit))
        await asyncio.sleep(0)
        unit = await made.writer.enter()
        with files_no_larger_than(size + 20_000), pytest.raises(sqlite3.OperationalError):
            made.connection.execute("INSERT INTO t VALUES (?)", ("x" * 500_000,))
        made.writer.abandon(unit)
        (outcome,) = await asyncio.gather(neighbour, return_exceptions=True)
        assert made.stored() == (["before", "neighbour"] if outcome is None else ["before"])
        await made.unit("after")
        assert made.stored()[-1] == "after"


async def test_a_system_without_a_thread_to_spare_commits_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with bench(tmp_path) as made:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            await asyncio.gather(*(made.unit(str(number)) for number in range(3)))
        await made.unit("after")
        assert made.stored() == ["0", "1", "2", "after"]

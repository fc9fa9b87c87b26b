"""Asking a database whether it is there: one question for all who ask at the same time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from lapel.database.connection_manager import backoff
from lapel.database.errors import NotConnected
from lapel.database.health import Answer, ConnectionState
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.connection_manager import SqliteConnectionManager

SLOW = 0.05
"""Seconds that one answer takes here, as over a long line: a second has room for twenty, one after another."""


class Distant(SqliteConnectionManager):
    """A database at the end of a long line."""

    questions = 0
    silent = False
    failing = False

    async def _ask(self) -> Answer:
        self.questions += 1
        if self.failing:
            raise LookupError
        await asyncio.sleep(SLOW)
        if self.silent:
            await asyncio.Event().wait()
        return await super()._ask()


async def test_however_many_ask_at_once_the_database_is_not_taken_for_away(tmp_path: Path) -> None:
    manager = Distant(DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite"))
    await manager.connect()
    try:
        answers = await asyncio.gather(*(manager.ask() for _ in range(500)))
        assert len(set(map(id, answers))) == 1
        assert manager.questions <= 3
        assert manager.state is ConnectionState.CONNECTED
    finally:
        await manager.disconnect()


async def test_each_is_told_of_the_silence_by_an_error_of_its_own(tmp_path: Path) -> None:
    manager = Distant(DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite"))
    await manager.connect()
    try:
        manager.silent = True
        errors = await asyncio.gather(*(manager.ask() for _ in range(20)), return_exceptions=True)
        assert Counter(map(type, errors)) == {NotConnected: 20}
        assert len(set(map(id, errors))) == 20
        assert manager.state is ConnectionState.DEGRADED
    finally:
        await manager.disconnect()


async def test_closing_ends_the_question_and_who_asks_is_told(tmp_path: Path) -> None:
    tasks = asyncio.all_tasks()
    manager = Distant(DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite"))
    await manager.connect()
    asking = asyncio.create_task(manager.ask())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await manager.disconnect()
    with pytest.raises(NotConnected):
        await asking
    assert asyncio.all_tasks() == tasks


async def test_who_asks_and_is_cancelled_takes_the_answer_from_nobody(tmp_path: Path) -> None:
    manager = Distant(DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite"))
    await manager.connect()
    try:
        first, second = asyncio.create_task(manager.ask()), asyncio.create_task(manager.ask())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).server_version.startswith("SQLite")
    finally:
        await manager.disconnect()


async def test_an_error_that_nobody_expects_does_not_end_the_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lapel.database.connection_manager._PROBE_EVERY_SECONDS", 0.01)
    manager = Distant(DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite"))
    await manager.connect()
    try:
        manager.failing = True
        async with asyncio.timeout(60):
            while manager.questions < 3:
                await asyncio.sleep(0.01)
        assert manager.state is ConnectionState.CONNECTED
    finally:
        await manager.disconnect()


def test_pauses_grow_to_a_limit_and_no_two_who_lost_the_same_take_the_same() -> None:
    longest = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    for attempt, most in enumerate(longest):
        pauses = {backoff(attempt) for _ in range(100)}
        assert len(pauses) > 90
        assert most / 2 <= min(pauses) <= max(pauses) <= most
    assert backoff(10_000) <= 2.0


def test_a_pause_leaves_the_random_numbers_of_others_as_they_are() -> None:
    """They may be seeded, to be the same in every run; processes forked from one would take the same pauses."""
    before = random.getstate()
    backoff(1)
    assert random.getstate() == before

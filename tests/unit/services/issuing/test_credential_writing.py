"""Credentials issued at one moment are stored together, and none fails for its neighbour."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.errors import ForeignKeyViolation, NotConnected
from lapel.database.interface import Database
from lapel.errors import Unavailable
from lapel.services.issuing.credential_writing import CredentialWriting
from tests.unit.services.server import OWNER


async def test_each_is_there_when_its_write_returns(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)

    async def write(index: int) -> None:
        credential = scene.credential(index)
        await writing.write(credential, OWNER)
        assert await database.read().credentials.find(credential.id) == credential

    await asyncio.gather(*(write(index) for index in range(100)))


async def test_many_share_a_transaction(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)
    await asyncio.gather(*(writing.write(scene.credential(index), OWNER) for index in range(100)))
    assert database.metrics.count("credentials.create_many") < 10


async def test_one_that_cannot_be_stored_fails_alone(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)
    good = [scene.credential(index) for index in range(20)]
    bad = replace(scene.credential(99), issuer_id=samples.new_id())

    outcomes = await asyncio.gather(
        *(writing.write(credential, OWNER) for credential in [*good[:10], bad, *good[10:]]), return_exceptions=True
    )

    assert isinstance(outcomes[10], ForeignKeyViolation)
    assert [outcome for outcome in outcomes if outcome is not None] == [outcomes[10]]
    for credential in good:
        assert await database.read().credentials.find(credential.id) == credential


async def test_one_whose_caller_goes_away_takes_nobody_with_it(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)
    credentials = [scene.credential(index) for index in range(10)]
    tasks = [asyncio.ensure_future(writing.write(credential, OWNER)) for credential in credentials]
    await asyncio.sleep(0)
    tasks[3].cancel()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes[3], asyncio.CancelledError)
    assert [outcome for outcome in outcomes if outcome is not None] == [outcomes[3]]


async def test_with_the_database_away_everybody_is_told(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)
    await database.disconnect()
    outcomes = await asyncio.gather(
        *(writing.write(scene.credential(index), OWNER) for index in range(10)), return_exceptions=True
    )
    assert all(isinstance(outcome, NotConnected) for outcome in outcomes)
    with pytest.raises(NotConnected):
        await writing.write(scene.credential(99), OWNER)


_FOR_EVER = "lapel.services.issuing.credential_writing._MAX_GATHERING", 3600.0


async def test_a_batch_waits_until_as_many_are_there_as_are_being_made(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*_FOR_EVER)
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)
    made = [asyncio.Event() for _ in range(4)]

    async def make(index: int) -> None:
        with writing:
            await made[index].wait()
        await writing.write(scene.credential(index), OWNER)

    tasks = [asyncio.ensure_future(make(index)) for index in range(4)]
    await asyncio.sleep(0)
    made[0].set()
    await asyncio.sleep(0.01)
    before = database.metrics.count("credentials.create_many")
    made[1].set()
    await asyncio.gather(*tasks[:2])
    assert before == 0
    assert database.metrics.count("credentials.create_many") == 1

    # The last two: where one comes to nothing the other waits for it no longer.
    made[2].set()
    await asyncio.sleep(0)
    tasks[3].cancel()
    await tasks[2]


async def test_it_does_not_wait_long(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)
    with writing, writing:
        await writing.write(scene.credential(1), OWNER)


class Unforeseen(Exception):
    """What no layer has thought of."""


async def test_an_unforeseen_error_reaches_its_own_batch_and_the_next_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)

    async def fail(*_: object, **__: object) -> None:
        raise Unforeseen

    with monkeypatch.context() as patched:
        patched.setattr("lapel.database.repositories.credentials.SqlCredentialRepository.create", fail)
        with pytest.raises(Unforeseen):
            await writing.write(scene.credential(1), OWNER)
    credential = scene.credential(2)
    await writing.write(credential, OWNER)
    assert await database.read().credentials.find(credential.id) == credential


async def test_nobody_is_left_waiting_when_the_writer_is_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await samples.set_scene(database)
    writing = CredentialWriting(database)

    async def end(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    bad = replace(scene.credential(99), issuer_id=samples.new_id())  # so that each is tried for itself
    monkeypatch.setattr("lapel.database.repositories.credentials.SqlCredentialRepository.create", end)
    tasks = [
        asyncio.ensure_future(writing.write(one, OWNER)) for one in (scene.credential(1), scene.credential(2), bad)
    ]

    _, left = await asyncio.wait(tasks, timeout=1)

    assert not left
    assert all(isinstance(task.exception(), Unavailable) for task in tasks)

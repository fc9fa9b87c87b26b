"""`Database.run`: transactions that lost a race are retried, and nothing is done twice that must not be."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from lapel.database import interface
from lapel.database.conformance import samples
from lapel.database.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseError,
    DeadlineExceeded,
    Deadlock,
    InvalidValue,
    NotConnected,
    OutcomeUnknown,
    QueryTimeout,
    SerializationFailure,
    TransactionAborted,
)
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.ports import Isolation

__all__ = ["RunRules"]


class RunRules:
    async def test_it_answers_what_the_body_does_once_that_is_committed(self, database: Database) -> None:
        issuer = samples.issuer()

        async def body(tx: DatabaseTransaction) -> str:
            await tx.issuers.create(issuer)
            return "done"

        assert await database.run(body) == "done"
        assert await database.read().issuers.get(issuer.id) == issuer

    @pytest.mark.parametrize("error", [Deadlock, SerializationFailure, TransactionAborted, ConnectionLost])
    async def test_a_transaction_that_lost_a_race_is_retried(
        self, database: Database, error: type[DatabaseError]
    ) -> None:
        issuer = samples.issuer()
        attempts: list[int] = []

        async def body(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            await tx.issuers.create(issuer)  # would fail if the first attempt had been committed
            if len(attempts) < 3:
                raise error

        await database.run(body)
        assert attempts == [1, 2, 3]
        assert await database.read().issuers.get(issuer.id) == issuer

    @pytest.mark.parametrize(
        "error", [OutcomeUnknown, InvalidValue, NotConnected, DatabaseBusy, QueryTimeout, DeadlineExceeded, ValueError]
    )
    async def test_an_unknown_outcome_or_a_rejected_transaction_is_not_retried(
        self, database: Database, error: type[Exception]
    ) -> None:
        attempts: list[int] = []

        async def body(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            raise error

        with pytest.raises(error):
            await database.run(body)
        assert attempts == [1]

    async def test_an_unknown_outcome_is_retried_if_idempotent(self, database: Database) -> None:
        issuer = samples.issuer()
        attempts: list[int] = []

        async def body(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            if await tx.issuers.find(issuer.id) is None:
                await tx.issuers.create(issuer)
            if len(attempts) == 1:
                raise OutcomeUnknown

        await database.run(body, idempotent=True)
        assert attempts == [1, 2]

    @pytest.mark.parametrize("error", [NotConnected, DatabaseBusy, QueryTimeout, ConnectionLost])
    async def test_an_unknown_outcome_is_not_hidden_by_the_next_error(
        self, database: Database, error: type[DatabaseError]
    ) -> None:
        async def body(tx: DatabaseTransaction) -> None:
            raise OutcomeUnknown if tx.attempt == 1 else error

        with pytest.raises(OutcomeUnknown):
            await database.run(body, idempotent=True, deadline=1)

    async def test_it_is_bounded_and_an_error_says_which_attempt_it_was(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = samples.api_key()
        attempts: list[int] = []

        async def body(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            await tx.api_keys.create(key)
            if len(attempts) < 3:
                raise Deadlock
            await tx.api_keys.create(key)

        with pytest.raises(DatabaseError) as caught:
            await database.run(body)
        assert caught.value.context is not None
        assert caught.value.context.attempt == len(attempts) == 3

        async def never(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            raise Deadlock

        attempts.clear()
        monkeypatch.setattr(interface, "backoff", _no_pause)
        with pytest.raises(Deadlock):
            await database.run(never)
        assert 3 <= len(attempts) <= 10

    async def test_one_deadline_is_for_all_attempts(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        attempts: list[int] = []

        async def never(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            await asyncio.sleep(0.2)
            raise Deadlock

        async def waits(tx: DatabaseTransaction) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(interface, "backoff", _no_pause)
        with pytest.raises((Deadlock, DeadlineExceeded)):
            await database.run(never, deadline=0.5)
        assert len(attempts) <= 3  # ten, if the deadline applied to each attempt
        with pytest.raises(DeadlineExceeded):
            await database.run(waits, deadline=0.1)

    async def test_two_that_lock_crosswise_both_come_through(self, database: Database) -> None:
        """A real deadlock, if the database locks single rows. Where writers take turns, there can be none."""
        async with database.transaction() as tx:
            for name in ("x", "y"):
                await tx.server_facts.put_if_absent(name, b"")
        attempts: list[int] = []
        both = asyncio.Barrier(2)

        async def cross(tx: DatabaseTransaction, first: str, second: str) -> None:
            attempts.append(tx.attempt)
            await _lengthen(tx, first)
            if tx.attempt == 1 and database.capabilities.concurrent_writers:
                await both.wait()
            await _lengthen(tx, second)

        await asyncio.gather(
            *(
                database.run(partial(cross, first=first, second=second), isolation=Isolation.SERIALIZABLE)
                for first, second in ("xy", "yx")
            )
        )
        found = [await database.read().server_facts.find(name) for name in ("x", "y")]
        assert found == [b"++", b"++"]
        assert (len(attempts) > 2) is database.capabilities.concurrent_writers


def _no_pause(attempt: int) -> float:
    return 0.0


async def _lengthen(tx: DatabaseTransaction, name: str) -> None:
    await tx.server_facts.replace(name, (await tx.server_facts.find(name) or b"") + b"+")

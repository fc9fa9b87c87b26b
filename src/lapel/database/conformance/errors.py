"""Failures raise `lapel.database.errors`, with the operation's context and without stored values."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.errors import (
    CheckViolation,
    ConstraintViolation,
    DatabaseError,
    ForeignKeyViolation,
    InvalidValue,
    NotNullViolation,
    ReadOnlyDatabase,
    UniqueViolation,
    WrongSchema,
)
from lapel.database.interface import Database
from lapel.database.statement import Statement
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.access import ApiKey
from lapel.domain.achievement import Achievement
from lapel.errors import Conflict

__all__ = ["ErrorRules"]

Break = Callable[[DatabaseTransaction], Awaitable[object]]
VALUE = "hunter2"
"""Part of the stored values. It must not appear in any error."""


def _key() -> ApiKey:
    return replace(samples.api_key(VALUE), name=VALUE)


async def _twice(tx: DatabaseTransaction) -> None:
    key = _key()
    await tx.api_keys.create(key)
    await tx.api_keys.create(replace(key, id=samples.new_id()))


def _achievement() -> Achievement:
    return replace(samples.achievement(samples.new_id()), name=VALUE)


async def _without_issuer(tx: DatabaseTransaction) -> None:
    await tx.achievements.create(_achievement())


async def _without_description(tx: DatabaseTransaction) -> None:
    owner = samples.issuer()
    await tx.issuers.create(owner)
    await tx.achievements.create(replace(_achievement(), issuer_id=owner.id, description=None))  # deliberately wrong


async def _of_no_kind(tx: DatabaseTransaction) -> None:
    await tx.api_keys.create(replace(_key(), role=VALUE))  # deliberately wrong


async def _many_twice(tx: DatabaseTransaction) -> None:
    owner = samples.issuer()
    await tx.issuers.create(owner)
    credential = replace(samples.credential(owner.id), status_reason=VALUE)
    await tx.credentials.create_many([credential, credential])


def _texts(error: BaseException) -> str:
    """Return all texts of the error, without its cause."""
    notes = getattr(error, "__notes__", [])
    return f"{error} {error!r} {getattr(error, 'detail', '')} {getattr(error, 'hint', '')} {notes}"


class ErrorRules:
    @pytest.mark.parametrize(
        ("break_it", "expected", "operation", "entity"),
        [
            (_twice, UniqueViolation, "api_keys.create", "API key"),
            (_many_twice, UniqueViolation, "credentials.create_many", "credential"),
            (_without_issuer, ForeignKeyViolation, "achievements.create", "achievement"),
            (_without_description, NotNullViolation, "achievements.create_version", "achievement"),
            (_of_no_kind, CheckViolation, "api_keys.create", "API key"),
        ],
    )
    async def test_a_violated_constraint_is_reported_with_the_entity_and_the_operation(
        self, database: Database, break_it: Break, expected: type[ConstraintViolation], operation: str, entity: str
    ) -> None:
        with pytest.raises(expected) as caught:
            async with database.transaction() as tx:
                await break_it(tx)
        error = caught.value
        assert isinstance(error, Conflict)
        assert entity in error.detail
        assert error.context is not None
        assert (error.context.operation, error.context.entity) == (operation, entity)
        assert error.context.transaction_id == tx.id
        assert error.__cause__ is not None
        assert VALUE not in _texts(error)
        if database.capabilities.names_constraints:
            assert error.constraint

    async def test_a_table_that_is_not_there_is_a_wrong_schema(self, database: Database) -> None:
        for missing in (
            sa.select(sa.table("nowhere", sa.column("x")).c.x),
            sa.select(sa.table("api_keys", sa.column("nowhere")).c.nowhere),
        ):
            with pytest.raises(WrongSchema) as caught:
                async with database.transaction() as tx:
                    await tx.fetch_all(Statement(missing), {})
            assert caught.value.hint is not None
            assert "migrate" in caught.value.hint
            assert caught.value.__cause__ is not None

    async def test_a_write_where_only_reading_is_allowed(self, database: Database) -> None:
        with pytest.raises(ReadOnlyDatabase) as caught:
            async with database.transaction(read_only=True) as tx:
                await tx.api_keys.create(_key())
        assert caught.value.context is not None
        assert caught.value.context.transaction_id == tx.id
        assert "read_only" in (caught.value.hint or "")
        assert VALUE not in _texts(caught.value)

    async def test_a_value_of_another_type_is_refused_and_says_so(self, database: Database) -> None:
        wrong: Sequence[Break] = (
            lambda tx: tx.server_facts.put_if_absent(5, b""),  # type: ignore[arg-type]  # wrong on purpose
            lambda tx: tx.issuers.create(replace(samples.issuer(), created_at="today")),  # as above
        )
        for put in wrong:
            with pytest.raises(InvalidValue, match=r"needed here, not (int|str)"):
                async with database.transaction() as tx:
                    await put(tx)

    async def test_a_level_that_there_is_not_is_refused(self, database: Database) -> None:
        with pytest.raises(InvalidValue, match="isolation"):
            database.transaction(isolation="snapshot")  # type: ignore[arg-type]  # wrong on purpose

    async def test_an_error_outside_a_transaction_says_so(self, database: Database) -> None:
        with pytest.raises(DatabaseError) as caught:
            await database.read().server_facts.find(f"{VALUE}\x00")
        assert caught.value.context is not None
        assert caught.value.context.transaction_id is None
        assert VALUE not in _texts(caught.value)

    async def test_an_error_at_the_beginning_says_so(self, database: Database) -> None:
        await database.disconnect()
        with pytest.raises(DatabaseError) as caught:
            async with database.transaction():
                pass
        assert caught.value.context is not None
        assert caught.value.context.operation == "transaction.begin"

    async def test_one_error_of_many_at_once_is_each_ones_own(self, database: Database) -> None:
        key = _key()

        async def work() -> None:
            async with database.transaction() as tx:
                await tx.api_keys.create(key)

        outcomes = await asyncio.gather(*(work() for _ in range(8)), return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, UniqueViolation)]
        assert len(errors) == 7
        assert len({error.context.transaction_id for error in errors if error.context}) == 7

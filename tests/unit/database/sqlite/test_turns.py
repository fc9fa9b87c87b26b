"""What takes long on SQLite leaves the event loop to others: in a thread, or by giving them their turn."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import ConnectionLost
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.module import SqliteDatabase
from lapel.domain.audit import Action
from lapel.domain.credential import CredentialStatus
from lapel.domain.identifiers import NIL_ID
from lapel.domain.listing import CredentialFilter
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened
from tests.support.work import turns_given

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAGE: dict[str, Any] = {"before": None, "limit": 20}

NARROWED = {
    "recipient and issuer": CredentialFilter(recipient_lookup=b"1", issuer_id=NIL_ID),
    "recipient and status": CredentialFilter(recipient_lookup=b"1", status=CredentialStatus.REVOKED),
    "recipient by validity": CredentialFilter(recipient_lookup=b"1", valid_since=NOW),
    "status": CredentialFilter(status=CredentialStatus.ACTIVE),
    "time of issue": CredentialFilter(created_since=NOW),
    "issuer by validity": CredentialFilter(issuer_id=NIL_ID, valid_before=NOW),
}
"""No index serves all that is asked for."""


class Listing:
    """A database, and the threads in which its snapshots have read from a table."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database = database
        self.read: list[tuple[str, threading.Thread]] = []

    async def watch(self) -> None:
        reader: Any = await self.database.manager.check_out_reader()
        assert isinstance(reader, sqlite3.Connection)
        reader.set_trace_callback(lambda sql: self.read.append((sql, threading.current_thread())))
        self.database.manager.check_in_reader(reader)  # the next snapshot takes it again

    def threads(self, table: str) -> list[threading.Thread]:
        return [thread for sql, thread in self.read if f"FROM {table}" in sql]


@pytest.fixture
async def listing(tmp_path: Path) -> AsyncIterator[Listing]:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        assert isinstance(database, SqliteDatabase)
        made = Listing(database)
        await made.watch()
        yield made


@pytest.mark.parametrize("filters", NARROWED.values(), ids=NARROWED)
async def test_a_list_that_no_index_serves_is_read_in_a_thread(listing: Listing, filters: CredentialFilter) -> None:
    await listing.database.read().credentials.page(DEFAULT_ORGANISATION_ID, filters, **PAGE)

    assert len(listing.threads("credentials")) == 1
    assert threading.main_thread() not in listing.threads("credentials")


async def test_so_is_an_audit_log_that_is_narrowed_twice(listing: Listing) -> None:
    await listing.database.read().audit_log.page(
        DEFAULT_ORGANISATION_ID, actor="command-line", action=Action.CREDENTIAL_REVOKED, **PAGE
    )

    assert len(listing.threads("audit_log")) == 1
    assert threading.main_thread() not in listing.threads("audit_log")


async def test_what_an_index_serves_is_read_at_once(listing: Listing) -> None:
    filters = CredentialFilter(issuer_id=NIL_ID)
    await listing.database.read().credentials.page(DEFAULT_ORGANISATION_ID, filters, **PAGE)

    assert listing.read == []


async def test_others_have_their_turn_while_many_rows_are_looked_up_changed_and_stored(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        scene = await samples.set_scene(database)
        many = [samples.credential(scene.issuer.id) for _ in range(640)]
        ids = [each.id for each in many]
        turns = []
        async with database.transaction() as tx:
            turns.append(await turns_given(tx.credentials.create_many(many)))
            turns.append(await turns_given(tx.credentials.find_many(ids, lock=True)))
            revoking = tx.credentials.change_status(ids, status=CredentialStatus.REVOKED, reason=None, changed_at=NOW)
            turns.append(await turns_given(revoking))

        assert min(turns) >= 640 / 64


async def test_rows_of_a_transaction_that_was_rolled_back_meanwhile_are_not_stored(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        assert isinstance(database, SqliteDatabase)
        scene = await samples.set_scene(database)
        writer = database.manager.writer
        many = [samples.credential(scene.issuer.id) for _ in range(640)]

        async def evict() -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            writer.max_unit_seconds = 0.0
            async with database.transaction():  # waits for its turn, which makes the other one too late
                pass

        async def store() -> None:
            async with database.transaction() as tx:
                evicting = asyncio.create_task(evict())
                try:
                    await tx.credentials.create_many(many)
                finally:
                    await evicting

        with pytest.raises(ConnectionLost):
            await store()

        assert await database.read().credentials.find_many([each.id for each in many]) == []

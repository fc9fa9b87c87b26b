"""The whole application, opened and closed."""

from __future__ import annotations

import base64

import pytest

from lapel.bootstrap import build
from lapel.config import Settings
from lapel.database.errors import WrongSchema
from lapel.database.health import ConnectionState


async def test_what_cannot_be_closed_leaves_nothing_else_open(monkeypatch: pytest.MonkeyPatch) -> None:
    key = base64.urlsafe_b64encode(bytes(range(32))).decode()
    application = build(Settings.model_validate({"sqlite_file": ":memory:", "master_key": key}))
    await application.start()

    async def fails() -> None:
        raise OSError("no way")

    monkeypatch.setattr(application.general_path, "close", fails)
    with pytest.raises(OSError, match="no way"):
        await application.stop()
    assert application.database.manager.state is ConnectionState.DISCONNECTED


async def test_a_database_without_tables_is_refused_and_what_it_lacks_is_named(postgres_dsn: str) -> None:
    application = build(Settings.model_validate({"database_url": postgres_dsn, "master_key": "6b1f0c9d" * 8}))
    try:
        with pytest.raises(WrongSchema, match=r"migrations to run: 0001, 0002, .*\d{4}\.$"):
            await application.start()
    finally:
        await application.stop()

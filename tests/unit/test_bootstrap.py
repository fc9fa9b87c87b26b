"""The whole application, opened and closed."""

from __future__ import annotations

import base64

import pytest

from lapel.bootstrap import build
from lapel.config import Settings
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

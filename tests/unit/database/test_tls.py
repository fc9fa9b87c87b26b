"""What is wrong with TLS to PostgreSQL and does not heal is told at once, and not tried as long as patience lasts."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from lapel.database.errors import DatabaseError, InvalidValue
from lapel.database.interface import DatabaseSettings
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.setting_tiers import SettingRefused
from tests.unit.fetching.local_server import certificate


async def refusal(url: str) -> str:
    """What is told of an address by somebody who would try for an hour."""
    async with asyncio.timeout(60):
        with pytest.raises(SettingRefused) as caught:
            await PostgresqlDatabase(DatabaseSettings(url=url, connect_seconds=3_600)).connect()
    assert "sslmode" in (caught.value.hint or "")
    return str(caught.value)


@asynccontextmanager
async def encrypting(context: ssl.SSLContext | None) -> AsyncIterator[str]:
    """The address of what begins TLS as a PostgreSQL server does, once; without a context it declines."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.recv(8)
                connection.sendall(b"N" if context is None else b"S")
                if context is not None:
                    context.wrap_socket(connection, server_side=True).close()

        serving = asyncio.create_task(asyncio.to_thread(serve))
        yield f"postgresql://lapel@127.0.0.1:{listening.getsockname()[1]}/lapel"
        await serving


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey"])
async def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    certificate(tmp_path, "127.0.0.1")
    files = {"sslrootcert": "server.pem", "sslcert": "server.pem", "sslkey": "server.pem", name: "missing.pem"}
    asked = "&".join(f"{key}={tmp_path / file}" for key, file in files.items())

    told = await refusal(f"postgresql://lapel@127.0.0.1:1/lapel?sslmode=verify-full&{asked}")

    assert re.search(rf"TLS .* DATABASE_URL .*: {name}: .*No such file .*missing\.pem", told)


async def test_a_file_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", "/no/such/root.crt")
    assert "/no/such/root.crt" in await refusal("postgresql://lapel@127.0.0.1:1/lapel?sslmode=verify-ca")


async def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # who may read everything but a folder
        (tmp_path / "root.crt").mkdir()
    else:
        (tmp_path / "root.crt").touch(mode=0)
    told = await refusal(f"postgresql://lapel@127.0.0.1:1/lapel?sslmode=verify-full&sslrootcert={tmp_path}/root.crt")
    assert "root.crt" in told


async def test_a_file_that_holds_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "root.crt").write_text("none")
    told = await refusal(f"postgresql://lapel@127.0.0.1:1/lapel?sslmode=verify-full&sslrootcert={tmp_path}/root.crt")
    assert "TLS cannot be had as DATABASE_URL asks for it" in told


async def test_a_server_that_shows_another_certificate(tmp_path: Path) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    for folder in (ours, others):
        folder.mkdir()
    certificate(ours, "127.0.0.1")
    theirs, _ = certificate(others, "127.0.0.1")
    async with encrypting(theirs) as url:
        told = await refusal(f"{url}?sslmode=verify-full&sslrootcert={ours / 'server.pem'}")
    assert "certificate verify failed" in told.lower()


async def test_a_server_without_tls() -> None:
    async with encrypting(None) as url:
        assert "rejected SSL upgrade" in await refusal(f"{url}?sslmode=require")


async def test_a_server_that_is_not_there_yet_is_tried_again_whatever_its_files(tmp_path: Path) -> None:
    certificate(tmp_path, "127.0.0.1")
    url = f"postgresql://lapel@127.0.0.1:1/lapel?sslmode=verify-full&sslrootcert={tmp_path / 'server.pem'}"
    with pytest.raises(DatabaseError) as caught:
        await PostgresqlDatabase(DatabaseSettings(url=url, connect_seconds=0.1)).connect()
    assert caught.value.retryable


@pytest.mark.parametrize("where", ["h:99999/x", "h:port/x", "/x?port=99999", "/x?host=a,b&port=1,port"])
def test_a_port_that_is_none(where: str) -> None:
    with pytest.raises(InvalidValue, match=r"^DATABASE_READ_URL is not a PostgreSQL URL"):
        PostgresqlDatabase(DatabaseSettings(url="postgresql://h/x", read_url=f"postgresql://{where}"))

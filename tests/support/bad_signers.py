"""Outside signers that do not what they should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["listening", "silent"]

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(path: Path, talk: Talk) -> AsyncIterator[None]:
    """A socket whose every connection is handed to `talk`, and ended when that returns."""

    talks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(reader, writer)
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            talks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_unix_server(one, path)
    try:
        yield
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        while talks:
            await asyncio.sleep(0)


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Reads and says nothing."""
    while await reader.read(65_536):
        pass

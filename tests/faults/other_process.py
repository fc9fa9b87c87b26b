"""A process that changes what others may have kept, on demand: a line in is a change, a line out its moment.

In: ``rename ISSUER NAME``, ``rename-achievement ACHIEVEMENT NAME``, ``revoke API-KEY``. Out: the monotonic clock, which
all processes of a machine share, when the change was known to be committed. With ``mute`` it notifies where nobody
listens.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import structlog
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql import change_feed
from lapel.errors import PreconditionFailed, Unavailable
from tests.support.databases import opened

__all__ = ["OtherProcess", "main", "other_process"]

REPOSITORY = Path(__file__).resolve().parents[2]


class OtherProcess:
    """The process, as those see it who start it."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running

    def change(self, *command: object) -> float:
        """Carry `command` out. When it was committed, by ``time.monotonic``."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(" ".join(map(str, command)) + "\n")
        self._running.stdin.flush()
        return float(self._running.stdout.readline())


@contextmanager
def other_process(module: str, settings: DatabaseSettings, *, mute: bool = False) -> Iterator[OtherProcess]:
    """The process, running on that database."""
    where = settings.url or str(settings.sqlite_file)
    arguments = [sys.executable, "-m", "tests.faults.other_process", module, where, "mute" if mute else "tell"]
    with subprocess.Popen(
        arguments, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield OtherProcess(running)
        finally:
            assert running.stdin is not None
            running.stdin.close()


async def _carry_out(database: Database, command: str, about: UUID, name: str) -> None:
    async with database.transaction() as tx:
        if command == "revoke":
            await tx.api_keys.revoke(about, at=samples.MOMENT)
        elif command == "rename":
            issuer = await tx.issuers.get(about)
            changed = replace(issuer, name=name, version=issuer.version + 1)
            await tx.issuers.update(changed, expected_version=issuer.version)
        else:
            achievement = await tx.achievements.get(about)
            new = replace(achievement, name=name, version=achievement.version + 1)
            await tx.achievements.update(new, expected_version=achievement.version)


async def main(module: str, where: str, telling: str) -> None:
    """Run as told by the command line."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if telling == "mute":
        change_feed._CHANNEL = "nowhere"
    settings = DatabaseSettings(url=where) if "://" in where else DatabaseSettings(sqlite_file=where)
    async with opened(module, settings) as database:
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, about, *name = line.split()
            while True:
                try:
                    await _carry_out(database, command, UUID(about), " ".join(name))
                except (PreconditionFailed, Unavailable):  # the first process was faster, or the database is away
                    await asyncio.sleep(0.02)
                    continue
                break
            print(time.monotonic(), flush=True)  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))

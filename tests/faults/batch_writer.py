"""A process that issues batches until it is killed, and names each one once it is told that it is stored."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator

from lapel.bootstrap import Application, build, start_settings
from lapel.cli.running import OPERATOR
from lapel.services.requests import NewCredential, RecipientInput

__all__ = ["IN_BATCH", "main"]

IN_BATCH = 40
_AT_ONCE = 4


async def _issue_for_ever(application: Application, achievement: str, name: str, numbers: Iterator[int]) -> None:
    recipient = RecipientInput(type="email", identity="somebody@example.org")
    for number in numbers:
        narrative = f"{name} {number}"
        batch = [NewCredential(achievement=achievement, recipient=recipient, narrative=narrative)] * IN_BATCH
        await application.services.batches.issue(OPERATOR, {f"/{number}": one for number, one in enumerate(batch)})
        os.write(1, f"{narrative}\n".encode())


async def main(achievement: str, name: str) -> None:
    """Issue batches of the achievement, several at once; the narratives of each are `name` and its number."""
    async with build(start_settings(min_log_level="warning")) as application:
        await application.start()
        numbers = itertools.count(1)
        await asyncio.gather(*(_issue_for_ever(application, achievement, name, numbers) for _ in range(_AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A process that copies one database into another, and says on its output how far it has come."""

from __future__ import annotations

import asyncio
import os
import sys

from lapel.bootstrap import open_database, start_settings
from lapel.config import load_settings
from lapel.credentials.jsonld import Contexts
from lapel.domain.clock import system_clock
from lapel.maintenance.copying import copy, parse_address

__all__ = ["main"]


class _Aloud:
    """`lapel.maintenance.copying.Progress`."""

    def between(self, source: str, target: str) -> None:
        self._say("connected", 0)

    def begin(self, doing: str, rows: int) -> None:
        self._doing, self._done = doing, 0
        self._say(doing, 0)

    def advance(self, rows: int) -> None:
        self._done += rows
        self._say(self._doing, self._done)

    @staticmethod
    def _say(doing: str, rows: int) -> None:
        os.write(1, f"{doing} {rows}\n".encode())


async def main(source: str, target: str) -> None:
    """Copy; both are named as for `lapel db copy`."""
    start_settings(min_log_level="error")  # its output is ours alone
    taken, given = (load_settings(parse_address(text, {}).settings({})) for text in (source, target))
    both = open_database(taken, make=False), open_database(given, serves=True)
    await copy(*both, contexts=Contexts.bundled(), clock=system_clock, progress=_Aloud())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

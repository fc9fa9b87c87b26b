"""A process whose children coordinate distributed transactions, and kill themselves at a step or are killed.

In: a line ``STEP FIRST SECOND``, with the addresses of two databases; STEP is one of `two_databases.STEPS` with
underscores, or ``for-ever``. Out: a line with the child's process id, once it is dead unless it goes on for ever.
The names of what children were told is committed go to the file that the command line names, a line each.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from typing import Any

import structlog
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.two_phase.distributed import distributed
from tests.support.two_databases import STEPS, opened_pair

__all__ = ["main"]


def _dying_after(step: str) -> None:
    """Have this process killed after that step."""
    kind, name, which = STEPS[step]
    method, calls = getattr(kind, name), itertools.count(1)

    async def dying(*given: Any, **named: Any) -> Any:
        result = await method(*given, **named)
        if next(calls) == which:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(kind, name, dying)


async def _act(step: str, first: str, second: str, told: int) -> None:
    async with opened_pair(first, second, pool_max=2) as databases:
        for number in itertools.count(1):
            name = f"{os.getpid()}-{number}"
            async with distributed(*databases) as transactions:
                for tx in transactions:
                    await tx.issuers.create(replace(samples.issuer(), name=name))
            os.write(told, f"{name}\n".encode())
            if step != "for-ever":
                return


def main(file: str) -> None:
    """Fork a child for each line of standard input, and wait for it unless it goes on for ever."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for line in sys.stdin:
        step, first, second = line.split()
        child = os.fork()
        if child == 0:
            if step != "for-ever":
                _dying_after(step.replace("_", " "))
            told = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            asyncio.run(_act(step, first, second, told))
            os._exit(0)
        if step != "for-ever":
            os.waitpid(child, 0)
        print(child, flush=True)  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main(sys.argv[1])

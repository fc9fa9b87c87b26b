"""A process of our own that does one kind of work, as it is told on its standard input: `python -m MODULE`."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final

__all__ = ["start_worker"]

# Nothing else of the environment: it may hold the master key, and a worker may read strangers' documents.
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")


async def start_worker(module: str, *, limit: int = 2**16, talks_over: socket.socket | None = None) -> Process:
    """Start `module`. Whoever starts it ends it.

    Args:
        limit: bytes of its output that are kept before they are read.
        talks_over: both its input and its output; two pipes without one.

    Raises:
        OSError: it cannot be started.
    """
    channel = PIPE if talks_over is None else talks_over.fileno()
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        stdin=channel,
        stdout=channel,
        stderr=DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        limit=limit,
    )

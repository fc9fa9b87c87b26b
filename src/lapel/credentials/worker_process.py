"""Starts worker processes (`python -m MODULE`), which receive their work on standard input."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final

__all__ = ["start_worker"]

# The rest of the environment is withheld: it may contain the master key, and workers may parse untrusted documents.
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")


async def start_worker(module: str, *, limit: int = 2**16, channel: socket.socket | None = None) -> Process:
    """Start `module` in a process that the caller has to end.

    Args:
        limit: how many bytes of its output are buffered.
        channel: a socket for both its input and its output, instead of two pipes.

    Raises:
        OSError: it cannot be started.
    """
    stream = PIPE if channel is None else channel.fileno()
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        stdin=stream,
        stdout=stream,
        stderr=DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        limit=limit,
    )

"""Looking up host names, in dedicated threads so that a slow name server delays nothing but fetching."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from lapel.domain.fetching import FetchFailed

__all__ = ["Resolver", "SystemResolver"]


class Resolver(Protocol):
    """Turns a host name into addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the IP addresses of `host` (lower-case ASCII) in order of preference.

        Raises:
            FetchFailed: there are none, or the look-up failed.
        """
        ...

    def close(self) -> None: ...


class SystemResolver:
    """The operating system's resolver. Its look-ups cannot be stopped, so at most `threads` run at once."""

    def __init__(self, *, threads: int = 8) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="lapel-resolver")

    async def resolve(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        try:
            addresses = await loop.run_in_executor(self._executor, _look_up, host)
        except (OSError, UnicodeError) as error:
            raise FetchFailed(f"The host {host} could not be found.") from error
        return list(dict.fromkeys(addresses))

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> list[str]:
    return [str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]

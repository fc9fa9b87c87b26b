"""Looking up names, in threads of its own: a slow name server shall hold up nothing but fetching."""

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
        """The IP addresses of `host` (lower-case ASCII), the preferred first.

        Raises:
            FetchFailed: there are none, or they could not be found out.
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
            found = await loop.run_in_executor(self._executor, _look_up, host)
        except (OSError, UnicodeError) as error:
            raise FetchFailed(f"The host {host} could not be found.") from error
        return list(dict.fromkeys(found))

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]

"""Several servers in one DATABASE_URL, and which of them is the one to use.

All are asked at once, so that one that is gone, or only just starting, keeps nobody from another. The driver asks one
after the other, and would wait for a silent one until the time for all is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias
from urllib.parse import parse_qs, unquote

import asyncpg

from lapel.database.postgresql.errors import DRIVER_ERRORS

__all__ = ["Host", "LoneConnection", "hosts_of", "newest"]

LoneConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Host: TypeAlias = tuple[str, int]
_Tried: TypeAlias = tuple[Host, LoneConnection]

_OTHERS_SECONDS = 0.25  # for which one that is found waits for the others
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"


def hosts_of(url: str) -> Sequence[Host]:
    """The servers that a PostgreSQL URL names, in its order; none where it leaves that to the driver."""
    rest, _, query = url.partition("://")[2].partition("?")
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    named = rest.partition("/")[0].rpartition("@")[2]
    ports = [int(port) for port in asked.get("port", "5432").split(",")]
    found = []
    for number, host in enumerate(filter(None, (unquote(named) or asked.get("host", "")).split(","))):
        name, colon, port = host.rpartition(":")
        if host.startswith("/") or not colon or host.endswith("]"):
            name, port = host, ""
        found.append((name.strip("[]"), int(port or ports[min(number, len(ports) - 1)])))
    return found


async def newest(
    hosts: Sequence[Host], connect: Callable[[Host], Awaitable[LoneConnection]]
) -> tuple[Host, LoneConnection]:
    """That one of these servers to which `connect` makes a connection, and the connection.

    If it makes several, there are two primaries: the one that was promoted last, which has the newest timeline, has
    taken the other one's place.

    Raises:
        Exception: the driver's, of the last one that has failed.
    """

    async def tried(host: Host) -> _Tried:
        return host, await connect(host)

    tries = [asyncio.ensure_future(tried(host)) for host in hosts]
    found: list[_Tried] = []
    chosen, failure = None, None
    try:
        try:
            async with asyncio.timeout(None) as limit:
                for trying in asyncio.as_completed(tries):
                    try:
                        found.append(await trying)
                        limit.reschedule(asyncio.get_running_loop().time() + _OTHERS_SECONDS)
                    except DRIVER_ERRORS as error:
                        failure = error
        except TimeoutError:
            pass  # whoever has not answered by now is not waited for
        if not found:
            raise failure or TimeoutError
        timelines = [await _timeline(connection) for _, connection in found] if len(found) > 1 else [""]
        chosen = found[timelines.index(max(timelines))]
        return chosen
    finally:
        for one in tries:
            _leave(one, chosen)


async def _timeline(connection: LoneConnection) -> str:
    """The newer the greater; nothing of a standby, nor where timelines are unknown."""
    try:
        return str(await connection.fetchval(_TIMELINE))
    except DRIVER_ERRORS:
        return ""


def _leave(trying: asyncio.Future[_Tried], chosen: _Tried | None) -> None:
    def ended(tried: asyncio.Future[_Tried]) -> None:
        if not tried.cancelled() and tried.exception() is None and tried.result() is not chosen:
            tried.result()[1].terminate()

    trying.cancel()
    trying.add_done_callback(ended)

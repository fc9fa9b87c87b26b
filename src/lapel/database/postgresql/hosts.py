"""What a DATABASE_URL says: what may be shown of it, its servers, and which of several is the one to use.

All are asked at once, so that one that is gone, or only just starting, keeps nobody from another. The driver asks one
after the other, and would wait for a silent one until the time for all is over.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote

import asyncpg

from lapel.database.errors import InvalidValue
from lapel.database.postgresql.errors import DRIVER_ERRORS

__all__ = ["Host", "LoneConnection", "hosts_of", "masked", "newest", "tls_problem"]

LoneConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Host: TypeAlias = tuple[str, int]
_Tried: TypeAlias = tuple[Host, LoneConnection]

# A password with a bare @, / or ? in it would be read as something else, and be shown: it does not match.
_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^:/?#]*)(?P<password>:[^/?#]*)?(?P<at>@))?"
    r"(?P<hosts>[^/?@]*)(?P<database>/[^?@]*)?(?:\?(?P<query>[^@]*))?"
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/]*)(?::(?P<port>\d*))?")
_LAST_PORT = 65_535
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SHOWN = {
    *("host", "port", "user", "dbname", "database", "passfile", "service", "target_session_attrs", "application_name"),
    *("sslmode", *_TLS_FILES),
}
_OTHERS_SECONDS = 0.25  # for which one that is found waits for the others
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"


def masked(url: str, setting: str = "DATABASE_URL") -> str:
    """`url` without what may be secret: its password, and every parameter that is not known to be none.

    Raises:
        InvalidValue: it is no PostgreSQL URL; the error names the setting that it comes from, and does not repeat it.
    """
    parts = _parts(url, setting)
    pairs = [pair.partition("=") for pair in parts["query"].split("&") if pair]
    shown = "&".join(f"{key}={value}" if key.lower() in _SHOWN else f"{key}=***" for key, _, value in pairs)
    whose = f"{parts['user']}{':***' if parts['password'] else ''}{parts['at']}"
    return f"{parts['scheme']}{whose}{parts['hosts']}{parts['database']}{'?' if shown else ''}{shown}"


def hosts_of(url: str) -> Sequence[Host]:
    """The servers that a PostgreSQL URL names, in its order; none where it leaves that to the driver."""
    parts = _parts(url)
    asked = dict(parse_qsl(parts["query"]))
    ports = [int(port) for port in asked.get("port", "5432").split(",")]
    found = []
    for number, host in enumerate(filter(None, (unquote(parts["hosts"]) or asked.get("host", "")).split(","))):
        name, colon, port = host.rpartition(":")
        if host.startswith("/") or not colon or host.endswith("]"):
            name, port = host, ""
        found.append((name.strip("[]"), int(port or ports[min(number, len(ports) - 1)])))
    return found


def tls_problem(error: OSError, url: str) -> str | None:
    """Why TLS is not had as `url` asks for it, where trying again would not help; None where it is no matter of that.

    The driver says of a file that it cannot read everything but its name.
    """
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        asked = dict(parse_qsl(_parts(url)["query"]))
        for name in _TLS_FILES:
            try:
                if file := asked.get(name) or os.environ.get(f"PG{name.upper()}"):
                    Path(file).open("rb").close()
            except OSError as unreadable:
                return f"{name}: {unreadable}"
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return str(error)
    return str(error) if "rejected SSL upgrade" in str(error) else None


def _parts(url: str, setting: str = "DATABASE_URL") -> Mapping[str, str]:
    found = _URL.fullmatch(url)
    hosts = [] if found is None else [_HOST.fullmatch(host) for host in found["hosts"].split(",")]
    asked = "" if found is None else dict(parse_qsl(found["query"] or "")).get("port", "")
    ports = [*(host["port"] for host in hosts if host), *asked.split(",")]
    if found is None or not all(hosts) or not all(map(_is_port, ports)):
        raise InvalidValue(
            f"{setting} is not a PostgreSQL URL.",
            hint="It looks like postgresql://user:password@host:5432/database; in a password, write @ / ? # as"
            " %40 %2F %3F %23.",
        )
    return found.groupdict("")


def _is_port(text: str | None) -> bool:
    return not text or (text.isdecimal() and int(text) <= _LAST_PORT)


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
        with suppress(TimeoutError):  # whoever has not answered by now is not waited for
            async with asyncio.timeout(None) as limit:
                for trying in asyncio.as_completed(tries):
                    try:
                        found.append(await trying)
                        limit.reschedule(asyncio.get_running_loop().time() + _OTHERS_SECONDS)
                    except DRIVER_ERRORS as error:
                        failure = error
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

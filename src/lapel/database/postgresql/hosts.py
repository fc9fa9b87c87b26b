"""PostgreSQL URLs: masking their secrets, listing their servers, and finding the primary among several.

All servers are tried at the same time, so that one that is down or starting does not delay the others. The driver
itself tries them in turn, and could spend the whole timeout on one that does not answer.
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
_Attempt: TypeAlias = tuple[Host, LoneConnection]

# A password with an unescaped @, / or ? does not match: it would be misread, and shown in part.
_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^:/?#@]*)(?P<password>:[^/?#@]*)?(?P<at>@))?"
    r"(?P<hosts>[^/?@]*)(?P<database>/[^?@]*)?(?:\?(?P<query>[^@]*))?"
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/]*)(?::(?P<port>\d*))?")
_LAST_PORT = 65_535
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SHOWN = {
    *("host", "port", "user", "dbname", "database", "passfile", "service", "target_session_attrs", "application_name"),
    *("sslmode", *_TLS_FILES),
}
_WAIT_FOR_OTHERS_SECONDS = 0.25
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"


def masked(url: str, setting: str = "DATABASE_URL") -> str:
    """Return `url` without its password, and without every parameter that is not known to be public.

    Raises:
        InvalidValue: it is not a PostgreSQL URL. The error names the setting and does not contain the URL.
    """
    parts = _parts(url, setting)
    pairs = [pair.partition("=") for pair in parts["query"].split("&") if pair]
    shown = "&".join(f"{key}={value}" if key.lower() in _SHOWN else f"{key}=***" for key, _, value in pairs)
    user = f"{parts['user']}{':***' if parts['password'] else ''}{parts['at']}"
    return f"{parts['scheme']}{user}{parts['hosts']}{parts['database']}{'?' if shown else ''}{shown}"


def hosts_of(url: str) -> Sequence[Host]:
    """Return the servers that a PostgreSQL URL names, in order; none if it leaves the choice to the driver."""
    parts = _parts(url)
    query = dict(parse_qsl(parts["query"]))
    ports = [int(port) for port in query.get("port", "5432").split(",")]
    hosts = []
    for number, host in enumerate(filter(None, (unquote(parts["hosts"]) or query.get("host", "")).split(","))):
        name, colon, port = host.rpartition(":")
        if host.startswith("/") or not colon or host.endswith("]"):
            name, port = host, ""
        hosts.append((name.strip("[]"), int(port or ports[min(number, len(ports) - 1)])))
    return hosts


def tls_problem(error: OSError, url: str) -> str | None:
    """Return why TLS fails as `url` requests it, if retrying would not help; None for other errors.

    Names a file that cannot be read, which the driver's message does not.
    """
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        query = dict(parse_qsl(_parts(url)["query"]))
        for name in _TLS_FILES:
            try:
                if file := query.get(name) or os.environ.get(f"PG{name.upper()}"):
                    Path(file).open("rb").close()
            except OSError as unreadable:
                return f"{name}: {unreadable}"
    is_final = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return str(error) if is_final or "rejected SSL upgrade" in str(error) else None


def _parts(url: str, setting: str = "DATABASE_URL") -> Mapping[str, str]:
    match = _URL.fullmatch(url)
    hosts = [] if match is None else [_HOST.fullmatch(host) for host in match["hosts"].split(",")]
    query_ports = "" if match is None else dict(parse_qsl(match["query"] or "")).get("port", "")
    ports = [*(host["port"] for host in hosts if host), *query_ports.split(",")]
    if match is None or not all(hosts) or not all(map(_is_port, ports)):
        raise InvalidValue(
            f"{setting} is not a PostgreSQL URL.",
            hint="It looks like postgresql://user:password@host:5432/database; in a password, write @ / ? # as"
            " %40 %2F %3F %23.",
        )
    return match.groupdict("")


def _is_port(text: str | None) -> bool:
    return not text or (text.isdecimal() and int(text) <= _LAST_PORT)


async def newest(
    hosts: Sequence[Host], connect: Callable[[Host], Awaitable[LoneConnection]]
) -> tuple[Host, LoneConnection]:
    """Return the server that `connect` succeeds for, and the connection.

    If it succeeds for several, there are two primaries. The one with the newest timeline was promoted last and has
    replaced the other.

    Raises:
        Exception: the driver's last error.
    """

    async def attempt(host: Host) -> _Attempt:
        return host, await connect(host)

    attempts = [asyncio.ensure_future(attempt(host)) for host in hosts]
    successes: list[_Attempt] = []
    chosen, failure = None, None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as timeout:
                for completed in asyncio.as_completed(attempts):
                    try:
                        successes.append(await completed)
                        timeout.reschedule(asyncio.get_running_loop().time() + _WAIT_FOR_OTHERS_SECONDS)
                    except DRIVER_ERRORS as error:
                        failure = error
        if not successes:
            raise failure or TimeoutError
        timelines = [await _timeline(connection) for _, connection in successes] if len(successes) > 1 else [""]
        chosen = successes[timelines.index(max(timelines))]
        return chosen
    finally:
        for each in attempts:
            _close_unless_chosen(each, chosen)


async def _timeline(connection: LoneConnection) -> str:
    """Return the timeline, which sorts by age; empty for a standby or if it is unknown."""
    try:
        return str(await connection.fetchval(_TIMELINE))
    except DRIVER_ERRORS:
        return ""


def _close_unless_chosen(attempt: asyncio.Future[_Attempt], chosen: _Attempt | None) -> None:
    def close(done: asyncio.Future[_Attempt]) -> None:
        if not done.cancelled() and done.exception() is None and done.result() is not chosen:
            done.result()[1].terminate()

    attempt.cancel()
    attempt.add_done_callback(close)

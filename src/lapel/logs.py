"""Structured logs: one pipeline for Lapel's own lines and those of uvicorn, Alembic and every other library.

A line has an event and fields. A request's id, which `lapel.http.frame` binds, is on every line that is written while
the request is handled. Whatever looks like a secret is masked, wherever it comes from.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import IO, Final, Literal
from uuid import UUID

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from lapel.errors import LapelError

__all__ = ["AccessLog", "configure_logging", "mask_secrets", "reason_of"]

_MASK: Final = "***"
_SECRET_NAMES = re.compile(
    r"(authorization|cookie|password|passwd|secret|token|(api|admin|master|private)[_-]?key|dsn|database_?url)(?!_id\b)",
    re.IGNORECASE,
)
_SECRET_TEXTS = (
    # the password in a URL (RFC 3986, 3.2.1), and one that is given as a parameter
    (re.compile(r"(?<=://)([^\s:/@?#]*):[^\s/]*@"), rf"\1:{_MASK}@"),
    (re.compile(r"\b(password|passwd|secret|token|api_?key)=[^\s&,;)]+", re.IGNORECASE), rf"\1={_MASK}"),
    # credentials of HTTP (RFC 9110, 11.4)
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {_MASK}"),
)
# Line breaks and terminal sequences in a stranger's text must not look like lines of ours.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_MAX_DEPTH = 6
_WARNINGS_PER_WINDOW: Final = 30
_WINDOW_SECONDS: Final = 60.0
_encode = msgspec.json.Encoder().encode


class _Handler(logging.StreamHandler[IO[str]]):
    """Lapel's own handler: its class tells it from handlers that others (a test runner) have put on the root logger."""


def configure_logging(
    *,
    level: Literal["debug", "info", "warning", "error", "critical"] = "info",
    form: Literal["console", "json"] = "console",
    stream: IO[str] | None = None,
) -> None:
    """Set up logging for the whole process; a second call replaces the first.

    uvicorn has to run with ``log_config=None``.

    Args:
        level: the lowest level that is written.
        form: text for people, or one JSON object per line for machines.
        stream: standard error by default, so that a command's output stays clean.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _without_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Plain tracebacks: those with local variables would print the secrets in them.
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _LimitedWarnings(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers are made at import, before this is called
    )
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_console(colours=out.isatty() and not os.environ.get("NO_COLOR")) if form == "console" else (_json,)),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _Handler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    _configure_library_loggers(root.level)


def _configure_library_loggers(level: int) -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name in ("httpcore", "httpx", "asyncio"):  # at debug they log every packet
        logging.getLogger(name).setLevel(max(logging.WARNING, level))
    # asyncpg's pool logs each attempt to connect with a traceback; our own line says that PostgreSQL is away.
    logging.getLogger("asyncpg").setLevel(logging.NOTSET if level <= logging.DEBUG else logging.ERROR)
    logging.captureWarnings(True)


class _LimitedWarnings:
    """A structlog processor that drops warnings with the same event and code beyond a number per minute.

    While the database is away every request causes a warning, and a bad hour must not fill the disk.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}  # the start of the minute, and the count since then

    def __call__(self, _logger: WrappedLogger, method: str, fields: EventDict) -> EventDict:
        if method != "warning":
            return fields
        kind = str(fields["event"]), str(fields.get("code"))
        now = monotonic()
        since, seen = self._seen.get(kind, (now, 0))
        if now - since > _WINDOW_SECONDS:
            if seen > _WARNINGS_PER_WINDOW:
                fields["left_out_before"] = seen - _WARNINGS_PER_WINDOW
            since, seen = now, 0
        self._seen[kind] = since, seen + 1
        if seen >= _WARNINGS_PER_WINDOW:
            raise structlog.DropEvent
        return fields


class AccessLog:
    """Writes a line for each request, in the format of all other lines.

    It does not use their pipeline, which takes ten times as long. Its masking and escaping are not needed here: nothing
    in these lines comes from a stranger.

    Args:
        stream: standard error by default.
    """

    def __init__(self, form: Literal["console", "json"], *, stream: IO[str] | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._render = _access_as_json if form == "json" else _access_for_people

    def __call__(
        self,
        *,
        request_id: str,
        method: str,
        route: str,
        status: int,
        seconds: float,
        organisation: UUID | None,
        actor: str | None,
    ) -> None:
        """Write the line.

        Args:
            request_id: letters, digits and ``._-`` only.
            route: the template of the path (``/v3/issuers/{issuer_id}``).
            organisation: the caller's organisation; None if the request was not authenticated.
            actor: the caller's id, which is no name and no address; None if the request was not authenticated.
        """
        line = _AccessLine(
            event="request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            request_id=request_id,
            organisation=msgspec.UNSET if organisation is None else organisation,
            actor=msgspec.UNSET if actor is None else actor,
            logger="lapel.access",
            level="info",
            timestamp=datetime.now(UTC),
        )
        with suppress(OSError, ValueError):  # the reader is gone, which is no reason to fail a request
            self._stream.write(self._render(line))
            self._stream.flush()


class _AccessLine(msgspec.Struct, frozen=True):
    event: str
    method: str
    route: str
    status: int
    ms: float
    request_id: str
    organisation: UUID | msgspec.UnsetType
    actor: str | msgspec.UnsetType
    logger: str
    level: str
    timestamp: datetime


def mask_secrets(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Replace secrets by asterisks, as a structlog processor: by a field's name, or by what a text contains."""
    return {name: _masked(name, value, 0) for name, value in fields.items()}


def _masked(name: str, value: object, depth: int) -> object:
    if name.startswith("_") or value is None or isinstance(value, bool | int | float):
        return value  # structlog's own data, or a value that cannot hold a secret
    if _SECRET_NAMES.search(name):
        return _MASK
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        return {str(key): _masked(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < _MAX_DEPTH:
        return [_masked("", inner, depth + 1) for inner in value]
    text = f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    # Half a surrogate pair cannot be encoded as UTF-8, and no line may be lost because of one.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def reason_of(error: LapelError) -> str | None:
    """Return the text of the error's cause (a driver's or the system's), with secrets masked; None if it has none."""
    cause = str(error.__cause__ or "")
    return str(mask_secrets(None, "", {"reason": cause})["reason"]) or None


def _without_colours(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    fields.pop("color_message", None)  # uvicorn's second copy of every message
    return fields


def _json(_logger: WrappedLogger, _method: str, fields: EventDict) -> str:
    return msgspec.json.encode(fields, enc_hook=str).decode("utf-8")


def _access_as_json(line: _AccessLine) -> str:
    return _encode(line).decode("utf-8") + "\n"


def _access_for_people(line: _AccessLine) -> str:
    time = line.timestamp.isoformat().removesuffix("+00:00")
    caller = "" if line.actor is msgspec.UNSET else f" organisation={line.organisation} actor={line.actor}"
    return (
        f"{time}Z [info     ] request                        [lapel.access] method={line.method} route={line.route}"
        f" status={line.status} ms={line.ms} request_id={line.request_id}{caller}\n"
    )


def _console(*, colours: bool) -> tuple[Processor, ...]:
    return _printable, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)


def _printable(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    return {
        name: _escaped(value, _CONTROL_IN_LINES if name in ("exception", "stack") else _CONTROL)
        for name, value in fields.items()
    }


def _escaped(value: object, control: re.Pattern[str]) -> object:
    if not isinstance(value, str):
        return value
    return control.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), value)

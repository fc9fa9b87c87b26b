"""The health of a database: its state, its connections, and the result of a real query."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, to_builtins

from lapel.domain.json import JsonValue

__all__ = ["Answer", "ConnectionState", "DatabaseHealth", "PoolStatus", "Reconnection", "StandbyHealth"]


class ConnectionState(StrEnum):
    """The state of a connection manager."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "degraded"
    CLOSING = "closing"


class PoolStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """The state of this process's connections."""

    size: int
    idle: int
    in_use: int
    waiting: int
    maximum: int


class Reconnection(Struct, frozen=True, kw_only=True, rename="camel"):
    """The attempts to reach a database that was lost.

    Attributes:
        since: when it was lost.
        attempt: the number of attempts since then.
        next_try: when the next attempt is due.
        last_error: the error of the last attempt, without secrets.
    """

    since: datetime
    attempt: int
    next_try: datetime
    last_error: str


class Answer(Struct, frozen=True):
    """A database's answer to a probe.

    Attributes:
        revision: the schema's revision; None if there is no schema yet.
    """

    server_version: str
    revision: str | None


class StandbyHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """The health of the standby for reads, as shown by a real query.

    Attributes:
        ok: whether it shows everything that is committed; if not, the primary answers all reads.
        detail: why it does not.
    """

    ok: bool
    state: ConnectionState
    pool: PoolStatus
    reconnection: Reconnection | None
    detail: str | None


class DatabaseHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """The health of a database, as shown by a real query.

    Attributes:
        ok: whether the database answered.
        latency_ms: the duration of the query; None without an answer.
        revision: the schema's revision; None if there is no schema or no answer.
        migrated: whether that is this code's revision; None without an answer.
        reconnection: the attempts to reach the database while it is lost.
        open_transactions: the number of this process's open transactions.
        detail: what went wrong, without secrets.
        standby: the health of the standby for reads; None if none is configured.
    """

    ok: bool
    module: str
    state: ConnectionState
    checked_at: datetime
    latency_ms: float | None
    server_version: str | None
    revision: str | None
    migrated: bool | None
    pool: PoolStatus
    open_transactions: int
    reconnection: Reconnection | None = None
    detail: str | None = None
    standby: StandbyHealth | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the JSON form for ``/health/ready`` and ``lapel db status``."""
        members: dict[str, JsonValue] = to_builtins(self)
        return members

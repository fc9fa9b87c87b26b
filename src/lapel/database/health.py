"""What a database tells of itself: its state, its connections, and what a query showed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, to_builtins

from lapel.domain.json import JsonValue

__all__ = ["Answer", "ConnectionState", "DatabaseHealth", "PoolStatus", "Reconnection", "StandbyHealth"]


class ConnectionState(StrEnum):
    """Where a connection manager stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "degraded"
    CLOSING = "closing"


class PoolStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """The connections of this process."""

    size: int
    idle: int
    in_use: int
    waiting: int
    maximum: int


class Reconnection(Struct, frozen=True, kw_only=True, rename="camel"):
    """A database that is looked for.

    Attributes:
        since: since when it is away.
        attempt: how often it has been tried since then.
        next_try: when it is tried next.
        last_error: what was wrong at the last try, without secrets.
    """

    since: datetime
    attempt: int
    next_try: datetime
    last_error: str


class Answer(Struct, frozen=True):
    """What a database has answered when it was asked whether it is there.

    Attributes:
        revision: of its schema; None where there is none yet.
    """

    server_version: str
    revision: str | None


class StandbyHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a real query has just shown of the standby that reads may be answered from.

    Attributes:
        ok: it shows all that is committed; else the primary answers everything.
        detail: why not.
    """

    ok: bool
    state: ConnectionState
    pool: PoolStatus
    reconnection: Reconnection | None
    detail: str | None


class DatabaseHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a real query has just shown.

    Attributes:
        ok: the database answered.
        latency_ms: how long the answer took; None without one.
        revision: of the schema; None where there is none, or no answer.
        migrated: it is this code's revision; None without an answer.
        reconnection: how it is being looked for, while it is away.
        open_transactions: those of this process.
        detail: what went wrong, without secrets.
        standby: where reads may be answered too; None without one.
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
        """For ``/health/ready`` and ``lapel db status``."""
        told: dict[str, JsonValue] = to_builtins(self)
        return told

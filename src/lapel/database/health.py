"""What a database tells of itself: its state, its connections, its schema, and what a query has just shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lapel.domain.json import JsonValue

__all__ = ["Answer", "ConnectionState", "DatabaseHealth", "MigrationStatus", "PoolStatus", "Reconnection"]


class ConnectionState(StrEnum):
    """Where a connection manager stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "degraded"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """The connections of this process."""

    size: int
    idle: int
    in_use: int
    waiting: int
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """Where the database's schema stands.

    Attributes:
        current: the revision of the database; None where there is none yet.
        head: the revision of this code.
        pending: revisions still to be run, in order.
    """

    current: str | None
    head: str
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnection:
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

    def to_json(self) -> dict[str, JsonValue]:
        """For ``lapel db status``."""
        return {
            "since": self.since.isoformat(),
            "attempt": self.attempt,
            "nextTry": self.next_try.isoformat(),
            "lastError": self.last_error,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a database has answered when it was asked whether it is there."""

    server_version: str
    schema: MigrationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """What a real query has just shown.

    Attributes:
        ok: the database answered.
        latency_ms: how long the answer took; None without one.
        schema: where it stands; None without an answer.
        reconnection: how it is being looked for, while it is away.
        open_transactions: those of this process.
        detail: what went wrong, without secrets.
    """

    ok: bool
    module: str
    state: ConnectionState
    checked_at: datetime
    latency_ms: float | None
    server_version: str | None
    schema: MigrationStatus | None
    pool: PoolStatus
    open_transactions: int
    reconnection: Reconnection | None = None
    detail: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """For ``/health/ready`` and ``lapel db status``."""
        return {
            "ok": self.ok,
            "module": self.module,
            "state": self.state.value,
            "checkedAt": self.checked_at.isoformat(),
            "latencyMs": self.latency_ms,
            "serverVersion": self.server_version,
            "schema": {"current": self.schema.current, "pending": list(self.schema.pending)} if self.schema else None,
            "pool": {
                "size": self.pool.size,
                "idle": self.pool.idle,
                "inUse": self.pool.in_use,
                "waiting": self.pool.waiting,
                "maximum": self.pool.maximum,
            },
            "openTransactions": self.open_transactions,
            "reconnection": self.reconnection.to_json() if self.reconnection else None,
            "detail": self.detail,
        }

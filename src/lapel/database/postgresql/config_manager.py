"""The session parameters of all connections to PostgreSQL, read back on each new connection."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
import structlog

from lapel.database.interface import DatabaseSettings
from lapel.database.setting_tiers import Setting, Tier, check_settings

__all__ = ["APPLICATION_NAME", "SessionConfiguration"]

_log = structlog.get_logger("lapel.database")

APPLICATION_NAME = "lapel"
_REFUSED_HINT = "Connect to PostgreSQL itself, or teach the pooler before it to pass session parameters on."
_IN_FORCE = "SELECT name, setting FROM pg_settings WHERE name = ANY($1)"
# With a synchronous standby, acknowledged commits must be on its disk.
_WITH_STANDBY = Setting("synchronous_commit", None, Tier.IMPORTANT, good=("on", "remote_apply"))
_CONNECTIONS_OUTSIDE_POOL = 2  # the probe and the change feed


class SessionConfiguration:
    """The run-time parameters of sessions. Times are in milliseconds.

    Attributes:
        parameters: what each connection requests when it starts.
        in_force: the values that the newest connection has read back.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        limits = {
            "statement_timeout": settings.statement_seconds,
            "lock_timeout": settings.lock_seconds,
            "idle_in_transaction_session_timeout": settings.idle_in_transaction_seconds,
        }
        self.settings = (
            Setting("client_encoding", "UTF8", Tier.CRITICAL),
            Setting("TimeZone", "UTC", Tier.IMPORTANT),
            *(Setting(name, str(round(seconds * 1000)), Tier.IMPORTANT) for name, seconds in limits.items()),
            Setting("application_name", APPLICATION_NAME, Tier.OPTIONAL),
            Setting("client_min_messages", "warning", Tier.OPTIONAL),
            # The statements are short: compiling them would take longer than running them.
            Setting("jit", "off", Tier.OPTIONAL),
            # Only checked. With any of these off, a crash of the server's machine can lose acknowledged commits.
            Setting("fsync", None, Tier.IMPORTANT, good=("on",)),
            Setting("full_page_writes", None, Tier.IMPORTANT, good=("on",)),
            Setting("synchronous_commit", None, Tier.IMPORTANT, good=("on", "local", "remote_write", "remote_apply")),
            Setting("synchronous_standby_names", None, Tier.OPTIONAL),
            Setting("server_encoding", None, Tier.IMPORTANT, good=("UTF8",)),  # others cannot encode all names
        )
        self.parameters = {setting.name: setting.value for setting in self.settings if setting.value is not None}
        self.in_force: Mapping[str, str] = self.parameters
        self._pool_max = settings.pool_max
        self._warned: set[str] = set()

    async def check(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Read back the parameters on a new connection, because a pooler may have dropped them.

        Raises:
            SettingRefused: a critical parameter is not in force.
        """
        limits = ("max_connections", "superuser_reserved_connections", "reserved_connections")
        names = [*(setting.name for setting in self.settings), *limits]
        in_force: dict[str, str] = {row["name"]: row["setting"] for row in await connection.fetch(_IN_FORCE, names)}
        room = int(in_force.pop(limits[0])) - sum(int(in_force.pop(limit, 0)) for limit in limits[1:])
        self.in_force = in_force
        rules = (*self.settings, _WITH_STANDBY) if in_force.get("synchronous_standby_names") else self.settings
        check_settings(rules, in_force, hint=_REFUSED_HINT, warned=self._warned)
        if self._pool_max + _CONNECTIONS_OUTSIDE_POOL > room and limits[0] not in self._warned:
            self._warned.add(limits[0])
            _log.warning("DB_POOL_MAX is more than the server has room for", pool_max=self._pool_max, room=room)

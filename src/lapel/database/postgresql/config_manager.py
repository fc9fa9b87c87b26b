"""Session-level configuration: every connection of the pool starts with it, and each reads back what is in force."""

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
# Where a standby is to have what was acknowledged, on its disk.
_WITH_STANDBY = Setting("synchronous_commit", None, Tier.IMPORTANT, good=("on", "remote_apply"))
_OURS_BESIDES_THE_POOL = 2  # one asks whether the server is there, one hears of changes


class SessionConfiguration:
    """PostgreSQL's run-time parameters for our sessions. Times are in milliseconds.

    Attributes:
        parameters: what each connection asks for when it starts.
        in_force: what the newest connection has read back.
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
            # Our statements are short; compiling them takes longer than running them.
            Setting("jit", "off", Tier.OPTIONAL),
            # Not ours to set. With any of them off, a crash of the server's machine takes what was acknowledged.
            Setting("fsync", None, Tier.IMPORTANT, good=("on",)),
            Setting("full_page_writes", None, Tier.IMPORTANT, good=("on",)),
            Setting("synchronous_commit", None, Tier.IMPORTANT, good=("on", "local", "remote_write", "remote_apply")),
            Setting("synchronous_standby_names", None, Tier.OPTIONAL),
            Setting("server_encoding", None, Tier.IMPORTANT, good=("UTF8",)),  # others have no letters for many names
        )
        self.parameters = {setting.name: setting.value for setting in self.settings if setting.value is not None}
        self.in_force: Mapping[str, str] = self.parameters
        self._pool_max = settings.pool_max
        self._warned: set[str] = set()

    async def check(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Read back what is in force on a new connection: a pooler between us and the server may have dropped it.

        Raises:
            SettingRefused: a critical one is not as it must be.
        """
        limits = ("max_connections", "superuser_reserved_connections", "reserved_connections")
        names = [*(setting.name for setting in self.settings), *limits]
        read: dict[str, str] = {row["name"]: row["setting"] for row in await connection.fetch(_IN_FORCE, names)}
        room = int(read.pop(limits[0])) - sum(int(read.pop(limit, 0)) for limit in limits[1:])
        self.in_force = read
        rules = self.settings if not read.get("synchronous_standby_names") else (*self.settings, _WITH_STANDBY)
        check_settings(rules, read, hint=_REFUSED_HINT, warned=self._warned)
        if self._pool_max + _OURS_BESIDES_THE_POOL > room and limits[0] not in self._warned:
            self._warned.add(limits[0])
            _log.warning("DB_POOL_MAX is more than the server has room for", pool_max=self._pool_max, room=room)

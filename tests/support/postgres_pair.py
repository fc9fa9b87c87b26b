"""Two real PostgreSQL servers, a primary and its standby, for tests of fail-over and of reads from a standby.

Replication streams and is synchronous: a commit returns when the standby has it on its disk. Both servers are as in
`tests.support.postgres_server`, each on a Unix socket of its own. Lapel gets a user without special rights, as in
production. Methods block.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from tests.support.postgres_server import PostgresServer
from tests.support.postgres_supervisor import PORT
from tests.support.waiting import eventually

__all__ = ["USER", "PostgresPair"]

USER = "lapel_server"
"""Owns the databases, and may do nothing else."""
_SETTINGS = {"fsync": "off", "max_wal_size": "256MB", "wal_receiver_status_interval": "1s"}
_STREAMING = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = $1"


class PostgresPair:
    """A primary and a standby, which change places at each fail-over. Make it with `temporary`."""

    def __init__(self, primary: PostgresServer, standby: PostgresServer) -> None:
        self.primary = primary
        self.standby = standby
        self._servers = (primary, standby)  # in the order in which a URL names them

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[PostgresPair]:
        """Both, running, removed on leaving."""
        with PostgresServer.temporary(settings=_SETTINGS, in_memory=True) as primary:
            primary.ask(f"CREATE ROLE {USER} LOGIN")
            with PostgresServer.temporary(settings=_SETTINGS, in_memory=True, follows=primary) as standby:
                pair = cls(primary, standby)
                pair.wait_for_the_standby("*")
                yield pair

    def create_database(self) -> str:
        """The name of a new database of `USER`'s."""
        name = f"lapel_{secrets.token_hex(8)}"
        self.primary.ask(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE template0")
        self.wait_for_replay()
        return name

    def url(self, database: str, *, target: str = "read-write") -> str:
        """The address that names both servers, and which of them is wanted."""
        hosts = quote(",".join(str(server.socket_dir) for server in self._servers))
        return f"postgresql://{USER}@/{database}?host={hosts}&port={PORT},{PORT}&target_session_attrs={target}"

    def url_of(self, server: PostgresServer, database: str) -> str:
        """The address of one of them."""
        return server.dsn(database).replace("://lapel@", f"://{USER}@")

    def promote(self) -> None:
        """Make the standby the primary. The other one, if it still runs, goes on believing that it is."""
        self.standby.ask("SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """Make whatever server is not the primary its standby again, with a fresh copy."""
        self.configure("synchronous_standby_names", "")
        self.standby.follow(self.primary)
        self.wait_for_the_standby("*")

    def repair(self) -> None:
        """Bring both back to where they were at first, whatever a test has done."""
        self.primary.start()
        following = self.primary.ask("SELECT count(*) FROM pg_stat_replication") and self.standby.pid
        if following:
            self.go_on()
            self.wait_for_the_standby("*")
        else:
            self.rejoin()

    def wait_for_the_standby(self, synchronous: str) -> None:
        """Set `synchronous_standby_names`, and wait until the standby follows as that says."""
        self.configure("synchronous_standby_names", synchronous)
        state = "sync" if synchronous else "async"
        assert eventually(lambda: self.primary.ask(_STREAMING, state) == 1, within=60), self.primary.log()

    def wait_for_replay(self) -> None:
        """Wait until the standby shows all that is committed by now."""
        written = self.primary.ask("SELECT pg_current_wal_flush_lsn()::text")
        shown = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
        assert eventually(lambda: self.standby.ask(shown, written), within=60)

    def configure(self, name: str, setting: str) -> None:
        """Change a setting of the primary's."""
        self.primary.ask(f"ALTER SYSTEM SET {name} = '{setting}'")
        self.primary.ask("SELECT pg_reload_conf()")

    def pause(self) -> None:
        """Let the standby receive what is committed, and show nothing of it."""
        self.standby.ask("SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state()"
        assert eventually(lambda: self.standby.ask(paused) == "paused", within=30)

    def go_on(self) -> None:
        """Let it show again what is committed."""
        self.standby.ask("SELECT pg_wal_replay_resume()")

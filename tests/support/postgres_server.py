"""A real PostgreSQL for tests and benchmarks: a private one, or the one that TEST_DATABASE_URL names.

In tests, take the fixture ``postgres_dsn`` (an empty database of your own), ``postgres`` (the server that all
tests share; leave it running) or ``stoppable_postgres`` (a server of your own, to stop and restart). Elsewhere::

    from tests.support.postgres_server import PostgresServer

    with PostgresServer.temporary() as server:
        dsn = server.create_database()  # postgresql://lapel@/name?host=/folder/of/the/socket&port=5432
        server.stop("immediate")  # as in a crash: connections break, committed work stays
        server.start()

The private server listens on a Unix socket only, keeps PostgreSQL's durability defaults, allows prepared
transactions, and is gone with its folder when its owner is, even when that was killed. Methods block; from a
coroutine call them through ``asyncio.to_thread`` when others must go on meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg

from tests.support import postgres_supervisor
from tests.support.postgres_install import make_folder, unprivileged_account
from tests.support.postgres_supervisor import PORT, SUPERUSER, Plan

__all__ = ["PostgresServer"]

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_SETTINGS = {
    "listen_addresses": "",
    "max_prepared_transactions": "20",  # 0 by default, and then there is no two-phase commit
    "max_connections": "200",
    "log_line_prefix": "%m [%p] %q%d ",
    "timezone": "UTC",
}
_COMMIT = "SELECT pg_logical_emit_message(true, 'a commit', ''::text)"
_CUT_SHORT = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = $1"


class PostgresServer:
    """One PostgreSQL server. Make it with `temporary`, `given` or `for_tests`."""

    def __init__(self, url: str, supervisor: _Supervisor | None = None) -> None:
        self._url = url
        self._supervisor = supervisor

    @classmethod
    @contextmanager
    def temporary(
        cls,
        *,
        settings: Mapping[str, str] | None = None,
        in_memory: bool = False,
        within: Sequence[str] = (),
        follows: PostgresServer | None = None,
    ) -> Iterator[PostgresServer]:
        """A private server, running, removed on leaving.

        Args:
            settings: PostgreSQL's own, by name, over those of `DEFAULT_SETTINGS`.
            in_memory: with its files in memory, if there is room: databases are made and dropped several times as fast.
            within: a command that prepares something and then becomes the one that is appended to it.
            follows: of which it is a standby.

        Raises:
            RuntimeError: if it cannot be started; the message ends with the server's log.
        """
        supervisor = _Supervisor(DEFAULT_SETTINGS | dict(settings or {}), within, in_memory=in_memory)
        try:
            supervisor.ask("start" if follows is None else f"follow {follows.socket_dir}")
            folder = quote(str(supervisor.plan.socket))
            yield cls(f"postgresql://{SUPERUSER}@/postgres?host={folder}&port={PORT}", supervisor)
        finally:
            supervisor.close()

    @classmethod
    def given(cls, url: str) -> PostgresServer:
        """A server that somebody else runs; ``url`` names a database from which others may be created."""
        return cls(url)

    @classmethod
    @contextmanager
    def for_tests(cls) -> Iterator[PostgresServer]:
        """The server that TEST_DATABASE_URL names, or else a private one."""
        if url := os.environ.get("TEST_DATABASE_URL"):
            yield cls.given(url)
            return
        # Each test makes and drops a database, and PostgreSQL would wait for the disk most of the time. What it waits
        # for matters where the machine itself dies, and no test of ours lets it.
        with cls.temporary(settings={"fsync": "off", "max_wal_size": "256MB"}, in_memory=True) as server:
            yield server

    @property
    def is_private(self) -> bool:
        """Whether this server is ours to stop."""
        return self._supervisor is not None

    @property
    def socket_dir(self) -> Path:
        """The folder of the private server's socket."""
        return self._own.plan.socket

    @property
    def pid(self) -> int | None:
        """The process id of the private server's postmaster, or None while it is stopped."""
        return self._own.pid

    def dsn(self, database: str) -> str:
        """The address of ``database``, whether or not it exists: ``postgresql://…``, as asyncpg reads it."""
        return urlunsplit(urlsplit(self._url)._replace(path="/" + quote(database, safe="")))

    def start(self) -> None:
        """Start the private server again and wait until it accepts connections."""
        self._own.ask("start")

    def stop(self, mode: Literal["immediate", "fast"] = "fast") -> None:
        """Stop the private server and wait for its end.

        Args:
            mode: ``fast`` ends every session and shuts down in order; ``immediate`` is a crash: nothing is
                written any more, and the next start recovers from the log.
        """
        self._own.ask(f"stop {mode}")

    def restart(self, mode: Literal["immediate", "fast"] = "fast") -> None:
        """Stop, then start."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """End every process of the private server in the middle of what it does; `start` recovers it."""
        self.suspend()  # else the postmaster would see to those that are left
        for process in reversed(self._processes()):
            os.kill(process, signal.SIGKILL)
        self.stop("immediate")

    def follow(self, primary: PostgresServer) -> None:
        """Stop, and start again as a standby of `primary`, with a fresh copy of its data."""
        self._own.ask(f"follow {primary.socket_dir}")

    def suspend(self) -> None:
        """Let every process of the private server stand still, as on a machine that hangs: connections stay open."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended server go on."""
        for process in reversed(self._processes()):
            os.kill(process, signal.SIGCONT)

    def _processes(self) -> list[int]:
        """The postmaster, which must stand still first so that there are no new ones, and its children."""
        assert self.pid is not None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [self.pid, *map(int, children.read_text().split())]

    def create_database(self, *, template: str | None = None) -> str:
        """Create a database with a name of its own and return its address.

        Args:
            template: the address of a database to copy, to which nobody may be connected; none: an empty one.
        """
        name = f"lapel_{secrets.token_hex(8)}"
        source = _database_of(template) if template is not None else "template0"
        # Files are copied with half the work of writing all that is in them to the log, which PostgreSQL does unasked.
        strategy = "STRATEGY FILE_COPY" if self.is_private else ""
        self.ask(f'CREATE DATABASE "{name}" TEMPLATE "{source}" {strategy}')
        return self.dsn(name)

    def drop_database(self, dsn: str) -> None:
        """Drop the database at ``dsn``, ending its sessions; one that is not there is dropped already."""
        self.ask(f'DROP DATABASE IF EXISTS "{_database_of(dsn)}" WITH (FORCE)')

    def have_commits_wait_for(self, standby: str) -> None:
        """Return when commits wait for the standby of that name, which need not exist; with none, when they do not."""
        self.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
        self.ask("SELECT pg_reload_conf()")  # which is taken up a moment later
        with ThreadPoolExecutor(1) as pool:
            committing = pool.submit(self.ask, _COMMIT)
            while standby and not self.ask(_CUT_SHORT, _COMMIT):
                if committing.done():
                    committing = pool.submit(self.ask, _COMMIT)
            committing.result()

    def commits_waiting(self) -> int:
        """How many commits wait for a standby."""
        return int(str(self.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")))

    def log(self) -> str:
        """What the private server has logged so far."""
        return self._own.plan.log.read_text(errors="replace")

    @property
    def _own(self) -> _Supervisor:
        if self._supervisor is None:
            raise RuntimeError("this server was given by TEST_DATABASE_URL; only a private one can be managed")
        return self._supervisor

    def ask(self, query: str, *arguments: object) -> object:
        """What the server's own user is answered to one statement: the first value, or None."""

        async def run() -> object:
            connection = await asyncpg.connect(self._url, timeout=30)
            try:
                return await connection.fetchval(query, *arguments, timeout=60)
            finally:
                await connection.close()

        # In a thread of its own, so that it can be called where an event loop is running already.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, run()).result()


class _Supervisor:
    """Our end of the process that keeps the server; see ``postgres_supervisor.py``."""

    def __init__(self, settings: dict[str, str], within: Sequence[str], *, in_memory: bool) -> None:
        self.pid: int | None = None
        self._lock = threading.Lock()
        account = unprivileged_account()
        self.plan = Plan(
            parent=os.getpid(),
            folder=str(make_folder(account, in_memory=in_memory)),
            uid=account.uid if account else None,
            gid=account.gid if account else None,
            settings=settings,
        )
        with self.plan.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*within, sys.executable, "-m", postgres_supervisor.__name__, self.plan.to_json()],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for us
            )

    def ask(self, command: str) -> None:
        """Have ``command`` done; RuntimeError says why it was not."""
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            try:
                self._process.stdin.write(command + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except BrokenPipeError:
                line = ""
            if not line:
                self.pid = None
                raise RuntimeError(f"PostgreSQL's supervisor is gone:\n{self.plan.end_of_log()}")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"could not {command} PostgreSQL: {answer['error']}")
            self.pid = answer["pid"]

    def close(self) -> None:
        """End the server, its supervisor and its folder."""
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()  # it bounds its own time
            self._process.stdout.close()
            shutil.rmtree(self.plan.folder, ignore_errors=True)  # there still if the supervisor was killed
            self.pid = None


def _database_of(dsn: str) -> str:
    return unquote(urlsplit(dsn).path.removeprefix("/"))

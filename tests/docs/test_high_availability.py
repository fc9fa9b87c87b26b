"""The commands of docs/high-availability.md, on a real primary and its standby."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapel.config import load_settings
from lapel.database.postgresql.hosts import hosts_of
from tests.docs.test_operating import block, environment
from tests.support.postgres_pair import PostgresPair

PAGE = Path(__file__).resolve().parents[2] / "docs" / "high-availability.md"


@pytest.fixture(scope="module")
def pair() -> Iterator[PostgresPair]:
    with PostgresPair.temporary() as pair:
        yield pair


def sql(name: str) -> list[str]:
    """The statements of a block."""
    found = re.search(rf"<!-- {name} -->\n```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return [statement.strip() for statement in found[1].split(";") if statement.strip()]


def test_the_settings_are_good_ones() -> None:
    given = dict(re.findall(r"^export (\w+)='(.*?)'$", block("settings", PAGE) + block("reads", PAGE), re.MULTILINE))
    settings = load_settings(given)
    assert settings.database_url is not None
    assert hosts_of(settings.database_url.get_secret_value()) == [("db1.example.org", 5432), ("db2.example.org", 5432)]
    assert settings.database_read_url is not None
    assert hosts_of(settings.database_read_url.get_secret_value()) == [("db2.example.org", 5432)]


def test_the_primary_waits_for_its_standby_and_both_are_shown(pair: PostgresPair, tmp_path: Path) -> None:
    for statement in sql("primary") + sql("synchronous"):
        pair.primary.ask(statement)
    pair.wait_for_the_standby("*")
    name = pair.create_database()
    urls = {"DATABASE_URL": pair.url(name), "DATABASE_READ_URL": pair.url_of(pair.standby, name)}
    script = f"set -euo pipefail\nlapel db migrate\n{block('settings', PAGE).splitlines()[-1]}"
    shown = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**environment(), **urls, "LAPEL_MASTER_KEY": os.urandom(32).hex()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    told = dict(re.findall(r"^(\w+) +(.*)$", shown.stdout, re.MULTILINE))
    assert told["host"] == f"{pair.primary.socket_dir}:5432"
    assert told["synchronous_standby_names"] == "*"
    assert told["reads"] == "from the standby too"

"""``lapel db recover``, and what ``lapel db status`` and ``lapel serve`` tell of what stands prepared."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.server_process import answers, free_port, log_of, serving
from tests.support.two_databases import ask, leave_decided
from tests.support.waiting import eventually


@pytest.fixture
def dsns(two_dsns: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two databases, the first of them the configured one: what was decided there is committed in neither yet."""
    monkeypatch.delenv("SQLITE_FILE")
    monkeypatch.setenv("DATABASE_URL", two_dsns[0])
    asyncio.run(leave_decided(*two_dsns))
    return two_dsns


def test_it_settles_what_it_reaches_and_tells_what_it_leaves(
    lapel: Command, dsns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERE", dsns[1])
    alone = lapel("db", "recover")
    together = lapel("db", "recover", "--database", "env:THERE")
    again = lapel("db", "recover", "--database", dsns[1], "--json")

    assert (alone.code, together.code, again.code) == (1, 0, 0), (alone, together, again)
    assert re.search(r"^committed: lapel-2pc:\S+ in postgresql://\S+$", alone.out, re.MULTILINE)
    assert re.search(
        r"^left: lapel-2pc:\S+ in \S+ \(its database was not given, or does not answer\)$", alone.out, re.MULTILINE
    )
    assert together.out.startswith("committed: ")
    assert together.out.endswith("No prepared transaction of Lapel's is left.\n")
    assert json.loads(again.out) == {"ok": True, "transactions": []}
    assert [asyncio.run(ask(dsn, "SELECT count(*) FROM issuers")) for dsn in dsns] == [[1], [1]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "This does not name a database."),
        ("env:NONE", "The environment variable NONE is not set."),
        ("mysql://db/x", "There is no database module 'mysql'."),
    ],
)
def test_what_names_no_database_is_said_of_what_was_given(
    lapel: Command, monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://lapel@127.0.0.1:1/lapel")

    ended = lapel("db", "recover", "--database", given)

    assert (ended.code, ended.err.splitlines()[0]) == (1, f"error: bad_database_address: {said}")


def test_the_address_of_a_database_may_be_in_the_environment(
    lapel: Command, dsns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERE", dsns[1])

    ended = lapel("db", "recover", "--database", "env:THERE")

    assert (ended.code, ended.out.splitlines()[-1]) == (0, "No prepared transaction of Lapel's is left.")


def test_a_database_that_is_away_is_named(lapel: Command, dsns: list[str]) -> None:
    away = "postgresql://lapel:secret@127.0.0.1:1/lapel"

    told = json.loads(lapel("db", "recover", "--database", away, "--json").out)

    assert told["ok"] is False
    left = [one for one in told["transactions"] if one["settlement"] == "left"]
    assert {one["name"] == "" for one in left} == {True, False}
    assert "postgresql://lapel:***@127.0.0.1:1/lapel" in {one["database"] for one in left}
    assert "secret" not in json.dumps(told)


def test_on_sqlite_it_says_that_there_is_nothing_to_recover(lapel: Command) -> None:
    refused = lapel("db", "recover", "--json")

    assert refused.code == 1
    assert json.loads(refused.out)["code"] == "two_phase_not_supported"


def test_the_status_shows_what_stands_prepared(lapel: Command, dsns: list[str]) -> None:
    shown, told = lapel("db", "status"), json.loads(lapel("db", "status", "--json").out)

    assert re.search(r"^prepared +1, the oldest since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", shown.out, re.MULTILINE)
    assert [name.partition(":")[0] for name in told["prepared"]] == ["lapel-2pc"]
    lapel("db", "recover")
    assert json.loads(lapel("db", "status", "--json").out)["prepared"] == {}


def test_a_server_settles_its_own_part_when_it_starts(dsns: list[str], tmp_path: Path) -> None:
    port, key = free_port(), tmp_path / "key"
    key.write_text("6b1f0c9d" * 8)
    with serving(tmp_path, port, DATABASE_URL=dsns[0], LAPEL_MASTER_KEY_FILE=str(key), SQLITE_FILE=""):
        assert eventually(lambda: answers(port))
    log = log_of(tmp_path, port)

    assert asyncio.run(ask(dsns[0], "SELECT count(*) FROM issuers")) == [1]
    assert len(asyncio.run(ask(dsns[1], "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"))) == 1
    assert "a prepared transaction was found" in log
    assert "its database was not given" in log

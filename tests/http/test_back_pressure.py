"""Writers who cannot be served are told when to come again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.http.live_server import live_server


def test_who_waited_too_long_to_write_is_answered_503_with_a_time_and_readers_are_not(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    with live_server({"SQLITE_FILE": str(file), "DB_LOCK_TIMEOUT_MS": "200"}) as server:
        kept = server.create("/v3/issuers", name="Kept")["id"]
        with closing(sqlite3.connect(file, isolation_level=None)) as another_process:
            another_process.execute("BEGIN IMMEDIATE")
            refused = server.ask("POST", "/v3/issuers", json={"name": "Refused"})
            assert refused.status_code == 503
            assert refused.json()["code"] == "database_busy"
            assert int(refused.headers["retry-after"]) >= 1
            assert server.get(kept).status_code == 200
        server.create("/v3/issuers", name="Stored")
        names = [item["name"] for item in server.ask("GET", "/v3/issuers").json()["items"]]
        assert names == ["Stored", "Kept"]


def test_work_that_is_given_up_leaves_nothing_behind_and_hinders_nobody(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    with live_server({"SQLITE_FILE": str(file), "LAPEL_REQUEST_TIMEOUT_MS": "2000"}) as server:
        with closing(sqlite3.connect(file, isolation_level=None)) as another_process:
            another_process.execute("BEGIN IMMEDIATE")
            given_up = server.ask("POST", "/v3/issuers", json={"name": "Given up"})
            assert (given_up.status_code, given_up.json()["code"]) == (503, "took_too_long")
            assert int(given_up.headers["retry-after"]) >= 1
            assert given_up.json()["request_id"] == given_up.headers["x-request-id"]
        server.create("/v3/issuers", name="Stored")
        assert [item["name"] for item in server.ask("GET", "/v3/issuers").json()["items"]] == ["Stored"]

"""Liveness and readiness."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests.http.live_server import LiveServer, live_server
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually


def test_a_running_server_is_alive_and_ready(server: LiveServer) -> None:
    assert server.get("/health/live").json() == {"status": "live"}

    ready = server.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["database"]["ok"] is True
    assert "signer" not in ready.json()
    assert ready.headers["cache-control"] == "no-store"


def test_ready_turns_red_without_the_database_and_green_again(stoppable_postgres: PostgresServer) -> None:
    dsn = stoppable_postgres.create_database()
    with live_server({"DATABASE_URL": dsn, "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}) as server:
        assert server.get("/health/ready").status_code == 200
        seen = a_credential(server)
        assert server.get(seen).status_code == 200

        stoppable_postgres.stop("immediate")
        assert eventually(lambda: server.get("/health/ready").status_code == 503, within=2)
        assert server.get("/health/live").status_code == 200
        where = urlsplit(dsn)
        for text in (server.get("/health/ready").text, server.ask("GET", "/v3/issuers").text):
            for secret in (where.hostname, where.username, where.path.strip("/"), str(where.port)):
                assert not secret or secret not in text
        away = server.ask("GET", "/v3/issuers")
        assert away.status_code == 503
        assert int(away.headers["retry-after"]) >= 1
        assert server.get(seen).status_code == 200  # what was signed never changes

        stoppable_postgres.start()
        assert eventually(lambda: server.get("/health/ready").status_code == 200)
        assert eventually(lambda: server.ask("GET", "/v3/issuers").status_code == 200)


def test_ready_turns_red_while_the_database_hangs(stoppable_postgres: PostgresServer) -> None:
    dsn = stoppable_postgres.create_database()
    with live_server({"DATABASE_URL": dsn, "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}) as server:
        assert server.get("/health/ready").status_code == 200
        stoppable_postgres.suspend()
        try:
            assert eventually(lambda: server.get("/health/ready").status_code == 503, within=2)
        finally:
            stoppable_postgres.resume()
        assert eventually(lambda: server.get("/health/ready").status_code == 200)


def test_ready_tells_what_is_going_on_and_nobody_where_the_database_is(tmp_path: Path) -> None:
    file = tmp_path / "secret-place" / "lapel.sqlite"
    with live_server({"SQLITE_FILE": str(file)}) as server:
        good = server.get("/health/ready").json()["database"]
        assert good["pool"]["waiting"] == 0
        assert good["openTransactions"] == 0
        assert good["migrated"] is True
        assert good["reconnection"] is None

        file.parent.rename(tmp_path / "elsewhere")
        assert eventually(lambda: server.get("/health/ready").status_code == 503, within=2)
        assert eventually(lambda: server.get("/health/ready").json()["database"]["reconnection"]["attempt"] >= 2)
        away = server.get("/health/ready")
        assert set(away.json()["database"]["reconnection"]) == {"since", "attempt", "nextTry"}
        assert "lapel_database_up 0.0" in server.get("/metrics").text
        assert "secret-place" not in away.text + server.get("/metrics").text

        (tmp_path / "elsewhere").rename(file.parent)
        assert eventually(lambda: "lapel_database_up 1.0" in server.get("/metrics").text)
        assert server.get("/health/ready").status_code == 200


def a_credential(server: LiveServer) -> str:
    issuer = server.create("/v3/issuers", name="School")
    achievement = server.create(
        "/v3/achievements", issuer=issuer["id"], name="Knots", description="-", criteria={"narrative": "-"}
    )
    recipient = {"type": "email", "identity": "ada@school.example"}
    url: str = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)["id"]
    return url


def test_a_stopped_server_leaves_its_file_to_the_next(tmp_path: Path) -> None:
    environment = {"SQLITE_FILE": str(tmp_path / "lapel.sqlite")}
    with live_server(environment) as first:
        made = first.create("/v3/issuers", name="Kept")
    with live_server(environment) as second:
        assert [item["name"] for item in second.ask("GET", "/v3/issuers").json()["items"]] == ["Kept"]
    assert made["name"] == "Kept"


def test_the_databases_operations_are_counted(server: LiveServer) -> None:
    server.create("/v3/issuers", name="Harbour University")
    text = server.get("/metrics").text
    assert 'lapel_database_operation_seconds_count{operation="issuers.create"}' in text

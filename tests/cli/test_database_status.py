"""``lapel db status``: the database as the command finds it, and what a running server has counted."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from lapel.cli.db.status import OperationCount, ask_server
from tests.cli.conftest import Command
from tests.http.live_server import LiveServer, live_server
from tests.support import server_process


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A server on the command's own database, at the address that the command is told."""
    with live_server({"SQLITE_FILE": str(tmp_path / "lapel.sqlite")}) as running:
        monkeypatch.setenv("LAPEL_PORT", str(urlsplit(running.url).port))
        yield running


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Where nobody listens, as the command is told."""
    port = server_process.free_port()
    monkeypatch.setenv("LAPEL_PORT", str(port))
    return port


def test_it_shows_what_a_running_server_has_counted(lapel: Command, server: LiveServer) -> None:
    for name in ("Harbour", "Lighthouse"):
        server.create("/v3/issuers", name=name)

    shown = lapel("db", "status")

    assert shown.code == 0, shown.err
    assert server.url in shown.out
    assert re.search(r"^transactions_total\[committed\] +[1-9]", shown.out, re.MULTILINE)
    assert re.search(r"^pool_connections +\d", shown.out, re.MULTILINE)
    assert re.search(r"^operation +count +total s +mean ms +p95 ms +p99 ms +failed +slow$", shown.out, re.MULTILINE)
    assert re.search(r"^issuers\.create +2 ", shown.out, re.MULTILINE)
    table = shown.out[shown.out.index("\noperation") :]
    assert max(map(len, table.splitlines())) <= 80


def test_the_operation_that_took_longest_comes_first(lapel: Command, server: LiveServer) -> None:
    server.create("/v3/issuers", name="Harbour")

    told = json.loads(lapel("db", "status", "--json").out)

    totals = [operation["total"] for operation in told["server"]["operations"]]
    assert len(totals) > 3
    assert totals == sorted(totals, reverse=True)
    assert all(0 <= one["p95"] <= one["p99"] <= 10 for one in told["server"]["operations"])
    assert told["server"]["measurements"]["up"] == 1
    assert told["database"]["ok"] is True
    assert told["pending"] == []
    assert told["settings"]["synchronous"] == "FULL"


def test_without_a_server_it_shows_all_else(lapel: Command, free_port: int) -> None:
    lapel("db", "migrate")

    shown = lapel("db", "status")

    assert shown.code == 0
    assert f"No server answers at http://127.0.0.1:{free_port}: " in shown.out
    assert "Set LAPEL_PORT to the port" in shown.out
    assert re.search(r"^state +connected$", shown.out, re.MULTILINE)
    assert json.loads(lapel("db", "status", "--json").out)["server"] is None


@pytest.mark.usefixtures("free_port")
def test_a_database_that_is_away_is_shown_as_json_too(lapel: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:1/lapel")
    monkeypatch.setenv("DB_CONNECT_TIMEOUT_MS", "300")

    ended = lapel("db", "status", "--json")

    assert ended.code == 1
    told = json.loads(ended.out)
    assert (told["database"]["ok"], told["database"]["state"]) == (False, "disconnected")
    assert (told["ok"], told["code"]) == (False, "database_not_connected")
    assert "Connect call failed" in told["reason"]
    assert "hunter2" not in ended.out + ended.err


class Stranger(BaseHTTPRequestHandler):
    """Something else that listens where the server should."""

    answer: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize("answer", [b"<html>hello</html>", b"other_total 3\n", b"\xff\x00", b""])
def test_what_is_no_lapel_is_not_taken_for_one(answer: bytes) -> None:
    handler = type("Answering", (Stranger,), {"answer": answer})
    with HTTPServer(("127.0.0.1", 0), handler) as listening:
        serving = threading.Thread(target=listening.serve_forever)
        serving.start()
        try:
            assert ask_server("127.0.0.1", listening.server_port) is None
        finally:
            listening.shutdown()
            serving.join()


@pytest.mark.parametrize("host", ["192.0.2.1", "db.example.org"])
def test_only_this_machine_is_asked(host: str) -> None:
    assert ask_server(host, 80) is None


def test_quantiles_come_from_the_buckets() -> None:
    one = OperationCount(
        operation="x", count=100, total=1.0, buckets=[(0.1, 90.0), (1.0, 100.0), (float("inf"), 100.0)]
    )
    assert one.quantile(0.45) == pytest.approx(0.05)
    assert one.quantile(0.95) == pytest.approx(0.55)
    assert one.mean == 0.01
    beyond = OperationCount(operation="x", count=1, buckets=[(10.0, 0.0), (float("inf"), 1.0)])
    assert beyond.quantile(0.99) == 10.0

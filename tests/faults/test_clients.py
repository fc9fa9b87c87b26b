"""Clients that go away in the middle of what they ask: nothing is half written, and nothing stays taken."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from pathlib import Path

import pytest

from benchmarks.load import request_bytes
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.faults.conftest import Tell
from tests.faults.outages import writes_go_on
from tests.faults.site import Site, narrative_of
from tests.http.live_server import LiveServer, live_server
from tests.support.databases import DATABASES
from tests.support.load import Load
from tests.support.server_process import ADMIN_KEY
from tests.support.waiting import eventually

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise

ROUNDS = 40
INCOMPLETE = ("nothing", "half the headers", "the headers", "half the body")
COMPLETE = ("everything", "everything and no more", "everything, and waits a little")
_RESET = struct.pack("ii", 1, 0)


def go_away(port: int, achievement: str, *, after: str, number: int) -> None:
    """Ask for a credential, and reset the connection when that much is sent; or end it in order, unanswered."""
    body = {
        "achievement": achievement,
        "recipient": {"type": "email", "identity": "somebody@example.org"},
        "narrative": f"{after} {number}",
    }
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    whole = request_bytes(
        "POST", f"http://127.0.0.1:{port}/v3/credentials", headers=headers, body=json.dumps(body).encode()
    )
    head = whole.index(b"\r\n\r\n") + 4
    sent = {"nothing": 0, "half the headers": head // 2, "the headers": head, "half the body": (head + len(whole)) // 2}
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(whole[: sent.get(after, len(whole))])
        if after == "everything and no more":
            connection.shutdown(socket.SHUT_WR)
            return
        if after == "everything, and waits a little":
            # By now the server has the request; how far it comes differs from one to the next.
            eventually(lambda: False, within=0.0005 * (number % 20))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def all_go_away(port: int, achievement: str, *, first: int = 0) -> None:
    for number in range(first, first + ROUNDS):
        for after in (*INCOMPLETE, *COMPLETE):
            go_away(port, achievement, after=after, number=number)


async def test_a_client_that_goes_away_leaves_nothing_half_done(site: Site, cycles: int, tell: Tell) -> None:
    achievement = await site.achievement()
    load = Load(site.port, achievement, connections=4)
    with site.server() as server:
        with load.running():
            for cycle in range(cycles):
                await asyncio.to_thread(all_go_away, site.port, achievement, first=cycle * ROUNDS)
            await writes_go_on(load, since=time.monotonic())
        assert server.poll() is None
        assert site.ready()
        counted = site.metrics()
    assert not load.refused
    assert not load.unanswered
    assert 'status="500"' not in counted
    assert "Traceback" not in site.log(), site.log()
    found = await site.audit(load, everything=cycles > 1)
    async with site.application() as application:
        stream = application.database.read().credentials.stream(DEFAULT_ORGANISATION_ID)
        narratives = [narrative_of(credential) async for credential in stream]
    assert not [narrative for narrative in narratives if narrative.startswith(INCOMPLETE)]
    stored = sum(narrative.startswith(COMPLETE) for narrative in narratives)
    tell(f"{cycles * ROUNDS * len((*INCOMPLETE, *COMPLETE))} went away, {stored} of their credentials stored; {found}")


@pytest.fixture(params=DATABASES)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """A fresh database's settings: once for every database."""
    if request.param == "postgresql":
        return {"DATABASE_URL": request.getfixturevalue("postgres_dsn"), "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}
    return {"SQLITE_FILE": ":memory:" if request.param == "sqlite-memory" else str(tmp_path / "lapel.sqlite")}


def test_no_connection_stays_in_use_when_clients_go_away(environment: dict[str, str]) -> None:
    with live_server(environment) as server:
        achievement = defined(server)
        port = int(server.url.rpartition(":")[2])

        all_go_away(port, achievement)

        status = server.application.database.pool_status
        assert eventually(lambda: status().in_use == 0 and status().waiting == 0), status()
        recipient = {"type": "email", "identity": "somebody@example.org"}
        server.create("/v3/credentials", achievement=achievement, recipient=recipient)


def defined(server: LiveServer) -> str:
    issuer = server.create("/v3/issuers", name="Harbour University")
    criteria = {"narrative": "Three nights at the helm."}
    made = server.create(
        "/v3/achievements", issuer=issuer["id"], name="Sailing", description="Sails.", criteria=criteria
    )
    return str(made["id"])

"""Large badges that lead to hosts which never answer keep nobody else from being verified."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.http.live_server import LiveServer, live_server
from tests.support.waiting import eventually

FILLING = [{"id": f"urn:x:{number}", "type": "Evidence"} for number in range(7_000)]
KEY = "z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
NEEDS_NOBODY = f"did:key:{KEY}#{KEY}"
HERE = "0.0.0.0"  # noqa: S104 - by each of this machine's loopback addresses
MEMBERS = {
    "/v3/verify": None,
    "/vc-api/credentials/verify": "verifiableCredential",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    file = tmp_path_factory.mktemp("server") / "lapel.sqlite"
    settings = {"SQLITE_FILE": str(file), "LAPEL_RATE_LIMIT": "0", "LAPEL_FETCH_ALLOW_LOOPBACK": "true"}
    with live_server(settings) as server:
        yield server


class SlowHost:
    """It takes connections, and says nothing."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._taken: list[socket.socket] = []

    def key(self, number: int) -> str:
        """The address of a key. One host is asked for a few documents at a time, so that each has another name."""
        return f"http://127.0.0.{number + 1}:{self._listening.getsockname()[1]}/issuer#key"

    def has_been_asked(self, times: int) -> bool:
        while len(self._taken) < times:
            try:
                self._taken.append(self._listening.accept()[0])
            except BlockingIOError:
                return False
        return True

    def answer(self, body: bytes) -> None:
        """Tell the last one that has asked something after all."""
        connection = self._taken[-1]
        connection.setblocking(True)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(body) + body)

    def leave(self) -> None:
        for connection in self._taken:
            connection.close()


@contextmanager
def slow_host() -> Iterator[SlowHost]:
    with socket.create_server((HERE, 0), backlog=64) as listening:
        listening.setblocking(False)
        host = SlowHost(listening)
        try:
            yield host
        finally:
            host.leave()


def badge(key: str, evidence: list[Any]) -> dict[str, Any]:
    return {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
        ],
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": key.partition("#")[0],
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {
            "type": "AchievementSubject",
            "achievement": {
                "id": "urn:uuid:0190a0b0-0000-7000-8000-000000000000",
                "type": "Achievement",
                "name": "Welding",
                "description": "Has welded.",
                "criteria": {"narrative": "Weld."},
            },
        },
        "evidence": evidence,
        "proof": {
            "type": "DataIntegrityProof",
            "cryptosuite": "eddsa-rdfc-2022",
            "created": "2026-01-01T00:00:00Z",
            "proofPurpose": "assertionMethod",
            "verificationMethod": key,
            "proofValue": f"z{'3' * 87}",
        },
    }


def verify(
    server: LiveServer, path: str, key: str, *, evidence: list[Any] = FILLING, caller: str = "192.0.2.1"
) -> httpx.Response:
    document = badge(key, evidence)
    if (member := MEMBERS[path]) is not None:
        document = {member: document}
    headers = {"content-type": "application/json", "x-forwarded-for": caller}
    with server.client as client:
        return client.post(path, content=json.dumps(document), headers=headers)


def told_of_the_key(report: httpx.Response) -> str:
    """Why it was not found, where that could not be told."""
    (check,) = (each for each in report.json()["checks"] if each["code"] == "key")
    assert check["outcome"] == "unknown"
    return str(check["detail"])


@pytest.mark.parametrize("path", MEMBERS)
def test_four_that_wait_for_slow_hosts_leave_their_turns_to_others(server: LiveServer, path: str) -> None:
    with slow_host() as slow, ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(verify, server, path, slow.key(number)) for number in range(4)]
        assert eventually(lambda: slow.has_been_asked(4))
        assert verify(server, path, NEEDS_NOBODY).status_code in (200, 400)
        assert not any(each.done() for each in waiting)
        slow.leave()


@pytest.mark.parametrize("what", ["a badge", "a document that a small badge leads to"])
def test_whoever_needs_a_place_has_that_of_the_one_that_has_waited_longest(server: LiveServer, what: str) -> None:
    with slow_host() as slow, ThreadPoolExecutor(9) as pool:
        waiting: list[Future[httpx.Response]] = []
        for number in range(8):
            waiting.append(pool.submit(verify, server, "/v3/verify", slow.key(number)))
            assert eventually(lambda: slow.has_been_asked(len(waiting)))
        if what == "a badge":
            told = pool.submit(verify, server, "/v3/verify", NEEDS_NOBODY)
        else:
            told = pool.submit(verify, server, "/v3/verify", slow.key(8), evidence=[])
            assert eventually(lambda: slow.has_been_asked(9))
            slow.answer(b'{"padding": "%b"}' % (b"x" * 20_000))
        assert told.result().json()["valid"] is False
        assert "while others waited" in told_of_the_key(waiting[0].result())
        assert not any(each.done() for each in waiting[1:])
        slow.leave()


@pytest.mark.parametrize("path", MEMBERS)
def test_of_one_address_two_are_verified_at_a_time(path: str) -> None:
    """Else one could have all fetching, and the one JSON-LD processor, to himself: sixty times twenty seconds."""
    settings = {"SQLITE_FILE": ":memory:", "LAPEL_FETCH_ALLOW_LOOPBACK": "true", "LAPEL_TRUSTED_PROXIES": "127.0.0.1"}
    with live_server(settings) as server, slow_host() as slow, ThreadPoolExecutor(3) as pool:
        for number in range(2):
            pool.submit(verify, server, path, slow.key(number), evidence=[])
        assert eventually(lambda: slow.has_been_asked(2))
        third = pool.submit(verify, server, path, NEEDS_NOBODY, evidence=[])
        assert verify(server, path, NEEDS_NOBODY, evidence=[], caller="192.0.2.2").status_code in (200, 400)
        assert not third.done()
        slow.leave()
        assert third.result().status_code in (200, 400)

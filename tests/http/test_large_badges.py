"""Badges that are large take turns, are read away from the event loop, and are in nobody's way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import httpx
import pytest

from lapel.credentials import strict_json
from tests.http.live_server import LiveServer, live_server
from tests.support.badge_images import itxt, png

MANY = {f"member{number}": "" for number in range(20_000)}
BODIES = {
    "/v3/verify": json.dumps(MANY).encode(),
    "/vc-api/credentials/verify": json.dumps({"verifiableCredential": MANY}).encode(),
    "/vc-api/presentations/verify": json.dumps({"verifiablePresentation": MANY}).encode(),
}


class Readers:
    """The threads that read large texts. They wait before the first one."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.go_on = threading.Event()

    def read(self, text: str) -> None:
        if len(text) > 64 * 1024:
            self.threads.add(threading.get_ident())
            self.go_on.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    file = tmp_path_factory.mktemp("server") / "lapel.sqlite"
    with live_server({"SQLITE_FILE": str(file), "LAPEL_RATE_LIMIT": "0"}) as server:
        yield server


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    readers, check = Readers(), strict_json._check_structure

    def check_structure(text: str) -> None:
        readers.read(text)
        check(text)

    monkeypatch.setattr(strict_json, "_check_structure", check_structure)
    return readers


def post(server: LiveServer, path: str, body: bytes) -> httpx.Response:
    with server.client as client:
        return client.post(path, content=body, headers={"content-type": "application/json"})


def thread_of_the_loop(server: LiveServer) -> int:
    async def its_own() -> int:
        return threading.get_ident()

    return server.run(its_own())


@pytest.mark.parametrize("path", BODIES)
def test_eight_are_verified_and_sixteen_wait_and_the_next_ones_come_again(
    server: LiveServer, readers: Readers, path: str
) -> None:
    with ThreadPoolExecutor(28) as pool:
        asked = [pool.submit(post, server, path, BODIES[path]) for _ in range(28)]
        told = [one.result() for one in islice(as_completed(asked, timeout=10), 4)]
        assert post(server, "/v3/verify", b'{"small": true}').status_code == 200
        readers.go_on.set()
        answers = [one.result() for one in asked]

    assert {(answer.status_code, answer.json()["code"]) for answer in told} == {(503, "too_many_large_badges")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in told)
    assert sum(answer.status_code == 503 for answer in answers) == 4
    assert len(readers.threads) == 1
    assert thread_of_the_loop(server) not in readers.threads


def test_a_small_image_may_hold_a_large_badge(server: LiveServer, readers: Readers) -> None:
    readers.go_on.set()
    image = png(itxt(b"openbadgecredential", BODIES["/v3/verify"], compressed=True))

    assert len(image) < 64 * 1024
    assert post(server, "/v3/verify", image).status_code == 200
    assert len(readers.threads) == 1
    assert thread_of_the_loop(server) not in readers.threads

"""Clients that issue and revoke credentials over HTTP until they are told to stop, and keep what each answer said.

A request may be answered, refused, or get no answer at all because the connection breaks or the server is away; what
it was for is kept with it, so that afterwards everything that was acknowledged can be looked for, and everything that
was refused too. The clients have a thread of their own: a test goes on meanwhile, and breaks things.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from benchmarks.load import request_bytes
from tests.support.server_process import ADMIN_KEY

__all__ = ["Answer", "Load", "Request", "asked"]

PATIENCE_SECONDS = 60.0
"""How long a client waits for an answer before it says that the server hangs."""
_PAUSE_SECONDS = 0.02  # after a refusal, and between attempts to connect


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        purpose: ``issue``, ``revoke``, or another word of the test's own.
        about: what is issued or revoked: the narrative that only this credential has, or the credential's id.
    """

    purpose: str
    about: str
    method: str
    path: str
    body: object = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        status: 0 where the connection broke before there was a whole answer.
        headers: by name, in lower case.
        sent_at: in the seconds of `time.monotonic`.
        seconds: from sending it to the answer's end.
    """

    request: Request
    status: int
    headers: dict[str, str]
    body: bytes
    sent_at: float
    seconds: float

    @property
    def stays_open(self) -> bool:
        """Whether the connection may be used again."""
        return self.status > 0 and self.headers.get("connection") != "close"

    @property
    def code(self) -> str:
        """The code of a problem document, else nothing."""
        if self.headers.get("content-type") != "application/problem+json":
            return ""
        return str(json.loads(self.body)["code"])


class Load:
    """Issues credentials of one achievement, and revokes some of them.

    Args:
        name: begins every narrative, so that the credentials of two loads are told apart.
        connections: clients, each with one request at a time.
        revoke_every: every so manieth credential is revoked at once.
    """

    def __init__(
        self, port: int, achievement: str, *, name: str = "load", connections: int = 12, revoke_every: int = 5
    ) -> None:
        self.answers: list[Answer] = []
        self._port = port
        self._achievement = achievement
        self._name = name
        self._connections = connections
        self._revoke_every = revoke_every
        self._numbers = itertools.count(1)
        self._ending = threading.Event()
        self._failed: list[BaseException] = []

    @property
    def issued(self) -> list[Answer]:
        """The acknowledged credentials."""
        return [answer for answer in self.answers if answer.request.purpose == "issue" and answer.status == 201]

    @property
    def revoked(self) -> list[Answer]:
        """The acknowledged revocations."""
        return [answer for answer in self.answers if answer.request.purpose == "revoke" and answer.status == 200]

    @property
    def refused(self) -> list[Answer]:
        """What was answered, but not done."""
        return [answer for answer in self.answers if answer.status not in (0, 200, 201)]

    @property
    def unanswered(self) -> list[Answer]:
        """What got no answer."""
        return [answer for answer in self.answers if answer.status == 0]

    def since(self, moment: float) -> list[Answer]:
        """What was asked after that moment of `time.monotonic` and is answered by now.

        Raises:
            AssertionError: the clients have given up, because the server hangs.
        """
        assert not self._failed, self._failed
        return [answer for answer in self.answers if answer.sent_at > moment]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask until the block ends; then let every client have its last answer."""

        def run() -> None:
            try:
                asyncio.run(self._drive())
            except BaseException as error:
                self._failed.append(error)

        thread = threading.Thread(target=run, name="load")
        thread.start()
        try:
            yield
        finally:
            self.end()
            thread.join(PATIENCE_SECONDS + 10)
            assert not thread.is_alive()
        if self._failed:
            raise self._failed[0]

    def end(self) -> None:
        """Ask for nothing more."""
        self._ending.set()

    async def _drive(self) -> None:
        await asyncio.gather(*(self._client() for _ in range(self._connections)))

    async def _client(self) -> None:
        while not self._ending.is_set():
            with suppress(OSError):  # away, or gone in the middle: the answer says so, and we come again
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    while not self._ending.is_set() and await self._turn(reader, writer):
                        pass
                finally:
                    writer.transport.abort()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _turn(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Issue one, and perhaps revoke it. Whether the connection may be used again."""
        number = next(self._numbers)
        issued = await self._ask(reader, writer, self._issue(f"{self._name} {number}"))
        if issued.status != 201 or number % self._revoke_every:
            return issued.stays_open
        if not issued.stays_open:
            return False
        revoked = await self._ask(reader, writer, _revoke(json.loads(issued.body)["id"]))
        return revoked.stays_open

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> Answer:
        answer = await _exchange(reader, writer, self._port, request, key=ADMIN_KEY)
        self.answers.append(answer)
        if answer.status >= 400:
            await asyncio.sleep(_PAUSE_SECONDS)
        return answer

    def _issue(self, narrative: str) -> Request:
        recipient = {"type": "email", "identity": "somebody@example.org"}
        body = {"achievement": self._achievement, "recipient": recipient, "narrative": narrative}
        return Request("issue", narrative, "POST", "/v3/credentials", body)


def _revoke(credential: str) -> Request:
    path = credential[credential.index("/v3/") :]
    return Request("revoke", credential, "POST", f"{path}/status", {"status": "revoked", "reason": "A test."})


async def asked(port: int, requests: Sequence[Request], *, connections: int = 8, key: str = ADMIN_KEY) -> list[Answer]:
    """The answers to all these, in their order; several at once. Each must have one."""
    found: dict[int, Answer] = {}
    numbered = enumerate(requests)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for number, request in numbered:
                found[number] = await _exchange(reader, writer, port, request, key=key)
        finally:
            writer.transport.abort()

    await asyncio.gather(*(client() for _ in range(min(connections, len(requests)))))
    return [found[number] for number in range(len(requests))]


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, request: Request, *, key: str
) -> Answer:
    headers = {"Authorization": f"Bearer {key}"}
    body = b""
    if request.body is not None:
        headers["Content-Type"] = "application/json"
        body = request.body if isinstance(request.body, bytes) else json.dumps(request.body).encode()
    sent_at = time.monotonic()
    status, fields, content = 0, dict[str, str](), b""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            writer.write(
                request_bytes(request.method, f"http://127.0.0.1:{port}{request.path}", headers=headers, body=body)
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            content = await reader.readexactly(int(fields["content-length"]))
            status = int(head[0].split()[1])
    except (ConnectionError, asyncio.IncompleteReadError):
        status = 0
    except TimeoutError:
        raise AssertionError(f"no answer to {request} within {PATIENCE_SECONDS:g} s") from None
    return Answer(request, status, fields, content, sent_at, time.monotonic() - sent_at)

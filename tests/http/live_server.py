"""A real server of the tests' own: uvicorn on a free loopback port, in a thread, on a real database."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import uvicorn

from lapel.bootstrap import Application, build
from lapel.config import load_settings
from lapel.serving.acceptors import SoleAcceptor
from lapel.serving.server_process import loop_factory, server_of
from tests.support.described_answers import check_answer
from tests.support.server_process import ADMIN_KEY
from tests.support.waiting import eventually

__all__ = ["ADMIN_KEY", "AnyServer", "LiveServer", "live_server"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class AnyServer:
    """A running server and somebody who may do everything on it."""

    url: str

    @property
    def client(self) -> httpx.Client:
        """A client without a key. Whatever it is answered has to be as the OpenAPI description says."""
        # It is plain http; reading the machine's trusted certificates would take longer than most tests.
        return httpx.Client(
            base_url=self.url,
            timeout=60,
            trust_env=False,
            verify=False,  # noqa: S501 - plain http
            event_hooks={"response": [check_answer]},
        )

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET without a key. Underscores in header names are hyphens."""
        with self.client as client:
            return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def ask(self, method: str, path: str, *, key: str = ADMIN_KEY, **options: Any) -> httpx.Response:
        """A request with a key, the administrator's unless told."""
        headers = {"authorization": f"Bearer {key}", **options.pop("headers", {})}
        with self.client as client:
            return client.request(method, path, headers=headers, **options)

    def create(self, path: str, **body: object) -> dict[str, Any]:
        """POST that must succeed: the created resource."""
        response = self.ask("POST", path, json=body)
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created


@dataclass(frozen=True)
class LiveServer(AnyServer):
    """One in a thread of this process."""

    application: Application
    uvicorn: uvicorn.Server
    loop: asyncio.AbstractEventLoop

    @property
    def connections(self) -> list[Any]:
        """The protocols of the connections that are open."""
        return list(self.uvicorn.server_state.connections)

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """What it answers, run where the server runs: for what a server's services do and no route does."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)


@contextmanager
def live_server(environment: Mapping[str, str]) -> Iterator[LiveServer]:
    """A server with these settings, its database migrated; stopped at the end as SIGTERM would stop it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # uvicorn says that it has started a moment before anything is accepted
        port = listening.getsockname()[1]
        settings = load_settings({"LAPEL_ADMIN_KEY": ADMIN_KEY, "LAPEL_PORT": str(port), **environment})
        running: list[tuple[Application, uvicorn.Server, asyncio.AbstractEventLoop]] = []
        failed: list[BaseException] = []
        given_up = threading.Event()

        async def serve() -> None:
            async with build(settings, serves=True) as application:
                await application.database.connect()
                await application.database.migrate()
                await application.start()
                await application.first_key()
                server = server_of(application, SoleAcceptor(listening))
                running.append((application, server, asyncio.get_running_loop()))
                server.should_exit = given_up.is_set()  # else it would go on beside the tests that follow
                await server.serve()

        def run() -> None:
            try:
                with asyncio.Runner(loop_factory=loop_factory()) as runner:
                    runner.run(serve())
            except BaseException as error:
                failed.append(error)

        def accepts() -> bool:  # a moment after uvicorn says that it has started
            return listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1

        thread = threading.Thread(target=run, name="live-server")
        thread.start()
        try:
            assert eventually(lambda: bool(failed) or (bool(running) and running[0][1].started and accepts()))
            if failed:
                raise failed[0]
            yield LiveServer(settings.public_url, *running[0])
        finally:
            given_up.set()
            if running:
                running[0][1].should_exit = True
            thread.join(60)
            assert not thread.is_alive()
        if failed:
            raise failed[0]

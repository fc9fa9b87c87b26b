"""Servers to measure: Lapel as its users run it, and the same stack answering constant bytes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from litestar import Litestar, Response, get
from uvicorn import Config, Server

__all__ = ["ADMIN_KEY", "call", "constant_server", "lapel_server"]

ADMIN_KEY = "lapel_benchmarks_only_0123456789012345678901234"


def call(url: str, body: object = None) -> dict[str, object]:
    """One request with the administrator's key; the JSON that comes back."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
        decoded: dict[str, object] = json.load(answer)
        return decoded


@contextmanager
def lapel_server(environment: Mapping[str, str]) -> Iterator[str]:
    """``lapel serve`` with these settings; its URL."""
    port = _free_port()
    settings = {"LAPEL_PORT": str(port), "LAPEL_ADMIN_KEY": ADMIN_KEY, "LAPEL_RATE_LIMIT": "0", **environment}
    migrated = {**os.environ, **settings}
    subprocess.run([_lapel(), "db", "migrate"], env=migrated, check=True, capture_output=True)
    with _process([_lapel(), "serve"], settings, f"http://127.0.0.1:{port}", "/health/live") as url:
        yield url


@contextmanager
def constant_server(size: int) -> Iterator[str]:
    """A Litestar application on the same uvicorn that answers `size` constant bytes; its URL."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.servers", str(port), str(size)]
    with _process(command, {}, f"http://127.0.0.1:{port}", "/constant") as url:
        yield url


@contextmanager
def _process(command: list[str], settings: Mapping[str, str], url: str, alive: str) -> Iterator[str]:
    process = subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(url + alive, timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _lapel() -> str:
    return str(Path(sys.executable).parent / "lapel")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _serve_constant(port: int, size: int) -> None:
    content = b"x" * size

    @get("/constant", sync_to_thread=False)
    def constant() -> Response[bytes]:
        return Response(content, media_type="application/vc")

    app = Litestar([constant], openapi_config=None, logging_config=None)
    Server(Config(app, port=port, access_log=False, log_config=None, server_header=False, lifespan="on")).run()


if __name__ == "__main__":
    _serve_constant(int(sys.argv[1]), int(sys.argv[2]))

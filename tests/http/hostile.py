"""A client that speaks HTTP byte by byte, as no library would."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import Any

from tests.http.live_server import LiveServer

__all__ = ["HOST", "Reply", "connected", "exchange", "read_to_the_end", "replies"]

HOST = b"Host: x\r\n"


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        headers: names in lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        problem: dict[str, Any] = json.loads(self.body)
        return problem


def connected(server: LiveServer, *, receive_buffer: int | None = None) -> socket.socket:
    host, port = re.fullmatch(r"http://(.*):(\d+)", server.url).groups()  # type: ignore[union-attr]
    connection = socket.socket()
    connection.settimeout(60)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((host, int(port)))
    return connection


def read_to_the_end(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection; a minute of silence is an error."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def replies(received: bytes) -> list[Reply]:
    """The answers, each with its Content-Length."""
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        found.append(Reply(int(lines[0].split()[1]), headers, rest[:length]))
        received = rest[length:]
    return found


def exchange(server: LiveServer, *pieces: bytes) -> list[Reply]:
    """What is answered until the server ends the connection, which it must."""
    with connected(server) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return replies(read_to_the_end(connection))

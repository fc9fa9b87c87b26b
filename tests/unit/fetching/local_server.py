"""A real HTTP server on this machine that answers what a test tells it to, byte by byte."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["Answer", "LocalServer", "Names", "answer", "certificate", "serve"]

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class LocalServer:
    """What is running, and what it was asked."""

    port: int = 0
    answers: dict[str, bytes | Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    server_names: list[str | None] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    handlers: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.handle(reader, writer))
        self.handlers.add(task)

    def url(self, path: str, *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            self.requests.append(request)
            reply = self.answers.get(request.split(" ")[1], answer(b"{}", status="404 Not Found"))
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, as some tests want
        finally:
            self.open_now -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def answer(
    body: bytes, *, status: str = "200 OK", media_type: str | None = "application/json", more: Sequence[str] = ()
) -> bytes:
    """A whole answer with `body`; `more` are further header lines."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more]
    if media_type is not None:
        lines.append(f"Content-Type: {media_type}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serve(*, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[LocalServer]:
    local = LocalServer()
    if ssl_context is not None:
        ssl_context.sni_callback = lambda _socket, name, _context: local.server_names.append(name)
    server = await asyncio.start_server(local.accept, "127.0.0.1", 0, ssl=ssl_context)
    local.port = server.sockets[0].getsockname()[1]
    try:
        yield local
    finally:
        server.close()
        for task in local.handlers:
            task.cancel()
        await asyncio.gather(*local.handlers, return_exceptions=True)
        await server.wait_closed()


@dataclass
class Names:
    """A resolver with names of its own; each look-up of a name takes its next list of addresses, the last for ever."""

    known: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)
    closed: bool = False

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        lists = self.known[host]
        return lists.pop(0) if len(lists) > 1 else lists[0]

    def close(self) -> None:
        self.closed = True


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context with a certificate for `names`, and a client's that trusts it and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lapel tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_subject(text) for text in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + signed.public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=signed.public_bytes(Encoding.PEM).decode("ascii"))


def _subject(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

"""uvicorn's HTTP protocol on a transport that sends the head of an answer together with its body.

uvicorn writes them one after the other, and uvloop sends each write at once: two system calls and two packets for every
answer, which is a tenth of an answer's cost.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["CoalescingHttp", "CoalescingTransport"]

_LINGER_SECONDS = 2


class CoalescingHttp(HttpToolsProtocol):
    """A protocol for ``uvicorn.Config(http=…)``."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(
            CoalescingTransport(cast("asyncio.Transport", transport), self.loop)
        )  # uvloop's transport has the methods of an asyncio.Transport without being a subclass


class CoalescingTransport(asyncio.Transport):
    """Delays a write until the next one, at most for the rest of this iteration of the event loop.

    Attributes:
        flush_seconds: how long the client may take to receive the rest of the last answer after `close`.
        lingers: `close` goes on reading for a moment. If a connection is closed while it has unread data, it is reset,
            and the client may lose the answer (RFC 9112, 9.6).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.flush_seconds = 60.0
        self.lingers = False
        self._transport = transport
        self._loop = loop
        self._pending: bytes | None = None
        self._flush_handle: asyncio.Handle | None = None
        # These are delegated without a method call in between.
        for name in ("get_extra_info", "is_closing", "pause_reading", "resume_reading", "set_protocol"):
            setattr(self, name, getattr(transport, name))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pending = self._pending
        if pending is None:
            self._pending = bytes(data)
            self._flush_handle = self._loop.call_soon(self._send_pending)
        else:
            self._pending = None
            if self._flush_handle is not None:
                self._flush_handle.cancel()
            self._transport.write(pending + data)

    def close(self) -> None:
        self._send_pending()
        if self.lingers and not self._transport.is_closing():
            self.lingers = False
            # To all other code the connection is closed.
            setattr(self, "is_closing", lambda: True)  # noqa: B010 - a method to mypy
            self._transport.write_eof()
            if not self._transport.is_reading():
                self._transport.resume_reading()
            self._loop.call_later(_LINGER_SECONDS, self._transport.abort)
            return
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(self.flush_seconds, self._transport.abort)

    def abort(self) -> None:
        self._transport.abort()

    def _send_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            self._transport.write(pending)

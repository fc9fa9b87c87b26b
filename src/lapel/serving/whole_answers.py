"""uvicorn's HTTP protocol on a transport that sends the head of an answer together with its body.

uvicorn writes the one and then the other, and uvloop sends each at once: two system calls and two packets for every
answer, which is a tenth of what an answer costs.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["JoiningTransport", "WholeAnswers"]

_LINGER_SECONDS = 2


class WholeAnswers(HttpToolsProtocol):
    """For ``uvicorn.Config(http=…)``."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(
            JoiningTransport(cast("asyncio.Transport", transport), self.loop)
        )  # uvloop's is one in all but ancestry


class JoiningTransport(asyncio.Transport):
    """Holds a write back until the next one, at most for the rest of this turn of the loop.

    Attributes:
        flush_seconds: how long the client may take, once all is said, to take it.
        lingers: after the last answer go on reading for a moment. A connection that is closed over unread data is
            reset, and the answer lost with it (RFC 9112, 9.6).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.flush_seconds = 60.0
        self.lingers = False
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self._flush: asyncio.Handle | None = None
        # What is only handed on is the other's own method.
        for name in ("get_extra_info", "is_closing", "pause_reading", "resume_reading", "set_protocol"):
            setattr(self, name, getattr(transport, name))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        held = self._held
        if held is None:
            self._held = bytes(data)
            self._flush = self._loop.call_soon(self._send_held)
        else:
            self._held = None
            if self._flush is not None:
                self._flush.cancel()
            self._transport.write(held + data)

    def close(self) -> None:
        self._send_held()
        if self.lingers and not self._transport.is_closing():
            self.lingers = False
            # For everybody else this is closed.
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

    def _send_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._transport.write(held)

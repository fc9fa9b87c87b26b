"""uvicorn's HTTP protocol, with limits on what a client can make the server hold, and for how long.

uvicorn waits for ever for a request that arrives byte by byte and for a client that does not read its answer, and
accepts any number of pipelined requests, header fields and connections. A request that is refused here is answered in
its turn, by the application (`lapel.http.refusals`), and then the connection is closed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from lapel.serving.write_coalescing import CoalescingHttp, CoalescingTransport

__all__ = ["ConnectionLimits", "GuardedHttp", "guarded"]

MAX_TARGET_BYTES: Final = 8 * 1024
MAX_HEAD_BYTES: Final = 32 * 1024
MAX_FIELDS: Final = 100
MAX_PIPELINED: Final = 64
"""Pipelined requests: how many a client may send before the first of them is answered."""
MAX_CLOSING: Final = 64
"""How many connections beyond the limit may stay open for a moment, to be sent the reason why they are closed."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on connections.

    Attributes:
        connections: how many may be open at the same time. When there is one more, a connection that waits for a
            request is closed; up to `MAX_CLOSING` of those may stay open for a moment in addition.
        client_seconds: how long a client may take from a request's first byte to its last, and to read an answer.
        head_seconds: how long it may take from the opening, or from a request's first byte, to the end of the head.
    """

    connections: int
    client_seconds: float
    head_seconds: float = 15.0


class GuardedHttp(CoalescingHttp):
    """A protocol for ``uvicorn.Config(http=…)``; `guarded` makes a class of it for given limits."""

    limits: ClassVar[ConnectionLimits]
    closing: ClassVar[dict[GuardedHttp, None]]
    """Connections that are about to close and do not count any more, the oldest first."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refused = False
        self._reason = ""  # the code with which the request is refused; malformed_request if it is empty
        self._incomplete = False  # a request has begun and is not complete
        self._progressed = False  # a request, or a part of its body, began in the data that is being parsed
        self._data_size = 0  # the size of that data
        self._overhead = 0  # bytes of the request before that data, since its beginning or the last part of its body
        self._waiting_since = 0.0
        self._read_timer: asyncio.TimerHandle | None = None  # for the client to send a request
        self._write_timer: asyncio.TimerHandle | None = None  # for the client to read an answer

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._coalescing_transport.flush_seconds = self.limits.client_seconds
        if len(self.connections) > self.limits.connections and not self._close_another():
            self._refuse("too_many_connections")
            self._give_up_place()
        else:
            self._start_read_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_read_timer()
        self._stop_write_timer()
        self.closing.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._refused or self.transport.is_closing():
            return
        self._data_size = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._decline_upgrade()
        except httptools.HttpParserError:
            self._refuse(self._reason or "malformed_request")
        else:
            if self._incomplete or self._unanswered is None:
                self._check_progress()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.client_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    # --- callbacks of the parser ---

    def on_message_begin(self) -> None:
        self._incomplete = self._progressed = True
        self._overhead = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if reason := self._head_error():
            self._reason = reason
            raise ValueError(reason)  # makes the parser stop
        super().on_headers_complete()
        # The application has these fields; the parser adds trailer fields to this list, which must not be taken for
        # header fields (RFC 9110, 6.5.1).
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        self._progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._incomplete = False
        if self._read_timer is not None:
            self._stop_read_timer()
            self._coalescing_transport.lingers = False
        super().on_message_complete()

    # --- Lapel's own ---

    @property
    def _coalescing_transport(self) -> CoalescingTransport:
        return cast("CoalescingTransport", self.transport)

    @property
    def _unanswered(self) -> RequestResponseCycle | None:
        """The latest request, if it has not been answered completely."""
        return None if self.cycle is None or self.cycle.response_complete else self.cycle

    def _head_error(self) -> str:
        """Return the code of what is wrong with a request's head; empty if nothing is."""
        if len(self.url) > MAX_TARGET_BYTES:
            return "address_too_long"
        if len(self.headers) > MAX_FIELDS:
            return "head_too_large"
        if self._overhead + self._data_size > MAX_HEAD_BYTES and _size(self.headers) > MAX_HEAD_BYTES:
            return "head_too_large"
        if len(self.pipeline) >= MAX_PIPELINED:
            return "too_many_requests"
        names = [name for name, _ in self.headers]
        version = self.parser.get_http_version()
        if version == "1.1":
            if names.count(b"host") != 1:  # RFC 9112, 3.2
                return "malformed_request"
            return "unknown_transfer_coding" if b"transfer-encoding" in names and self._has_more_codings() else ""
        # HTTP/1.0 has no chunked bodies (RFC 9112, 6.1): a proxy in between might see another end of this one.
        return "malformed_request" if version != "1.0" or b"transfer-encoding" in names else ""

    def _has_more_codings(self) -> bool:
        """Return whether the body has another transfer coding below `chunked` (RFC 9112, 6.1)."""
        codings = b",".join(value for name, value in self.headers if name == b"transfer-encoding").lower().split(b",")
        return len(codings) > 1 and codings[-1].strip() == b"chunked"  # if it is not last, the parser refuses the body

    def _check_progress(self) -> None:
        """Check the data that was parsed last: bound the request's overhead, and start the timer for its rest."""
        if not self._incomplete:
            if self._read_timer is None:  # line breaks alone do not begin a request
                self._start_read_timer()
            return
        if self._progressed:
            self._progressed = False
        else:
            self._overhead += self._data_size
            if self._overhead > MAX_HEAD_BYTES:  # of header fields, chunk extensions, or trailer fields
                self._refuse("malformed_request" if self._head_is_complete() else "head_too_large")
                return
        if self._read_timer is None:
            self._start_read_timer()
        # The request may be answered, and the connection closed, before the rest of it has arrived.
        self._coalescing_transport.lingers = True

    def _head_is_complete(self) -> bool:
        return self.cycle is not None and self.cycle.scope is self.scope

    def _start_read_timer(self) -> None:
        self._waiting_since = self.loop.time()
        self._read_timer = self.loop.call_later(
            min(self.limits.head_seconds, self.limits.client_seconds), self._on_read_timeout
        )

    def _on_read_timeout(self) -> None:
        self._read_timer = None
        if self.transport.is_closing():
            return
        if not self._incomplete:
            if self._unanswered is None:
                self.transport.close()
            return
        head_is_complete = self._head_is_complete()
        remaining = self._waiting_since + self.limits.client_seconds - self.loop.time()
        if head_is_complete and remaining > 0:
            self._read_timer = self.loop.call_later(remaining, self._on_read_timeout)
        elif self.flow.read_paused or (self._unanswered is not None and not head_is_complete):
            self._start_read_timer()  # the client waits for the server, not the server for the client
        else:
            self._refuse("request_timeout")

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _close_another(self) -> bool:
        """Close another connection that has no unanswered request, or an incomplete one. Returns False if none has."""
        others = [other for other in self.connections if isinstance(other, GuardedHttp) and other is not self]
        for other in others:
            if other._unanswered is None:
                other._coalescing_transport.lingers = False  # no answer can be lost, and its place is needed now
                other.transport.close()
                other._give_up_place()
                return True
        for other in others:
            if other._incomplete and not other._refused:
                other._refuse("too_many_connections")
                other._give_up_place()
                return True
        return False

    def _give_up_place(self) -> None:
        """Stop counting among the connections. If too many are in this state, the oldest one is aborted."""
        self.connections.discard(self)
        self.closing[self] = None
        if len(self.closing) > MAX_CLOSING:
            oldest = next((other for other in self.closing if other._unanswered is None), next(iter(self.closing)))
            del self.closing[oldest]
            oldest.transport.abort()

    def _decline_upgrade(self) -> None:
        """Answer as if no other protocol had been asked for, and close: the parser cannot read further requests."""
        self._refused = True
        if self._unanswered is not None:
            self._unanswered.keep_alive = False

    def _refuse(self, reason: str) -> None:
        """Answer with the error of that code once the requests before it are answered, and close the connection."""
        self._refused = True
        self._stop_read_timer()
        self._coalescing_transport.lingers = True
        if self._incomplete and self._head_is_complete() and self.cycle.response_complete:
            self.transport.close()  # the request has been answered already
            return
        current, self.cycle = self._unanswered, self._refusal(reason)
        if current is not None and not (self._incomplete and current.scope is self.scope):
            self.pipeline.appendleft((self.cycle, self.app))
        elif current is not None and self.pipeline and self.pipeline[0][0] is current:
            self.pipeline[0] = (self.cycle, self.app)
        elif current is not None and current.response_started:
            self.transport.close()
        else:
            if current is not None:  # the application is working on it already: its answer is discarded
                current.disconnected = True
                current.message_event.set()
            self._start_asgi_task(self.cycle, self.app)

    def _refusal(self, reason: str) -> RequestResponseCycle:
        scope: Any = {"type": "refusal", "reason": reason, "method": "GET", "headers": [], "client": self.client}
        return RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )


def guarded(limits: ConnectionLimits) -> type[GuardedHttp]:
    """Return the protocol class with these limits."""
    return type("GuardedHttp", (GuardedHttp,), {"limits": limits, "closing": {}})


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)

"""uvicorn's HTTP protocol, with limits on what a stranger can make it hold, and for how long.

uvicorn waits for ever for a request that comes byte by byte and for a client that does not read its answer, and takes
as many requests, header fields and connections as come. What is refused here is answered in its turn, by the
application (`lapel.http.refusals`), and then the connection ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from lapel.serving.whole_answers import JoiningTransport, WholeAnswers

__all__ = ["ConnectionLimits", "GuardedHttp", "guarded"]

LONGEST_ADDRESS: Final = 8 * 1024
LARGEST_HEAD: Final = 32 * 1024
MOST_FIELDS: Final = 100
MOST_AHEAD: Final = 64
"""Requests that a client may send before the first of them is answered."""
MOST_LEAVING: Final = 64
"""Connections beyond the limit that have given up their place, and may still be sent why, and read to their end."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may take.

    Attributes:
        connections: open at the same time. When one more comes, one that waits for a request has to go; MOST_LEAVING of
            those may stay for a moment besides.
        head_seconds: from the opening, or a request's first byte, to the end of its header fields.
        client_seconds: from a request's first byte to its last; and as long as that may an answer be left unread.
    """

    connections: int
    client_seconds: float
    head_seconds: float = 15.0


class GuardedHttp(WholeAnswers):
    """For ``uvicorn.Config(http=…)``, from `guarded`."""

    limits: ClassVar[ConnectionLimits]
    leaving: ClassVar[dict[GuardedHttp, None]]
    """Those that count among the server's connections no more, the first one first."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refused = False
        self._reason = ""  # for which the request is refused, if not as malformed
        self._incomplete = False  # a request has begun, and not ended
        self._heard = False  # it, or a part of its body, began in the piece that is being read
        self._piece = 0  # the size of that
        self._unheard = 0  # what has come of a request, before that, since a part of its body came
        self._waits_since = 0.0
        self._patience: asyncio.TimerHandle | None = None  # for the client to send
        self._unread: asyncio.TimerHandle | None = None  # for the client to read

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._joining.flush_seconds = self.limits.client_seconds
        if len(self.connections) > self.limits.connections and not self._make_room():
            self._refuse("too_many_connections")
            self._leave()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_watching()
        self.leaving.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._refused or self.transport.is_closing():
            return
        self._piece = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._decline_upgrade()
        except httptools.HttpParserError:
            self._refuse(self._reason or "malformed_request")
        else:
            if self._incomplete or self._unanswered is None:
                self._look_at_what_is_missing()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.client_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching()

    # What the parser calls

    def on_message_begin(self) -> None:
        self._incomplete = self._heard = True
        self._unheard = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if reason := self._why_not():
            self._reason = reason
            raise ValueError(reason)  # which makes the parser stop
        super().on_headers_complete()
        # Fields after the body must not be taken for header fields (RFC 9110, 6.5.1); the application has the others.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._unheard = 0
        self._heard = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._incomplete = False
        if self._patience is not None:
            self._stop_waiting()
            self._joining.lingers = False
        super().on_message_complete()

    # Ours

    @property
    def _joining(self) -> JoiningTransport:
        return cast("JoiningTransport", self.transport)

    @property
    def _unanswered(self) -> RequestResponseCycle | None:
        """The last request that came, where it still waits for its answer."""
        return None if self.cycle is None or self.cycle.response_complete else self.cycle

    def _why_not(self) -> str:
        """The code of what is wrong with a head; empty where nothing is."""
        if len(self.url) > LONGEST_ADDRESS:
            return "address_too_long"
        if len(self.headers) > MOST_FIELDS:
            return "head_too_large"
        if self._unheard + self._piece > LARGEST_HEAD and _size(self.headers) > LARGEST_HEAD:
            return "head_too_large"
        if len(self.pipeline) >= MOST_AHEAD:
            return "too_many_requests"
        names = [name for name, _ in self.headers]
        version = self.parser.get_http_version()
        if version == "1.1":
            if names.count(b"host") != 1:  # RFC 9112, 3.2
                return "malformed_request"
            return "unknown_transfer_coding" if b"transfer-encoding" in names and self._is_coded() else ""
        # A body in chunks does not go with 1.0 (RFC 9112, 6.1): whoever is between us would find another end of it.
        return "malformed_request" if version != "1.0" or b"transfer-encoding" in names else ""

    def _is_coded(self) -> bool:
        """Whether the chunks of the body hold what is coded again (RFC 9112, 6.1)."""
        codings = b",".join(value for name, value in self.headers if name == b"transfer-encoding").lower().split(b",")
        return len(codings) > 1 and codings[-1].strip() == b"chunked"  # else it has no end, and the parser refuses it

    def _look_at_what_is_missing(self) -> None:
        if not self._incomplete:
            if self._patience is None:  # line breaks alone begin no request
                self._wait()
            return
        if self._heard:
            self._heard = False
        else:
            self._unheard += self._piece
            if self._unheard > LARGEST_HEAD:  # of header fields, extensions of a chunk, fields after the body
                self._refuse("malformed_request" if self._head_is_complete() else "head_too_large")
                return
        if self._patience is None:
            self._wait()
        self._joining.lingers = True  # should it be answered, and the connection closed, before the rest has come

    def _head_is_complete(self) -> bool:
        return self.cycle is not None and self.cycle.scope is self.scope

    def _wait(self) -> None:
        self._waits_since = self.loop.time()
        self._patience = self.loop.call_later(
            min(self.limits.head_seconds, self.limits.client_seconds), self._patience_is_over
        )

    def _patience_is_over(self) -> None:
        self._patience = None
        if self.transport.is_closing():
            return
        if not self._incomplete:
            if self._unanswered is None:
                self.transport.close()
            return
        in_its_turn = self._head_is_complete()
        missing = self._waits_since + self.limits.client_seconds - self.loop.time()
        if in_its_turn and missing > 0:
            self._patience = self.loop.call_later(missing, self._patience_is_over)
        elif self.flow.read_paused or (self._unanswered is not None and not in_its_turn):
            self._wait()  # it is we who are slow
        else:
            self._refuse("request_timeout")

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stop_watching(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _make_room(self) -> bool:
        """End a connection that owes nobody an answer, or waits for the rest of a request. False if there is none."""
        others = [other for other in self.connections if isinstance(other, GuardedHttp) and other is not self]
        for other in others:
            if other._unanswered is None:
                other._joining.lingers = False  # no answer can be lost, and its place is needed now
                other.transport.close()
                other._leave()
                return True
        for other in others:
            if other._incomplete and not other._refused:
                other._refuse("too_many_connections")
                other._leave()
                return True
        return False

    def _leave(self) -> None:
        """Give up the place to another connection. Where too many are about to go, the first of them goes at once."""
        self.connections.discard(self)
        self.leaving[self] = None
        if len(self.leaving) > MOST_LEAVING:
            first = next((one for one in self.leaving if one._unanswered is None), next(iter(self.leaving)))
            del self.leaving[first]
            first.transport.abort()

    def _decline_upgrade(self) -> None:
        """Answer as if nobody had asked for another protocol. The parser reads no further, so that it is the last."""
        self._refused = True
        if self._unanswered is not None:
            self._unanswered.keep_alive = False

    def _refuse(self, reason: str) -> None:
        """Answer why the request is not taken, once those before it are answered, and end the connection."""
        self._refused = True
        self._stop_waiting()
        self._joining.lingers = True
        if self._incomplete and self._head_is_complete() and self.cycle.response_complete:
            self.transport.close()  # it has been answered already
            return
        before, self.cycle = self._unanswered, self._refusal(reason)
        if before is not None and not (self._incomplete and before.scope is self.scope):
            self.pipeline.appendleft((self.cycle, self.app))
        elif before is not None and self.pipeline and self.pipeline[0][0] is before:
            self.pipeline[0] = (self.cycle, self.app)
        elif before is not None and before.response_started:
            self.transport.close()
        else:
            if before is not None:  # the application works on it already: nobody hears what comes of that
                before.disconnected = True
                before.message_event.set()
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
    """The protocol under these limits."""
    return type("GuardedHttp", (GuardedHttp,), {"limits": limits, "leaving": {}})


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)

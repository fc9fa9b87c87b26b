"""From where a request comes. What a request sets off runs in its context, so that nobody needs to hand this down."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, NamedTuple

__all__ = ["NOWHERE", "Origin", "origin"]


class Origin(NamedTuple):
    """Attributes:
    address: the client's.
    request_id: what the request is called in the log, and in the header ``X-Request-Id`` of its answer.
    """

    address: str | None
    request_id: str | None


NOWHERE: Final = Origin(None, None)
"""Of what no request has asked for."""

origin: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)
"""Whose request this context belongs to; `lapel.http.auth` sets it."""

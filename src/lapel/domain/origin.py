"""The origin of the current request, in a context variable so that it need not be passed through every call."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from msgspec import Struct

__all__ = ["NO_REQUEST", "Origin", "origin"]


class Origin(Struct, frozen=True):
    """Where a request comes from.

    Attributes:
        address: the client's address.
        request_id: identifies the request in the log and in the ``X-Request-Id`` header of the response.
    """

    address: str | None
    request_id: str | None


NO_REQUEST: Final = Origin(None, None)
"""The origin of work that no request has started."""

origin: ContextVar[Origin] = ContextVar("origin", default=NO_REQUEST)
"""The origin of the request that is being handled; set by `lapel.http.auth`."""

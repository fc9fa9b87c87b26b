"""Requests that the server refuses before they are whole, because of what they are or how they come."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from litestar.types import Scope

from lapel.errors import LapelError, TooManyRequests
from lapel.http.errors import (
    AddressTooLong,
    HeadTooLarge,
    MalformedRequest,
    RequestTimeout,
    TooManyConnections,
    UnknownTransferCoding,
)

__all__ = ["refusal_of"]

_REFUSALS: Final[Mapping[object, type[LapelError]]] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            AddressTooLong,
            HeadTooLarge,
            MalformedRequest,
            RequestTimeout,
            TooManyConnections,
            TooManyRequests,
            UnknownTransferCoding,
        )
    }
)


def refusal_of(scope: Scope) -> LapelError | None:
    """Why a request is refused, where the ``type`` of `scope` is ``refusal``; its ``reason`` is the error's code."""
    given: Mapping[str, object] = scope
    if given["type"] != "refusal":
        return None
    return _REFUSALS[given["reason"]]()

"""Errors for requests that the server process refuses before they are complete (`lapel.serving.guarded_http`)."""

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
    """Return the error for a scope of the ``type`` ``refusal``, whose ``reason`` is its code; None for any other."""
    fields: Mapping[str, object] = scope
    if fields["type"] != "refusal":
        return None
    return _REFUSALS[fields["reason"]]()

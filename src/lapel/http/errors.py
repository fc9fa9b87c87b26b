"""Failures that only HTTP knows."""

from __future__ import annotations

from collections.abc import Sequence

from lapel.errors import InvalidInput, LapelError, TooLarge, Unavailable, Unsupported

__all__ = [
    "AddressTooLong",
    "BadCursor",
    "EmptyBody",
    "HeadTooLarge",
    "MalformedRequest",
    "MethodNotAllowed",
    "NotAcceptable",
    "RequestTimeout",
    "TooManyConnections",
    "TookTooLong",
    "UnknownTransferCoding",
    "UnsupportedMediaType",
]


class MalformedRequest(InvalidInput):
    """The request cannot be read."""

    code = "malformed_request"


class BadCursor(MalformedRequest):
    """This cursor was not made by this server, or not for this list with these filters."""

    code = "bad_cursor"
    hint = "Follow `next` as it was given, or leave `cursor` out to begin with the first page."


class EmptyBody(MalformedRequest):
    """The body is empty."""

    hint = "Send a JSON object; /docs shows its members."


class MethodNotAllowed(LapelError):
    """This address does not answer to that method."""

    code = "method_not_allowed"

    def __init__(self, *, allow: str) -> None:
        super().__init__(hint=f"It answers to {allow}.")
        self.allow = allow


class NotAcceptable(LapelError):
    """There is no form of this that the Accept header allows."""

    code = "not_acceptable"


class UnsupportedMediaType(LapelError):
    """The body's Content-Type is not one that this address reads."""

    code = "unsupported_media_type"
    accept_patch: Sequence[str] = ()
    """What it reads, where the request was a PATCH (RFC 5789, 2.2)."""


class AddressTooLong(TooLarge):
    """The address is longer than this server reads."""

    code = "address_too_long"


class HeadTooLarge(TooLarge):
    """The header fields are larger, or more, than this server reads."""

    code = "head_too_large"


class UnknownTransferCoding(Unsupported):
    """The body comes in another transfer coding than `chunked` alone."""

    code = "unknown_transfer_coding"
    hint = "Send the body in chunks alone, or with its Content-Length; compressed bodies are not taken."


class RequestTimeout(LapelError):
    """The request did not come in time."""

    code = "request_timeout"
    hint = "Send it again, at once and whole."


class TooManyConnections(Unavailable):
    """All connections of this server are in use."""

    code = "too_many_connections"


class TookTooLong(Unavailable):
    """The work on this request took too long and was given up."""

    code = "took_too_long"
    hint = "What it should change may have been changed: look before you ask again."

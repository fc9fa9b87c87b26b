"""Errors that only the HTTP interface raises."""

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
    "UnknownContentCoding",
    "UnknownTransferCoding",
    "UnsupportedMediaType",
]


class MalformedRequest(InvalidInput):
    """The request cannot be read."""

    code = "malformed_request"


class BadCursor(MalformedRequest):
    """This cursor is not from this server, or was made for another list or other filters."""

    code = "bad_cursor"
    hint = "Follow `next` exactly as it was given, or leave `cursor` out to start with the first page."


class EmptyBody(MalformedRequest):
    """The body is empty."""

    hint = "Send a JSON object; /docs shows its members."


class MethodNotAllowed(LapelError):
    """That method is not allowed at this address."""

    code = "method_not_allowed"

    def __init__(self, *, allow: str) -> None:
        super().__init__(hint=f"Allowed are {allow}.")
        self.allow = allow


class NotAcceptable(LapelError):
    """This is not available in any form that the Accept header allows."""

    code = "not_acceptable"


class UnsupportedMediaType(LapelError):
    """The body's Content-Type is not one that this address accepts."""

    code = "unsupported_media_type"
    accept_patch: Sequence[str] = ()
    """The media types that the address accepts, if the request was a PATCH (RFC 5789, 2.2)."""


class UnknownContentCoding(UnsupportedMediaType):
    """The body has a Content-Encoding, and this server accepts none."""

    code = "unknown_content_coding"
    hint = "Send the body uncompressed, without `Content-Encoding`."


class AddressTooLong(TooLarge):
    """The address is longer than this server accepts."""

    code = "address_too_long"


class HeadTooLarge(TooLarge):
    """The header fields are too many, or too large."""

    code = "head_too_large"


class UnknownTransferCoding(Unsupported):
    """The body comes in another transfer coding than `chunked` alone."""

    code = "unknown_transfer_coding"
    hint = "Send the body in chunks alone, or with its Content-Length; compressed bodies are not taken."


class RequestTimeout(LapelError):
    """The request did not arrive in time."""

    code = "request_timeout"
    hint = "Send it again, without pauses."


class TooManyConnections(Unavailable):
    """All connections of this server are in use."""

    code = "too_many_connections"


class TookTooLong(Unavailable):
    """The work on this request took too long and was given up."""

    code = "took_too_long"
    hint = "What it was to change may have been changed: check before you send it again."

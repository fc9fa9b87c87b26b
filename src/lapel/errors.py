"""The base classes of every failure that Lapel reports: each has a stable code, a message, and a hint on what to do.

The docstring of an error class is its default message. Codes are part of the public interface: they appear in
problem documents, on the command line and in logs, and never change their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "Conflict",
    "FieldError",
    "Forbidden",
    "Gone",
    "InUse",
    "InvalidInput",
    "InvalidToken",
    "LapelError",
    "NotFound",
    "PreconditionFailed",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "pointer_step",
]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one member of the input.

    Attributes:
        pointer: where, as a JSON Pointer (RFC 6901) such as ``/recipient/identity``; ``""`` is the whole document.
        detail: what is wrong with it, in a sentence.
        code: a stable code for programs.
    """

    pointer: str
    detail: str
    code: str = "invalid"


def pointer_step(name: str) -> str:
    """Return a member's name as it is written in a JSON Pointer (RFC 6901, 3)."""
    return name.replace("~", "~0").replace("/", "~1")


class LapelError(Exception):
    """Something went wrong inside the server."""

    code: ClassVar[str] = "internal_error"
    hint: str | None = None

    def __init__(
        self, detail: str | None = None, *, hint: str | None = None, errors: Sequence[FieldError] = ()
    ) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().partition("\n")[0]
        if hint is not None:
            self.hint = hint
        self.errors = tuple(errors)
        super().__init__(self.detail)


class InvalidInput(LapelError):
    """The input is not valid."""

    code = "invalid_input"


class Unsupported(LapelError):
    """This is not supported here."""

    code = "unsupported"


class TooLarge(LapelError):
    """The input is larger than this server accepts."""

    code = "too_large"


class Unauthorized(LapelError):
    """This needs an API key."""

    code = "unauthorized"
    hint = "Send `Authorization: Bearer KEY`; `lapel apikey create` makes a key."


class InvalidToken(Unauthorized):
    """This access token is not valid."""

    code = "invalid_token"
    hint = "Get a new one from your identity provider; docs/access.md lists what it must contain."


class Forbidden(LapelError):
    """You are not allowed to do that."""

    code = "forbidden"


class NotFound(LapelError):
    """There is nothing at this address."""

    code = "not_found"


class Gone(LapelError):
    """What was here is no longer valid."""

    code = "gone"


class Conflict(LapelError):
    """The request conflicts with what is stored.

    Attributes:
        location: the address of the stored resource, where the caller may know it.
    """

    code = "conflict"
    location: str | None = None


class InUse(Conflict):
    """Something else still depends on this."""

    code = "in_use"


class PreconditionFailed(LapelError):
    """The resource has changed since it was read."""

    code = "precondition_failed"
    hint = "Read the resource again and repeat the change."


class TooManyRequests(LapelError):
    """There were too many requests; wait a moment.

    Attributes:
        fields: header fields of the answer that describe the limit.
    """

    code = "too_many_requests"
    hint = "Wait as many seconds as `Retry-After` says, then try again."
    retry_after_seconds: int = 1
    fields: Mapping[str, str] = {}


class Unavailable(LapelError):
    """The service cannot do this right now."""

    code = "unavailable"
    hint = "Try again in a moment."
    retry_after_seconds: int = 1

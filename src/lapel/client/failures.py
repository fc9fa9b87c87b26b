"""What can come instead of an answer. Catch `RequestFailed` for all of it."""

from __future__ import annotations

from typing import ClassVar

import httpx
import msgspec

from lapel.errors import FieldError
from lapel.services.answers import ProblemDocument

__all__ = [
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "PreconditionFailed",
    "RequestFailed",
    "RequestRefused",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "is_problem",
    "refusal",
    "retry_after",
]


class RequestFailed(Exception):
    """A request to the server has not led to what was asked for."""


class Unreachable(RequestFailed):
    """No answer came. What the request was to do may have happened; with an Idempotency-Key it is safe to repeat."""


class UnexpectedAnswer(RequestFailed):
    """What came is not what a Lapel server of this version answers."""


class RequestRefused(RequestFailed):
    """The server says no, in a problem document (RFC 9457).

    Attributes:
        status: of HTTP.
        code: stable, for programs; ``/docs/errors`` of the server explains each.
        hint: what to do about it.
        errors: what is wrong with which member of the body.
        request_id: under which the server's log says more.
        retry_after: seconds to wait before asking again.
    """

    statuses: ClassVar[tuple[int, ...]] = ()

    def __init__(self, problem: ProblemDocument, *, retry_after: float | None = None) -> None:
        self.status = problem.status
        self.code = problem.code
        self.detail = problem.detail
        self.hint = problem.hint
        self.errors = tuple(FieldError(entry.pointer, entry.detail, entry.code) for entry in problem.errors)
        self.request_id = problem.request_id
        self.retry_after = retry_after
        super().__init__(" ".join(filter(None, (f"{problem.status} {problem.code}: {problem.detail}", problem.hint))))


class Unauthorized(RequestRefused):
    """The API key is missing, or nobody's."""

    statuses = (401,)


class Forbidden(RequestRefused):
    """The API key may not do that."""

    statuses = (403,)


class NotFound(RequestRefused):
    """There is no such thing."""

    statuses = (404,)


class Gone(RequestRefused):
    """It is no longer valid."""

    statuses = (410,)


class Conflict(RequestRefused):
    """It conflicts with what is stored."""

    statuses = (409,)


class PreconditionFailed(RequestRefused):
    """It has changed since it was read."""

    statuses = (412,)


class Invalid(RequestRefused):
    """The request cannot be read, or what it says is not valid: see ``errors``."""

    statuses = (400, 413, 415, 422)


class TooManyRequests(RequestRefused):
    """There were too many requests, and waiting did not help."""

    statuses = (429,)


class Unavailable(RequestRefused):
    """The server cannot do it now, and waiting did not help."""

    statuses = (503,)


_KINDS = {status: kind for kind in RequestRefused.__subclasses__() for status in kind.statuses}


def is_problem(response: httpx.Response) -> bool:
    """Whether it is a problem document."""
    media_type: str = response.headers.get("content-type", "").partition(";")[0]
    return media_type == "application/problem+json"


def refusal(response: httpx.Response) -> RequestFailed:
    """The error that an answer which is no success stands for."""
    if is_problem(response):
        try:
            problem = msgspec.json.decode(response.content, type=ProblemDocument)
        except msgspec.DecodeError:
            return UnexpectedAnswer(f"{response.status_code} from {response.url}, with a problem that cannot be read")
        return _KINDS.get(problem.status, RequestRefused)(problem, retry_after=retry_after(response))
    if response.status_code == 410:  # an assertion that is withdrawn tells so in a document of Open Badges 2.0
        withdrawn = ProblemDocument(str(response.url), "Gone", 410, "It is revoked, or suspended.", "gone")
        return Gone(withdrawn)
    return UnexpectedAnswer(f"{response.status_code} from {response.url}: {response.text[:200]}")


def retry_after(response: httpx.Response) -> float | None:
    """How many seconds the server wants to be left alone."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None

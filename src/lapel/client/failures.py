"""The client's exceptions. `RequestFailed` is the base class of all of them."""

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
    """A request to the server has failed."""


class Unreachable(RequestFailed):
    """No answer arrived. The request may have been carried out; with an Idempotency-Key it is safe to repeat it."""


class UnexpectedAnswer(RequestFailed):
    """The answer is not one that a Lapel server of this version sends."""


class RequestRefused(RequestFailed):
    """The server has refused the request, with a problem document (RFC 9457).

    Attributes:
        status: the HTTP status.
        code: a stable code for programs; the server's ``/docs/errors`` explains each.
        detail: what is wrong, in a sentence.
        hint: what to do about it.
        errors: the wrong members of the body.
        request_id: identifies the request in the server's log.
        retry_after: seconds to wait before the next attempt.
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
    """The API key is missing or not valid."""

    statuses = (401,)


class Forbidden(RequestRefused):
    """The API key may not do that."""

    statuses = (403,)


class NotFound(RequestRefused):
    """The resource does not exist."""

    statuses = (404,)


class Gone(RequestRefused):
    """The resource is no longer valid, or no longer there."""

    statuses = (410,)


class Conflict(RequestRefused):
    """The request conflicts with what is stored."""

    statuses = (409,)


class PreconditionFailed(RequestRefused):
    """The resource has changed since it was read."""

    statuses = (412,)


class Invalid(RequestRefused):
    """The request cannot be read, or some of its members are not valid: see ``errors``."""

    statuses = (400, 413, 415, 422)


class TooManyRequests(RequestRefused):
    """There were too many requests, and waiting did not help."""

    statuses = (429,)


class Unavailable(RequestRefused):
    """The server cannot do this right now, and waiting did not help."""

    statuses = (503,)


_KINDS = {status: kind for kind in RequestRefused.__subclasses__() for status in kind.statuses}


def is_problem(response: httpx.Response) -> bool:
    """Return whether the answer is a problem document."""
    media_type: str = response.headers.get("content-type", "").partition(";")[0]
    return media_type == "application/problem+json"


def refusal(response: httpx.Response) -> RequestFailed:
    """Return the exception for an answer that is not a success."""
    if is_problem(response):
        try:
            problem = msgspec.json.decode(response.content, type=ProblemDocument)
        except msgspec.DecodeError:
            return UnexpectedAnswer(f"{response.status_code} from {response.url}, with a problem that cannot be read")
        return _KINDS.get(problem.status, RequestRefused)(problem, retry_after=retry_after(response))
    if response.status_code == 410:  # a revoked or suspended assertion is answered with an Open Badges 2.0 document
        return Gone(ProblemDocument(str(response.url), "Gone", 410, "It is revoked, or suspended.", "gone"))
    return UnexpectedAnswer(f"{response.status_code} from {response.url}: {response.text[:200]}")


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds in ``Retry-After``; None if there are none."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None

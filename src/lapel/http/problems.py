"""Every failure as a problem document (RFC 9457)."""

from __future__ import annotations

from typing import TypeAlias

import structlog
from litestar import Response
from litestar.connection import Request
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap, Scope
from msgspec import Struct, json

from lapel.domain.fetching import FetchFailed, FetchRefused
from lapel.errors import (
    Conflict,
    Forbidden,
    Gone,
    InvalidInput,
    InvalidToken,
    LapelError,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from lapel.http.answer import PUBLIC, Answer
from lapel.http.errors import (
    AddressTooLong,
    EmptyBody,
    HeadTooLarge,
    MalformedRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    UnsupportedMediaType,
)
from lapel.openbadges.shapes import Uri

__all__ = [
    "PROBLEM_MEDIA_TYPE",
    "Problem",
    "ProblemEntry",
    "problem_answer",
    "problem_handlers",
    "request_id",
    "status_of",
]

PROBLEM_MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger("lapel.http")

_AnyRequest: TypeAlias = "Request[object, object, State]"

_STATUSES: tuple[tuple[type[LapelError], int], ...] = (
    (UnsupportedMediaType, 415),
    (NotAcceptable, 406),
    (MethodNotAllowed, 405),
    (RequestTimeout, 408),
    (AddressTooLong, 414),
    (HeadTooLarge, 431),
    (TooLarge, 413),
    (Unauthorized, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Gone, 410),
    (PreconditionFailed, 412),
    (Conflict, 409),
    (TooManyRequests, 429),
    (Unavailable, 503),
    (Unsupported, 501),
    (InvalidInput, 400),
    (FetchRefused, 400),
    (FetchFailed, 502),
)


class ProblemEntry(Struct):
    """One thing wrong with one member of the request's body.

    Attributes:
        pointer: where, as a JSON Pointer (RFC 6901).
    """

    pointer: str
    detail: str
    code: str


class Problem(Struct, omit_defaults=True):
    """A problem document (RFC 9457, 3). ``code``, ``hint``, ``errors`` and ``request_id`` are extension members."""

    type: Uri
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    errors: list[ProblemEntry] = []
    request_id: str | None = None


def status_of(error: LapelError) -> int:
    """The HTTP status of `error`.

    A body that cannot be read is 400; one that can, but whose members are wrong, is 422 (RFC 9110, 15.5.21).
    """
    if isinstance(error, InvalidInput | Unsupported) and error.errors:
        return 422
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def request_id(scope: Scope) -> str | None:
    """What the frame called this request."""
    value = scope.get("state", {}).get("request_id")
    return value if isinstance(value, str) else None


def problem_answer(error: LapelError, *, base: str, request_id: str | None) -> Answer:
    """What is said of `error`, as it is.

    Args:
        base: this server's address.
        request_id: what the frame called the request.
    """
    status = status_of(error)
    problem = Problem(
        type=f"{base}/docs/errors#{error.code}",
        title=_title(error),
        status=status,
        detail=error.detail,
        code=error.code,
        hint=error.hint,
        errors=[ProblemEntry(entry.pointer, entry.detail, entry.code) for entry in error.errors],
        request_id=request_id,
    )
    return Answer(json.encode(problem), status_code=status, media_type=PROBLEM_MEDIA_TYPE, headers=_headers(error))


def problem_handlers(public_url: str) -> ExceptionHandlersMap:
    """Litestar's exception handlers: whatever is raised comes out as a problem document."""

    def render(request: _AnyRequest, error: LapelError) -> Response[bytes]:
        answer = problem_answer(error, base=public_url, request_id=request_id(request.scope))
        return Response(
            answer.body, status_code=answer.status_code, media_type=PROBLEM_MEDIA_TYPE, headers=_headers(error)
        )

    def on_lapel_error(request: _AnyRequest, error: LapelError) -> Response[bytes]:
        status = status_of(error)
        if status == 500:
            # The text may hold what only the operator should see; the log has it under the request's id.
            _log.error("request_failed", exc_info=error)
            return render(request, LapelError(hint=_REPORT))
        if isinstance(error, Unavailable):
            # Its text may name the database's host and user, which are nobody's business; the log has it.
            _log.warning("unavailable", code=error.code, detail=error.detail)
            said = type(error)()
            said.retry_after_seconds = error.retry_after_seconds
            return render(request, said)
        return render(request, error)

    def on_http_exception(request: _AnyRequest, error: HTTPException) -> Response[bytes]:
        return on_lapel_error(request, _translate(request, error))

    def on_exception(request: _AnyRequest, error: Exception) -> Response[bytes]:
        _log.error("request_failed", exc_info=error)
        return render(request, LapelError(hint=_REPORT))

    return {LapelError: on_lapel_error, HTTPException: on_http_exception, Exception: on_exception}


_REPORT = "The server's log says more, under this request_id."


def _title(error: LapelError) -> str:
    """What the code means, which is the sentence of the class that it is from (RFC 9457, 3.1.3).

    Where a record is missing and where it is another organisation's, different classes of one code say so.
    """
    source = next(kind for kind in reversed(type(error).__mro__) if getattr(kind, "code", None) == error.code)
    return (source.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _headers(error: LapelError) -> dict[str, str]:
    # Nothing in a problem document is secret, and a page that reads a public document must see why it failed.
    headers = {**PUBLIC, "cache-control": "no-store"}
    if isinstance(error, Unauthorized):
        said = ', error="invalid_token"' if isinstance(error, InvalidToken) else ""  # RFC 6750, 3.1
        headers["www-authenticate"] = f'Bearer realm="lapel"{said}'
    elif isinstance(error, MethodNotAllowed):
        headers["allow"] = error.allow
    elif isinstance(error, TooManyRequests | Unavailable):
        headers["retry-after"] = str(error.retry_after_seconds)
        if isinstance(error, TooManyRequests):
            headers.update(error.fields)
    return headers


_WENT_AWAY = "client disconnected prematurely"
"""How Litestar says, under a status that blames the server, that a body broke off: nothing to tell the operator."""


def _translate(request: _AnyRequest, error: HTTPException) -> LapelError:
    """Litestar's own error in our words."""
    match error.status_code:
        case 404:
            return NotFound(f"There is nothing at {request.url.path[:200]}.", hint="See /docs for the addresses.")
        case 405:
            methods = {name.strip() for name in (error.headers or {}).get("allow", "").split(",") if name.strip()}
            if "GET" in methods:
                methods.add("HEAD")
            return MethodNotAllowed(allow=", ".join(sorted(methods)))
        case 413:
            return TooLarge(hint="Send a smaller body, or raise LAPEL_MAX_BODY_BYTES.")
        case 400 if isinstance(error, ValidationException):
            # Litestar takes an empty body for none before it asks `Call.json`, which finds all else.
            return EmptyBody()
        case 500 if error.detail == _WENT_AWAY:
            return MalformedRequest("The client went away before its request was complete.")
        case status if 400 <= status < 500:
            return MalformedRequest(error.detail)
        case _:
            failure = LapelError(error.detail)
            failure.__cause__ = error
            return failure

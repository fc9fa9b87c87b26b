"""Answer every failure with a problem document (RFC 9457)."""

from __future__ import annotations

from typing import TypeAlias, cast

import structlog
from litestar.connection import Request
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap, Scope
from msgspec import json

from lapel.domain.fetching import FetchFailed
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
from lapel.http.answer import NO_STORE, PUBLIC, Answer
from lapel.http.errors import (
    AddressTooLong,
    EmptyBody,
    HeadTooLarge,
    MalformedRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    UnknownContentCoding,
    UnsupportedMediaType,
)
from lapel.http.header_fields import field_lines
from lapel.http.methods import allowed
from lapel.http.negotiation import HTML, prefers_html
from lapel.http.services import Pages
from lapel.services.answers import ProblemDocument, ProblemEntry
from lapel.services.idempotency import IdempotencyKeyInUse, IdempotencyKeyReused

__all__ = [
    "PROBLEM_MEDIA_TYPE",
    "problem_answer",
    "problem_handlers",
    "problem_of",
    "request_id",
    "status_of_kind",
    "title_of",
]

PROBLEM_MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger("lapel.http")

_AnyRequest: TypeAlias = "Request[object, object, State]"

_STATUSES: tuple[tuple[type[LapelError], int], ...] = (
    (UnsupportedMediaType, 415),
    (IdempotencyKeyReused, 422),
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
    (FetchFailed, 400),
)


def _status_of(error: LapelError) -> int:
    """Return the HTTP status of `error`.

    A body that cannot be parsed is 400; one that can, but has wrong members, is 422 (RFC 9110, 15.5.21).
    """
    if isinstance(error, InvalidInput | Unsupported) and error.errors:
        return 422
    return status_of_kind(type(error))


def status_of_kind(kind: type[LapelError]) -> int:
    """Return the HTTP status of an error of that class that points at no member."""
    return next((status for known, status in _STATUSES if issubclass(kind, known)), 500)


def request_id(scope: Scope) -> str | None:
    """Return the request id that `Frame` has set."""
    value = scope.get("state", {}).get("request_id")
    return value if isinstance(value, str) else None


def problem_of(error: LapelError, *, base: str, request_id: str | None = None) -> ProblemDocument:
    """Return the problem document for `error`, with the error's own text.

    Args:
        base: this server's public URL.
    """
    return ProblemDocument(
        type=f"{base}/docs/errors#{error.code}",
        title=title_of(type(error)),
        status=_status_of(error),
        detail=error.detail,
        code=error.code,
        hint=error.hint,
        errors=[ProblemEntry(entry.pointer, entry.detail, entry.code) for entry in error.errors],
        request_id=request_id,
    )


def problem_answer(error: LapelError, scope: Scope, *, base: str, pages: Pages) -> Answer:
    """Answer the request with `problem_of` the error, as a page if the client prefers HTML.

    Args:
        base: this server's public URL.
        pages: renders the page.
    """
    problem = problem_of(error, base=base, request_id=request_id(scope))
    content, media_type, headers = json.encode(problem), PROBLEM_MEDIA_TYPE, _headers(error)
    if prefers_html(field_lines(scope, b"accept"), PROBLEM_MEDIA_TYPE, "application/json", HTML):
        content, media_type = pages.problem(problem), HTML
        headers |= {**pages.headers, "vary": "Accept"}
    return Answer(content, status_code=problem.status, media_type=media_type, headers=headers)


def problem_handlers(public_url: str, *, pages: Pages) -> ExceptionHandlersMap:
    """Return Litestar's exception handlers, which answer every exception with a problem document.

    Args:
        pages: renders it for browsers.
    """

    def respond(request: _AnyRequest, error: LapelError) -> Answer:
        return problem_answer(error, request.scope, base=public_url, pages=pages)

    def on_lapel_error(request: _AnyRequest, error: LapelError) -> Answer:
        status = _status_of(error)
        if status == 500:
            # The text may contain what only the operator should see; it is logged under the request's id.
            _log.error("request_failed", exc_info=error)
            return respond(request, LapelError(hint=_SEE_LOG))
        if isinstance(error, Unavailable):
            # The text may name the database's host and user, which are nobody's business; it is logged.
            _log.warning("unavailable", code=error.code, detail=error.detail)
            public_error = type(error)()
            public_error.retry_after_seconds = error.retry_after_seconds
            return respond(request, public_error)
        return respond(request, error)

    def on_http_exception(request: _AnyRequest, error: HTTPException) -> Answer:
        return on_lapel_error(request, _translate(request, error))

    def on_exception(request: _AnyRequest, error: Exception) -> Answer:
        _log.error("request_failed", exc_info=error)
        return respond(request, LapelError(hint=_SEE_LOG))

    handlers = {LapelError: on_lapel_error, HTTPException: on_http_exception, Exception: on_exception}
    return cast("ExceptionHandlersMap", handlers)  # Litestar's type asks for its own Response


_SEE_LOG = "The server's log says more, under this request_id."


def title_of(kind: type[LapelError]) -> str:
    """Return what the error's code means: the default message of the class that defines the code (RFC 9457, 3.1.3).

    Subclasses with the same code must not differ in the title: that would reveal, for example, whether a record is
    missing or belongs to another organisation.
    """
    source = next(each for each in reversed(kind.__mro__) if getattr(each, "code", None) == kind.code)
    return (source.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _headers(error: LapelError) -> dict[str, str]:
    # A problem document contains no secret, and a page of another origin must be able to read why it failed.
    headers = {**PUBLIC, **NO_STORE}
    if isinstance(error, Unauthorized):
        reason = ', error="invalid_token"' if isinstance(error, InvalidToken) else ""  # RFC 6750, 3.1
        headers["www-authenticate"] = f'Bearer realm="lapel"{reason}'
    elif isinstance(error, UnknownContentCoding):
        headers["accept-encoding"] = "identity"  # RFC 9110, 12.5.3
    elif isinstance(error, UnsupportedMediaType) and error.accept_patch:
        headers["accept-patch"] = ", ".join(error.accept_patch)
    elif isinstance(error, Conflict) and error.location is not None:
        headers["location"] = error.location
    elif isinstance(error, MethodNotAllowed):
        headers["allow"] = error.allow
    elif isinstance(error, TooManyRequests | Unavailable | IdempotencyKeyInUse):
        headers["retry-after"] = str(error.retry_after_seconds)
        if isinstance(error, TooManyRequests):
            headers.update(error.fields)
    return headers


_DISCONNECTED = "client disconnected prematurely"
"""Litestar's detail, with status 500, for a body that broke off. It is not the server's fault, so it is not logged."""


def _translate(request: _AnyRequest, error: HTTPException) -> LapelError:
    """Translate an error of Litestar's own."""
    match error.status_code:
        case 404:
            return NotFound(f"There is nothing at {request.url.path[:200]}.", hint="/docs lists every address.")
        case 405:
            methods = {name.strip() for name in (error.headers or {}).get("allow", "").split(",") if name.strip()}
            return MethodNotAllowed(allow=allowed(methods))
        case 413:
            return TooLarge(
                hint="Send less at a time. If LAPEL_MAX_BODY_BYTES is the limit, the operator can raise it."
            )
        case 400 if isinstance(error, ValidationException):
            # Litestar itself refuses an empty body; everything else is checked by `Call.json`.
            return EmptyBody()
        case 500 if error.detail == _DISCONNECTED:
            return MalformedRequest("The client went away before its request was complete.")
        case status if 400 <= status < 500:
            return MalformedRequest(error.detail)
        case _:
            failure = LapelError(error.detail)
            failure.__cause__ = error
            return failure

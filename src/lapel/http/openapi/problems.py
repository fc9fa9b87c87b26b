"""Problem documents in the OpenAPI description: the error codes that a route can answer under each status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lapel.credentials.jsonld.errors import JsonLdError
from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError, Unavailable
from lapel.http.negotiation import HTML
from lapel.http.problems import PROBLEM_MEDIA_TYPE, status_of_kind, title_of

__all__ = ["problem_response"]


def problem_response(
    status: int, errors: Sequence[type[LapelError]], public_url: str, *, is_idempotent: bool
) -> tuple[str, JsonObject]:
    """Return the name and the description of a response that reports one of `errors`.

    Which errors the database reports under 503 depends on the database; all subclasses of `Unavailable` are listed.
    """
    kinds = {kind.code: kind for error in errors for kind in _kinds(error, status)}
    shown = sorted(kinds) if errors == [Unavailable] else list(kinds)
    name = [str(status), *(error.code for error in errors)]
    headers = ["X-Request-Id"]
    if is_idempotent and status in (404, 410):  # what the request created may be gone when it is repeated
        name.append("repeated")
        headers.append("Idempotency-Replayed")
    if status == 401:
        headers.append("WWW-Authenticate")
    if status in (409, 429, 503):
        headers.append("Retry-After")
    if status == 415:
        headers.append("Accept-Patch")
    if status == 429:
        headers += ["RateLimit", "RateLimit-Policy"]
    return ".".join(name), {
        "description": "; ".join(f"`{code}`: {title_of(kinds[code])}" for code in shown) + ".",
        "headers": {
            **{name: {"$ref": f"#/components/headers/{name}"} for name in headers},
            **(_LOCATION_OF_FIRST if "already_issued" in kinds else {}),
        },
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/ProblemDocument"}],
                    "properties": {"status": {"const": status}, "code": {"enum": list(shown)}},
                },
                "examples": {code: {"value": _example(kinds[code], status, public_url)} for code in shown},
            },
            **({} if status in _NO_PAGE else {HTML: {"schema": {"type": "string"}}}),
        },
    }


_NO_PAGE: Final = (408, 414, 431)
"""Answered before the request is complete, and so before its Accept header is known."""
_LOCATION_OF_FIRST: JsonObject = {
    "Location": {
        "description": "With `already_issued`: where the first one is.",
        "schema": {"type": "string", "format": "uri"},
    }
}
_WITH_SUBCLASSES = (Unavailable, FetchFailed, JsonLdError)


def _kinds(error: type[LapelError], status: int) -> Iterator[type[LapelError]]:
    yield error
    if error in _WITH_SUBCLASSES:
        yield from (kind for kind in _subclasses(error) if status in (422, status_of_kind(kind)))


def _subclasses(error: type[LapelError]) -> Iterator[type[LapelError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _subclasses(kind)


def _example(kind: type[LapelError], status: int, public_url: str) -> JsonObject:
    title = title_of(kind)
    example: dict[str, JsonValue] = {
        "type": f"{public_url}/docs/errors#{kind.code}",
        "title": title,
        "status": status,
        "detail": f"{title}.",
        "code": kind.code,
    }
    return example | ({"hint": kind.hint} if kind.hint else {})

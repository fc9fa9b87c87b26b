"""What a route declares for the OpenAPI description beyond its signature: its answers, errors and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation
from msgspec import Struct

from lapel.domain.json import JsonObject
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
)
from lapel.http.errors import (
    AddressTooLong,
    BadCursor,
    HeadTooLarge,
    MalformedRequest,
    NotAcceptable,
    RequestTimeout,
    UnknownContentCoding,
    UnsupportedMediaType,
)
from lapel.http.problems import status_of_kind

__all__ = [
    "BYTES",
    "BY_NAME",
    "IF_MATCH",
    "JSON_DOCUMENT",
    "PAGED",
    "Also",
    "Body",
    "ContentAnswer",
    "Described",
    "ProblemAnswer",
    "Query",
    "answer_of",
    "answers",
    "choice",
    "described",
    "is_page",
]

JSON_DOCUMENT = dict[str, object]
"""The model of a JSON object whose members a standard describes."""

Query: TypeAlias = "str | tuple[str, JsonObject]"
"""What a parameter means; together with its schema if `lapel.http.openapi.parameters` does not have one."""

Body: TypeAlias = "Mapping[str, tuple[object, ...]]"
"""By media type, what a body can be: msgspec types, or schemas (as mappings)."""

BYTES: JsonObject = {"type": "string", "format": "binary"}
"""The schema of binary content."""

Also: TypeAlias = "int | type[LapelError] | tuple[int, type[LapelError]]"

_USUAL: Mapping[int, type[LapelError]] = {
    400: MalformedRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    406: NotAcceptable,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    408: RequestTimeout,
    413: TooLarge,
    414: AddressTooLong,
    415: UnsupportedMediaType,
    422: InvalidInput,
    429: TooManyRequests,
    431: HeadTooLarge,
    503: Unavailable,
}
"""The error that each status stands for if a route only names the status."""

# What can be answered before the route is known.
_EVERYWHERE = (400, 408, 414, 429, 431, 503)
_PUBLIC_READ = (404,)
_GUARDED_READ = (401, 403, 404)
_GUARDED_WRITE = (401, 403, 404, 413, 415, 422)
_GUARDED_CHANGE = (*_GUARDED_WRITE, 412)


@dataclass(kw_only=True)
class ContentAnswer(ResponseSpec):
    """An answer other than a problem document; made by `answer_of`, which describes the fields."""

    status: int
    media_types: tuple[str, ...]
    headers: tuple[str, ...]
    alternatives: Mapping[str, object]
    has_location: bool
    etag: bool
    cacheable: bool


@dataclass(kw_only=True)
class ProblemAnswer(ResponseSpec):
    """A problem document, and the classes of the errors that it can report under this status."""

    errors: list[type[LapelError]] = field(default_factory=list)


def answer_of(
    model: object,
    *,
    status: int = 200,
    media_type: str | Sequence[str] = "application/json",
    description: str = "Done",
    headers: Sequence[str] = (),
    alternatives: Mapping[str, object] | None = None,
    has_location: bool = True,
    etag: bool = False,
    cacheable: bool = False,
) -> ContentAnswer:
    """Describe one answer of a route.

    Args:
        model: the type of its body; ``bytes`` for an image, ``str`` for a text, None for no body.
        media_type: its media type, or every one that it can have; the first unless Accept says otherwise.
        headers: header fields that it can have beyond those that its status and model imply; they are described in
            `lapel.http.openapi.parameters`.
        alternatives: further media types, with the type of the body under each.
        has_location: if it is a 201, Location says where the new resource is.
        etag: it has an ETag. A route that reads a body then takes If-Match, and can answer 412.
        cacheable: it has an ETag and may be cached; If-None-Match is answered with 304.
    """
    media_types = (media_type,) if isinstance(media_type, str) else tuple(media_type)
    return ContentAnswer(
        data_container=model,  # type: ignore[arg-type]  # any type that has a schema
        description=description,
        status=status,
        media_type=media_types[0],
        media_types=media_types,
        headers=tuple(headers),
        alternatives=alternatives or {},
        has_location=has_location,
        etag=etag or cacheable,
        cacheable=cacheable,
    )


def answers(
    answer: object = JSON_DOCUMENT,
    *,
    guarded: bool = False,
    writes: bool = False,
    usual: bool = True,
    also: Sequence[Also] = (),
) -> dict[int, ResponseSpec]:
    """Describe the answers of a route: the one with its content, and the problem documents.

    Args:
        answer: the answer with the content, from `answer_of`; or its model alone, for a 200 with JSON.
        guarded: the route needs an API key.
        writes: it reads a body.
        usual: it has the errors that nearly every route has.
        also: further errors; or statuses, for the usual error under each; or both, for an error under a status that is
            not its usual one.
    """
    content = answer if isinstance(answer, ContentAnswer) else answer_of(answer)
    writing = _GUARDED_CHANGE if content.etag else _GUARDED_WRITE
    statuses = writing if guarded and writes else _GUARDED_READ if guarded else _PUBLIC_READ
    errors: dict[int, list[type[LapelError]]] = {
        status: [_USUAL[status]] for status in (*_EVERYWHERE, *(statuses if usual else ()))
    }
    if usual and guarded:
        errors[401].append(InvalidToken)
    if usual and is_page(content.data_container):
        errors[400].append(BadCursor)
    for more in also:
        status, kind = _also(more)
        listed = errors.setdefault(status, [])
        if kind not in listed:
            listed.append(kind)
    if 415 in errors:
        errors[415].append(UnknownContentCoding)
    problems: dict[int, ResponseSpec] = {
        status: ProblemAnswer(data_container=None, errors=kinds) for status, kinds in errors.items()
    }
    return problems | {content.status: content}


def _also(more: Also) -> tuple[int, type[LapelError]]:
    if isinstance(more, int):
        return more, _USUAL[more]
    return more if isinstance(more, tuple) else (status_of_kind(more), more)


def is_page(model: object) -> bool:
    """Return whether a model is a page of a list, which has a ``next``."""
    return isinstance(model, type) and issubclass(model, Struct) and "next" in model.__struct_fields__


class Described(Operation):
    """A route's parameters and body, as far as its handler's signature does not show them; its ``operation_class``.

    Attributes:
        query, headers: parameters, and what they mean.
        body: the media types of a body that is read as bytes, and what it can be under each.
    """

    query: ClassVar[Mapping[str, Query]] = {}
    headers: ClassVar[Mapping[str, Query]] = {}
    body: ClassVar[Body] = {}


def described(
    *,
    query: Mapping[str, Query] | None = None,
    headers: Mapping[str, Query] | None = None,
    body: Body | Sequence[str] = (),
) -> type[Described]:
    """Describe what a handler's signature does not show; the result is the route's ``operation_class``.

    Args:
        query: query parameters, and what they mean.
        headers: request headers, and what they mean.
        body: the media types of a body that is read as bytes; with what it can be under each, if not any bytes.
    """
    shapes = body if isinstance(body, Mapping) else dict.fromkeys(body, (BYTES,))
    return type("OwnDescribed", (Described,), {"query": query or {}, "headers": headers or {}, "body": shapes})


def choice(meaning: str, *values: str) -> Query:
    """Describe a parameter that has one of these values."""
    return meaning, {"type": "string", "enum": list(values)}


PAGED: Mapping[str, str] = {
    "limit": "How many at most: 1 to 100; 20 by default.",
    "cursor": "Where to continue: part of the `next` of the previous page.",
}
"""The query parameters of every list."""

BY_NAME: Mapping[str, str] = {
    "name": "Only those whose name begins with this, in upper or lower case; at most 200 characters."
}
"""The query parameter of lists that can be filtered by name."""

IF_MATCH: Mapping[str, str] = {"If-Match": "The ETag of the version to change; 412 if there is a newer one."}
"""The request header of every change."""

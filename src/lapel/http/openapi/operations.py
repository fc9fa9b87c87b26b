"""What a route says of itself beyond its signature, for the OpenAPI description: its answers, errors and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation
from msgspec import Struct

from lapel.domain.fetching import FetchFailed
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
    "Described",
    "GoodAnswer",
    "ProblemAnswer",
    "Query",
    "answers",
    "choice",
    "described",
]

JSON_DOCUMENT = dict[str, object]
"""A JSON object whose members a standard describes."""

Query: TypeAlias = "str | tuple[str, JsonObject]"
"""What a parameter means; and its schema, where `lapel.http.openapi.parameters` does not know the name."""

Body: TypeAlias = "Mapping[str, tuple[object, ...]]"
"""By media type, what a body can be: types of ours, or schemas (as mappings)."""

BYTES: JsonObject = {"type": "string", "format": "binary"}
"""The schema of what is not text."""

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
    502: FetchFailed,
    503: Unavailable,
}
"""What a status means unless a route says more."""

# What the server says before it looks at a route.
_EVERYWHERE = (400, 408, 414, 429, 431, 503)
_PUBLIC_READ = (404,)
_GUARDED_READ = (401, 403, 404)
_GUARDED_WRITE = (401, 403, 404, 413, 415, 422)
_GUARDED_CHANGE = (*_GUARDED_WRITE, 412)


@dataclass(kw_only=True)
class GoodAnswer(ResponseSpec):
    """What is answered where all goes well.

    Attributes:
        media_types: every name that it can have; the first unless Accept says otherwise.
        headers: header fields that it can have, beyond those that its status and shape imply.
        forms: other media types, and the shapes that are answered under them.
        located: where it is a 201, Location says where the new resource is.
        etag: it has a validator.
        kept: who has it may ask with If-None-Match, and is answered 304.
    """

    media_types: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    forms: Mapping[str, object] = field(default_factory=dict)
    located: bool = True
    etag: bool = False
    kept: bool = False


@dataclass(kw_only=True)
class ProblemAnswer(ResponseSpec):
    """A problem document, and the kinds of error that it can tell of under this status."""

    errors: list[type[LapelError]] = field(default_factory=list)


def answers(
    model: object = JSON_DOCUMENT,
    *,
    status: int = 200,
    media_type: str | Sequence[str] = "application/json",
    description: str = "Done",
    guarded: bool = False,
    writes: bool = False,
    usual: bool = True,
    kept: bool = False,
    etag: bool = False,
    headers: Sequence[str] = (),
    forms: Mapping[str, object] | None = None,
    located: bool = True,
    also: Sequence[Also] = (),
) -> dict[int, ResponseSpec]:
    """A route's answers: the good one, and the problem documents that it can give.

    Args:
        model: the shape of the good answer; ``bytes`` for an image, ``str`` for a text.
        media_type: the name of the good answer, or every one that it can have.
        guarded: it needs an API key.
        writes: it reads a body.
        usual: it can also answer what nearly every route can.
        kept: it may be kept, has an ETag, and answers 304 to who has it.
        etag: it has an ETag; what writes takes If-Match, and can answer 412.
        headers: further header fields, of those in `lapel.http.openapi.parameters`.
        forms: further media types with shapes of their own.
        located: a 201 says where the one new resource is.
        also: further errors that it can answer; or statuses, for what is usual under them; or both, where an error has
            not its usual status.
    """
    names = (media_type,) if isinstance(media_type, str) else tuple(media_type)
    writing = _GUARDED_CHANGE if etag else _GUARDED_WRITE
    problems = writing if guarded and writes else _GUARDED_READ if guarded else _PUBLIC_READ
    errors: dict[int, list[type[LapelError]]] = {
        number: [_USUAL[number]] for number in (*_EVERYWHERE, *(problems if usual else ()))
    }
    if usual and guarded:
        errors[401].append(InvalidToken)
    if usual and _is_page(model):
        errors[400].append(BadCursor)
    for more in also:
        number, kind = _also(more)
        listed = errors.setdefault(number, [])
        if kind not in listed:
            listed.append(kind)
    good = GoodAnswer(
        data_container=model,  # type: ignore[arg-type]  # any type that has a schema
        description=description,
        media_type=names[0],
        media_types=names,
        headers=tuple(headers),
        forms=forms or {},
        located=located,
        etag=etag or kept,
        kept=kept,
    )
    problems_told: dict[int, ResponseSpec] = {
        number: ProblemAnswer(data_container=None, errors=kinds) for number, kinds in errors.items()
    }
    return problems_told | {status: good}


def _also(more: Also) -> tuple[int, type[LapelError]]:
    if isinstance(more, int):
        return more, _USUAL[more]
    return more if isinstance(more, tuple) else (status_of_kind(more), more)


def _is_page(model: object) -> bool:
    return isinstance(model, type) and issubclass(model, Struct) and "next" in model.__struct_fields__


class Described(Operation):
    """What a handler's signature does not show; Litestar takes it for the class of an operation.

    Attributes:
        query, headers: parameters and what they mean.
        body: the media types of a body that is read as bytes, and what it then is.
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
    """What a handler's signature does not show.

    Args:
        query: query parameters and what they mean.
        headers: request headers and what they mean.
        body: the media types of a body that is read as bytes; and what it then is, if not just bytes.
    """
    forms = body if isinstance(body, Mapping) else dict.fromkeys(body, (BYTES,))
    return type("OwnDescribed", (Described,), {"query": query or {}, "headers": headers or {}, "body": forms})


def choice(meaning: str, *values: str) -> Query:
    """A parameter that is one of these."""
    return meaning, {"type": "string", "enum": list(values)}


PAGED: Mapping[str, str] = {
    "limit": "How many at most: 1 to 100; 20 by default.",
    "cursor": "Where to continue: part of the `next` of the previous page.",
}
"""Query parameters of every list."""

BY_NAME: Mapping[str, str] = {
    "name": "Only those whose name begins with this, in upper or lower case; at most 200 characters."
}
"""Query parameter of lists of what has a name."""

IF_MATCH: Mapping[str, str] = {"If-Match": "The ETag of the version to change; 412 if there is a newer one."}
"""Request header of every change."""

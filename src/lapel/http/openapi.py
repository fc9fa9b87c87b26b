"""What the OpenAPI description says of every route, and the description itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Components,
    License,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
    SecurityScheme,
    Server,
)

from lapel.domain.json import JsonObject
from lapel.http.call import Call
from lapel.http.openapi_details import add_details
from lapel.http.problems import PROBLEM_MEDIA_TYPE, Problem

__all__ = ["BY_NAME", "IF_MATCH", "JSON_DOCUMENT", "PAGED", "answers", "describe", "described"]

JSON_DOCUMENT = dict[str, object]
"""A JSON object whose members a standard describes."""

_PROBLEMS = {
    400: "The request cannot be read.",
    401: "There is no API key, or it is nobody's.",
    403: "The key may not do that.",
    404: "There is nothing at this address.",
    406: "There is no form of it that the Accept header allows.",
    409: "It conflicts with what is stored.",
    410: "It is no longer valid.",
    412: "It has changed since it was read.",
    413: "The body is too large.",
    415: "The body is of a type that this address does not read.",
    422: "Members of the body are wrong; `errors` points at them.",
    429: "Too many requests; see Retry-After.",
    502: "Another server did not give what was asked of it.",
    503: "The database is away; see Retry-After.",
}
_PUBLIC_READ = (400, 404, 503)
_GUARDED_READ = (400, 401, 403, 404, 503)
_GUARDED_WRITE = (400, 401, 403, 404, 409, 412, 413, 415, 422, 503)


def answers(
    model: object = JSON_DOCUMENT,
    *,
    status: int = 200,
    media_type: str = "application/json",
    description: str = "Done",
    guarded: bool = False,
    writes: bool = False,
    usual: bool = True,
    also: Sequence[int] = (),
) -> dict[int, ResponseSpec]:
    """A route's answers: the good one, and the problem documents that it can give.

    Args:
        model: the shape of the good answer; ``bytes`` for what is not JSON.
        guarded: it needs an API key.
        writes: it reads a body.
        usual: it can also answer what nearly every route can.
        also: further statuses that it can answer.
    """
    problems = _GUARDED_WRITE if guarded and writes else _GUARDED_READ if guarded else _PUBLIC_READ
    good = ResponseSpec(model, generate_examples=False, description=description, media_type=media_type)  # type: ignore[arg-type]  # any type that has a schema
    return {status: good} | {
        number: ResponseSpec(
            Problem, generate_examples=False, description=_PROBLEMS[number], media_type=PROBLEM_MEDIA_TYPE
        )
        for number in sorted({*(problems if usual else ()), *also})
    }


def described(
    *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, body: Sequence[str] = ()
) -> type[Operation]:
    """What a handler's signature does not show.

    Args:
        query: query parameters and what they mean.
        headers: request headers and what they mean.
        body: the media types of a body that is read as bytes.
    """
    text = Schema(type=OpenAPIType.STRING)
    given = {"query": query or {}, "header": headers or {}}

    @dataclass
    class Described(Operation):
        def __post_init__(self) -> None:
            self.parameters = [
                *(self.parameters or ()),
                *(
                    Parameter(name=name, param_in=place, schema=text, description=meaning, required=False)
                    for place, names in given.items()
                    for name, meaning in names.items()
                ),
            ]
            if body:
                self.request_body = RequestBody(
                    content={media_type: OpenAPIMediaType(schema=text) for media_type in body}, required=True
                )

    return Described


PAGED = {
    "limit": "How many at most: 1 to 100; 20 unless given.",
    "cursor": "Where to go on: part of the `next` of the page before.",
}
"""Query parameters of every list."""

BY_NAME = {"name": "Only those whose name begins so, in capitals or not; at most 200 characters."}
"""Query parameter of lists of what has a name."""

IF_MATCH = {"If-Match": "The ETag of the version that is to be changed; 412 if there is a newer one."}
"""Request header of every change."""


def describe(handlers: Sequence[HTTPRouteHandler], *, public_url: str) -> JsonObject:
    """The OpenAPI 3.1 description of `handlers`."""
    # An application of its own, because Litestar's mounts its description under a path with pages of its own.
    config = OpenAPIConfig(
        title="Lapel",
        version=_version(),
        summary="An Open Badges server",
        description=(
            "Define achievements, award them as signed credentials (Open Badges 3.0, W3C Verifiable Credentials 2.0), "
            "host and revoke them, and let anybody verify them. Reading what is public needs no key."
        ),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        servers=[Server(url=public_url)],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", description="An API key, or an access token."),
                "apiKey": SecurityScheme(
                    type="apiKey", name="X-API-Key", security_scheme_in="header", description="An API key."
                ),
            }
        ),
    )
    schema: JsonObject = Litestar(
        handlers, request_class=Call, openapi_config=config, logging_config=None
    ).openapi_schema.to_schema()
    return add_details(schema)


@cache
def _version() -> str:
    return version("lapel")

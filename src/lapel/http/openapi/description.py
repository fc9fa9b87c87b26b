"""The OpenAPI 3.1 description, made of the routes themselves: handlers, the types they take, what they say they answer.

Schemas are msgspec's own of the types that are read and written, so that none is said twice.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Final, cast, get_args, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError, PreconditionFailed
from lapel.http.call import PATCH_TYPES
from lapel.http.idempotency import BadIdempotencyKey
from lapel.http.openapi.examples import EXAMPLES
from lapel.http.openapi.operations import BYTES, Described, GoodAnswer, ProblemAnswer
from lapel.http.openapi.parameters import ANSWER_HEADERS, IF_NONE_MATCH, parameter, path_parameter
from lapel.http.openapi.problems import problem_answer
from lapel.openbadges.v2_shapes import Assertion, BadgeClass, Version2Profile
from lapel.services.answers import FailedItem, IssuedItem, ProblemDocument
from lapel.services.idempotency import IdempotencyKeyInUse, IdempotencyKeyReused

__all__ = ["describe"]

_Object = dict[str, JsonValue]

_OF_HEADERS: Final[Mapping[str, tuple[tuple[int, type[LapelError]], ...]]] = {
    "If-Match": ((412, PreconditionFailed),),
    "Idempotency-Key": ((400, BadIdempotencyKey), (409, IdempotencyKeyInUse), (422, IdempotencyKeyReused)),
}
_OF_ANSWERS: Final = ("Idempotency-Replayed",)
_EXTENSIBLE: Final = (Version2Profile, BadgeClass, Assertion)
_NAMED_ELSEWHERE: Final = (FailedItem, IssuedItem, ProblemDocument)
"""What is described although no operation has it for its whole body."""
_SCHEMA_AT: Final = "#/components/schemas/{name}"
_TEXT: Final[JsonObject] = {"type": "string"}
_INFO: Final[JsonObject] = {
    "title": "Lapel",
    "summary": "An Open Badges server",
    "description": (
        "Define achievements, award them as signed credentials (Open Badges 3.0, W3C Verifiable Credentials 2.0), "
        "host and revoke them, and let anybody verify them. Reading what is public needs no key. "
        "What fails answers with a problem document (RFC 9457), whose `code` never changes its meaning."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_SECURITY_SCHEMES: Final[JsonObject] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or an access token."},
    "apiKey": {"type": "apiKey", "name": "X-API-Key", "in": "header", "description": "An API key."},
}


def describe(handlers: Sequence[HTTPRouteHandler], *, public_url: str) -> JsonObject:
    """The OpenAPI 3.1 description of `handlers`."""
    schemas = _Schemas(handlers)
    responses: _Object = {}
    paths: dict[str, _Object] = {}
    for handler in handlers:
        for path in sorted(handler.paths):
            for method in sorted(handler.http_methods):
                operation = _operation(handler, path, schemas, responses, public_url)
                paths.setdefault(re.sub(r":\w+}", "}", path), {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {**_INFO, "version": _version()},
        "servers": [{"url": public_url}],
        "tags": [{"name": name} for name in dict.fromkeys(str(tag) for it in handlers for tag in it.tags or ())],
        "paths": cast("_Object", paths),
        "components": {
            "schemas": schemas.components,
            "responses": responses,
            "headers": cast("_Object", ANSWER_HEADERS),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


class _Schemas:
    """The schemas of every type that the handlers read or write."""

    def __init__(self, handlers: Sequence[HTTPRouteHandler]) -> None:
        types = [kind for handler in handlers for kind in _types(handler)] + list(_NAMED_ELSEWHERE)
        unique = list({id(kind): kind for kind in types}.values())
        found, components = msgspec.json.schema_components(unique, schema_hook=_anything, ref_template=_SCHEMA_AT)
        self._schemas = {id(kind): cast("JsonObject", schema) for kind, schema in zip(unique, found, strict=True)}
        for component in components.values():
            if "description" in component:
                component["description"] = _markdown(component["description"])
        for kind in _EXTENSIBLE:  # they are read by hand, for they may have extensions
            components.get(kind.__name__, {})["patternProperties"] = {":": {"description": "An extension."}}
        self.components = cast("_Object", components)

    def of(self, kind: object) -> JsonObject:
        return self._schemas[id(kind)]


def _markdown(docstring: str) -> str:
    return inspect.cleandoc(docstring).replace("``", "`")


def _anything(kind: type) -> dict[str, object]:
    """The schema of ``object``, which stands for any JSON."""
    if kind is object:
        return {"description": "Any JSON."}
    raise NotImplementedError


def _types(handler: HTTPRouteHandler) -> Iterator[object]:
    yield from _body_types(handler)
    for answer in (handler.responses or {}).values():
        if isinstance(answer, GoodAnswer) and answer.data_container not in (bytes, str, None):
            yield answer.data_container
            yield from answer.forms.values()


def _body_types(handler: HTTPRouteHandler) -> Iterator[object]:
    """The type of its body, if it takes JSON; every type that JSON can have, where it reads several."""
    for alternatives in _said(handler).body.values():
        yield from (each for each in alternatives if not isinstance(each, Mapping))
    data = get_type_hints(handler.fn).get("data")
    if data is not None:
        yield (get_args(data) or (data,))[0]


def _said(handler: HTTPRouteHandler) -> type[Described]:
    return handler.operation_class if issubclass(handler.operation_class, Described) else Described


def _operation(handler: HTTPRouteHandler, path: str, schemas: _Schemas, responses: _Object, public_url: str) -> _Object:
    said = _said(handler)
    name = handler.fn.__name__
    operation: _Object = {"operationId": name, "tags": list(handler.tags or ()), "summary": handler.summary}
    if handler.description:
        operation["description"] = handler.description
    parameters = [path_parameter(found) for found in re.findall(r"{(\w+):\w+}", path)]
    parameters += [parameter(*given) for given in _given(said)]
    if any(isinstance(answer, GoodAnswer) and answer.kept for answer in (handler.responses or {}).values()):
        parameters.append(IF_NONE_MATCH)
    if parameters:
        operation["parameters"] = cast("list[JsonValue]", parameters)
    body = _body(handler, said, schemas)
    if body:
        operation["requestBody"] = {"required": True, "content": body}
    operation["responses"] = _answers(handler, schemas, responses, public_url)
    if handler.security:
        operation["security"] = cast("list[JsonValue]", list(handler.security))
    return operation


def _given(said: type[Described]) -> Iterator[tuple[str, str, str | tuple[str, JsonObject]]]:
    for place, names in (("query", said.query), ("header", said.headers)):
        for name, meaning in names.items():
            yield name, place, meaning


def _body(handler: HTTPRouteHandler, said: type[Described], schemas: _Schemas) -> _Object:
    examples = EXAMPLES.get(handler.fn.__name__, {})
    content: _Object = {}
    for media_type, alternatives in said.body.items():
        shapes = [each if isinstance(each, Mapping) else schemas.of(each) for each in alternatives]
        content[media_type] = {"schema": shapes[0] if len(shapes) == 1 else {"anyOf": cast("list[JsonValue]", shapes)}}
    for kind in _body_types(handler) if not content else ():
        for media_type in PATCH_TYPES if "PATCH" in handler.http_methods else PATCH_TYPES[1:]:
            content[media_type] = {"schema": schemas.of(kind)}
    for media_type, named in examples.items():
        cast("_Object", content[media_type])["examples"] = {name: {"value": value} for name, value in named.items()}
    return content


def _answers(handler: HTTPRouteHandler, schemas: _Schemas, responses: _Object, public_url: str) -> _Object:
    found: _Object = {}
    repeatable = "Idempotency-Key" in _said(handler).headers
    for status, answer in sorted(_said_answers(handler).items()):
        if isinstance(answer, ProblemAnswer):
            name, problem = problem_answer(status, answer.errors, public_url)
            responses[name] = problem
            found[str(status)] = {"$ref": f"#/components/responses/{name}"}
        elif isinstance(answer, GoodAnswer):
            found[str(status)] = _good(status, answer, schemas, more=_OF_ANSWERS if repeatable else ())
            if answer.kept:
                found["304"] = {"description": "You have it.", "headers": _headers("ETag")}
    return dict(sorted(found.items()))


def _said_answers(handler: HTTPRouteHandler) -> dict[int, ResponseSpec]:
    """What it says, and what its request headers imply."""
    found = dict(handler.responses or {})
    implied = [error for name in _said(handler).headers for error in _OF_HEADERS.get(name, ())]
    for status, kind in implied:
        known = found.get(status)
        if isinstance(known, GoodAnswer):  # in whose form it is told
            continue
        errors = known.errors if isinstance(known, ProblemAnswer) else []
        found[status] = ProblemAnswer(data_container=None, errors=[*errors, *({kind} - {*errors})])
    return found


def _good(status: int, answer: GoodAnswer, schemas: _Schemas, *, more: Sequence[str]) -> _Object:
    kind = answer.data_container
    names = []
    if status == 201 and answer.located:
        names.append("Location")
    if answer.etag:
        names.append("ETag")
    names += [*answer.headers, *more]
    if status == 503:
        names.append("Retry-After")
    if isinstance(kind, type) and issubclass(kind, Struct) and "next" in kind.__struct_fields__:
        names.append("Link")
    if kind is None:
        return {"description": answer.description, "headers": _headers(*names)}
    shapes = {**dict.fromkeys(answer.media_types, kind), **answer.forms}
    content = {name: {"schema": _shape(each, name, schemas)} for name, each in shapes.items()}
    return {"description": answer.description, "headers": _headers(*names), "content": cast("_Object", content)}


def _shape(kind: object, media_type: str, schemas: _Schemas) -> JsonObject:
    if media_type.startswith("image/"):
        return BYTES
    return schemas.of(kind) if kind not in (bytes, str) and media_type.endswith(_JSON_ENDINGS) else _TEXT


_JSON_ENDINGS: Final = ("json", "/vc")


def _headers(*names: str) -> _Object:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


@cache
def _version() -> str:
    return version("lapel")

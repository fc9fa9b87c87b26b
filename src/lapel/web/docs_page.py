"""The pages that document the API: every route with its parameters, body, example and errors; every error code."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, object_of, objects
from lapel.errors import LapelError
from lapel.web.pages import render

__all__ = ["render_docs_page", "render_errors_page"]

_METHODS = ("get", "post", "put", "patch", "delete")
_FILES = {"image/png": "badge.png", "image/svg+xml": "badge.svg"}


@dataclass(frozen=True, slots=True)
class _Member:
    """A parameter, or a member of a body, as a row of a table."""

    name: str
    where: str
    kind: str
    needed: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """A possible answer: with the media types of its content, or with the error codes of a problem document."""

    status: str
    description: str
    media_types: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Route:
    """A route, as the page shows it; `key` says whether it needs an API key."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    key: bool
    parameters: tuple[_Member, ...]
    body: tuple[_Member, ...]
    answers: tuple[_Answer, ...]
    example: str


def render_docs_page(description: JsonObject) -> bytes:
    """Render every route of an OpenAPI description, grouped by its first tag."""
    groups: dict[str, list[_Route]] = {}
    for path, item in object_of(description.get("paths")).items():
        for method in _METHODS:
            operation = object_of(object_of(item).get(method))
            if operation:
                group = str(next(iter(as_list(operation.get("tags"))), "Other"))
                groups.setdefault(group, []).append(_route(method, path, operation, description))
    info = object_of(description.get("info"))
    return render(
        "docs.html",
        title=info.get("title"),
        version=info.get("version"),
        description=info.get("description"),
        groups=groups,
    )


def render_errors_page() -> bytes:
    """Render every error code that a problem document can have."""
    entries: dict[str, tuple[str, str]] = {}
    for error in _with_subclasses(LapelError):
        sentence = (error.__doc__ or "").strip().partition("\n")[0]
        entries.setdefault(error.code, (sentence, error.hint or ""))
    return render("errors.html", errors=sorted(entries.items()))


def _with_subclasses(error: type[LapelError]) -> Iterator[type[LapelError]]:
    yield error
    for subclass in error.__subclasses__():
        yield from _with_subclasses(subclass)


def _route(method: str, path: str, operation: JsonObject, description: JsonObject) -> _Route:
    return _Route(
        name=str(operation.get("operationId")),
        method=method.upper(),
        path=path,
        summary=str(operation.get("summary") or ""),
        description=str(operation.get("description") or ""),
        key=bool(operation.get("security")),
        parameters=tuple(_parameter(item) for item in objects(operation.get("parameters"))),
        body=tuple(_body(operation, description)),
        answers=tuple(_answers(operation, description)),
        example=_curl(method, path, operation, description),
    )


def _parameter(parameter: JsonObject) -> _Member:
    return _Member(
        name=str(parameter.get("name")),
        where=str(parameter.get("in")),
        kind=_kind(object_of(parameter.get("schema"))),
        needed=bool(parameter.get("required")),
        meaning=str(parameter.get("description") or ""),
    )


def _body(operation: JsonObject, description: JsonObject) -> Iterator[_Member]:
    """Yield the members of the JSON body; for any other body its media types."""
    content = object_of(object_of(operation.get("requestBody")).get("content"))
    schema = _resolved(object_of(object_of(content.get("application/json")).get("schema")), description)
    properties = object_of(schema.get("properties"))
    needed = as_list(schema.get("required"))
    for name, member in properties.items():
        shape = object_of(member)
        meaning = str(_resolved(shape, description).get("description") or "").partition("\n")[0]
        yield _Member(name, "body", _kind(shape), name in needed, meaning)
    if not properties:
        yield from (_Member(name, "body", "bytes or text", False, "One of the forms.") for name in content)


def _kind(schema: JsonObject) -> str:
    """Describe a schema in a few words."""
    choices = [*as_list(schema.get("anyOf")), *as_list(schema.get("oneOf"))]
    if choices:
        return " or ".join(dict.fromkeys(_kind(object_of(choice)) for choice in choices))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(str(value) for value in as_list(schema["enum"]))
    kind = str(schema.get("format") or schema.get("type") or "anything")
    if "items" in schema:
        kind += f" of {_kind(object_of(schema['items']))}"
    numbers = _range(schema.get("minimum"), schema.get("maximum"))
    lengths = _range(schema.get("minLength"), schema.get("maxLength"))
    default = schema.get("default")
    rules = (numbers, lengths and f"{lengths} characters", "" if default is None else f"{default} by default")
    return ", ".join([kind, *filter(None, rules)])


def _range(least: JsonValue, most: JsonValue) -> str:
    """Say a range in words: ``1 to 100``, ``1 or more``, ``up to 100``; empty if there are no bounds."""
    if least is not None:
        return f"{least} or more" if most is None else f"{least} to {most}"
    return "" if most is None else f"up to {most}"


def _answers(operation: JsonObject, description: JsonObject) -> Iterator[_Answer]:
    for status, response in sorted(object_of(operation.get("responses")).items()):
        answer = _resolved(object_of(response), description)
        content = object_of(answer.get("content"))
        problem = object_of(content.get("application/problem+json"))
        codes = tuple(str(code) for code in object_of(problem.get("examples")))
        yield _Answer(status, "" if codes else str(answer.get("description")), () if codes else tuple(content), codes)


def _curl(method: str, path: str, operation: JsonObject, description: JsonObject) -> str:
    """Return a shell command that calls the route."""
    server = object_of(next(iter(as_list(description.get("servers"))), None))
    words = ["curl"]
    if method != "get":
        words += ["--request", method.upper()]
    url = f"{server.get('url')}{path}".replace("{", "$").replace("}", "")
    lines = [f'{shlex.join(words)} "{url}"']
    if operation.get("security"):
        lines.append('--header "Authorization: Bearer $KEY"')
    content = object_of(object_of(operation.get("requestBody")).get("content"))
    examples = object_of(object_of(content.get("application/json")).get("examples"))
    example = object_of(next(iter(examples.values()), None))
    if example:
        lines.append("--json " + shlex.quote(json.dumps(example.get("value"), ensure_ascii=False, indent=2)))
    elif content:
        media_type = next(iter(content))
        lines += [f"--header 'Content-Type: {media_type}'", f"--data-binary @{_FILES.get(media_type, 'body')}"]
    return " \\\n  ".join(lines)


def _resolved(item: JsonObject, description: JsonObject) -> JsonObject:
    """Follow a ``$ref`` inside the description; anything else is returned as it is."""
    reference = item.get("$ref")
    if not isinstance(reference, str):
        return item
    target = description
    for step in reference.removeprefix("#/").split("/"):
        target = object_of(target.get(step))
    return target

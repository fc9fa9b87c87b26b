"""The pages that explain the interface: every route with its parameters, body, example and errors; every error code."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError
from lapel.web.pages import render

__all__ = ["render_docs_page", "render_errors_page"]

_METHODS = ("get", "post", "put", "patch", "delete")
_BOUNDS = (
    ("minimum", "from"),
    ("maximum", "to"),
    ("default", "unless given"),
    ("minLength", "at least, in characters,"),
    ("maxLength", "at most, in characters,"),
)
_FILES = {"image/png": "badge.png", "image/svg+xml": "badge.svg"}


@dataclass(frozen=True, slots=True)
class _Member:
    """A parameter, or a member of a body."""

    name: str
    where: str
    kind: str
    needed: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What can come back: the media types of what is good, or the codes of a problem."""

    status: str
    description: str
    forms: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Route:
    """A route, as the page shows it."""

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
    """Every route of an OpenAPI description, in groups."""
    groups: dict[str, list[_Route]] = {}
    for path, item in _object(description.get("paths")).items():
        for method in _METHODS:
            operation = _object(_object(item).get(method))
            if operation:
                group = str(next(iter(_list(operation.get("tags"))), "Other"))
                groups.setdefault(group, []).append(_route(method, path, operation, description))
    info = _object(description.get("info"))
    return render(
        "docs.html",
        title=info.get("title"),
        version=info.get("version"),
        description=info.get("description"),
        groups=groups,
    )


def render_errors_page() -> bytes:
    """Every error code that a problem document can carry."""
    entries: dict[str, tuple[str, str]] = {}
    for kind in _kinds(LapelError):
        sentence = (kind.__doc__ or "").strip().partition("\n")[0]
        entries.setdefault(kind.code, (sentence, kind.hint or ""))
    return render("errors.html", errors=sorted(entries.items()))


def _kinds(kind: type[LapelError]) -> Iterator[type[LapelError]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _kinds(subclass)


def _route(method: str, path: str, operation: JsonObject, description: JsonObject) -> _Route:
    return _Route(
        name=str(operation.get("operationId")),
        method=method.upper(),
        path=path,
        summary=str(operation.get("summary") or ""),
        description=str(operation.get("description") or ""),
        key=bool(operation.get("security")),
        parameters=tuple(_parameter(_object(given)) for given in _list(operation.get("parameters"))),
        body=tuple(_body(operation, description)),
        answers=tuple(_answers(operation, description)),
        example=_curl(method, path, operation, description),
    )


def _parameter(given: JsonObject) -> _Member:
    return _Member(
        name=str(given.get("name")),
        where=str(given.get("in")),
        kind=_kind(_object(given.get("schema"))),
        needed=bool(given.get("required")),
        meaning=str(given.get("description") or ""),
    )


def _body(operation: JsonObject, description: JsonObject) -> Iterator[_Member]:
    """The members of the JSON body, or the media types of one that is no JSON object of ours."""
    content = _object(_object(operation.get("requestBody")).get("content"))
    schema = _resolved(_object(_object(content.get("application/json")).get("schema")), description)
    properties = _object(schema.get("properties"))
    needed = _list(schema.get("required"))
    for name, member in properties.items():
        shape = _object(member)
        meaning = str(_resolved(shape, description).get("description") or "").partition("\n")[0]
        yield _Member(name, "body", _kind(shape), name in needed, meaning)
    if not properties:
        yield from (_Member(name, "body", "bytes or text", False, "One of the forms.") for name in content)


def _kind(schema: JsonObject) -> str:
    """A schema in a few words."""
    choices = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
    if choices:
        return " or ".join(dict.fromkeys(_kind(_object(choice)) for choice in choices))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(str(value) for value in _list(schema["enum"]))
    words = [str(schema.get("format") or schema.get("type") or "anything")]
    if "items" in schema:
        words.append(f"of {_kind(_object(schema['items']))}")
    words += [f"{word} {schema[bound]}" for bound, word in _BOUNDS if bound in schema and schema[bound] is not None]
    return " ".join(words)


def _answers(operation: JsonObject, description: JsonObject) -> Iterator[_Answer]:
    for status, given in sorted(_object(operation.get("responses")).items()):
        answer = _resolved(_object(given), description)
        content = _object(answer.get("content"))
        problem = _object(content.get("application/problem+json"))
        codes = tuple(str(code) for code in _object(problem.get("examples")))
        yield _Answer(status, "" if codes else str(answer.get("description")), () if codes else tuple(content), codes)


def _curl(method: str, path: str, operation: JsonObject, description: JsonObject) -> str:
    """A command that asks for it, in the words of a shell."""
    server = _object(next(iter(_list(description.get("servers"))), None))
    words = ["curl"]
    if method != "get":
        words += ["--request", method.upper()]
    url = f"{server.get('url')}{path}".replace("{", "$").replace("}", "")
    lines = [f'{shlex.join(words)} "{url}"']
    if operation.get("security"):
        lines.append('--header "Authorization: Bearer $KEY"')
    content = _object(_object(operation.get("requestBody")).get("content"))
    examples = _object(_object(content.get("application/json")).get("examples"))
    example = _object(next(iter(examples.values()), None))
    if example:
        lines.append("--json " + shlex.quote(json.dumps(example.get("value"), ensure_ascii=False, indent=2)))
    elif content:
        media_type = next(iter(content))
        lines += [f"--header 'Content-Type: {media_type}'", f"--data-binary @{_FILES.get(media_type, 'body')}"]
    return " \\\n  ".join(lines)


def _resolved(given: JsonObject, description: JsonObject) -> JsonObject:
    """What a reference inside the description leads to."""
    reference = given.get("$ref")
    if not isinstance(reference, str):
        return given
    found = description
    for step in reference.removeprefix("#/").split("/"):
        found = _object(found.get(step))
    return found


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def _list(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list | tuple) else ()

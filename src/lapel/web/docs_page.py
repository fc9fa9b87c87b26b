"""The pages that explain the interface: every route, every error code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError
from lapel.web.pages import render

__all__ = ["render_docs_page", "render_errors_page"]

_METHODS = ("get", "post", "put", "patch", "delete")


def render_docs_page(description: JsonObject) -> bytes:
    """Every route of an OpenAPI description, in groups."""
    groups: dict[str, list[dict[str, object]]] = {}
    for path, item in _object(description.get("paths")).items():
        for method in _METHODS:
            operation = _object(_object(item).get(method))
            if operation:
                tags = operation.get("tags")
                group = str(tags[0]) if isinstance(tags, list) and tags else "Other"
                groups.setdefault(group, []).append(
                    {
                        "method": method.upper(),
                        "path": path,
                        "summary": operation.get("summary") or "",
                        "key": bool(operation.get("security")),
                        "body": _body(operation, description),
                        "query": _query(operation),
                        "statuses": sorted(_object(operation.get("responses"))),
                    }
                )
    info = _object(description.get("info"))
    return render("docs.html", title=info.get("title"), version=info.get("version"), groups=groups)


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


def _body(operation: JsonObject, description: JsonObject) -> list[dict[str, object]]:
    """The members of the JSON body: name, whether it must be there."""
    content = _object(_object(operation.get("requestBody")).get("content"))
    schema = _object(_object(content.get("application/json")).get("schema"))
    reference = schema.get("$ref")
    if isinstance(reference, str):
        components = _object(_object(description.get("components")).get("schemas"))
        schema = _object(components.get(reference.rpartition("/")[2]))
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    return [{"name": name, "needed": name in needed} for name in _object(schema.get("properties"))]


def _query(operation: JsonObject) -> list[str]:
    """The names of its query parameters."""
    given = operation.get("parameters")
    parameters = [_object(item) for item in given] if isinstance(given, list) else []
    return [str(parameter.get("name")) for parameter in parameters if parameter.get("in") == "query"]


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}

"""Every answer that a test gets is held against the OpenAPI description: whatever comes has to be described there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from lapel.http.app import HANDLERS
from lapel.http.openapi.description import describe

__all__ = ["DESCRIPTION", "check_answer", "operation_of", "operations"]

DESCRIPTION: dict[str, Any] = json.loads(json.dumps(describe(HANDLERS, public_url="http://badges.example")))


@cache
def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By operation id: method, path template, operation."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in DESCRIPTION["paths"].items()
        for method, operation in item.items()
    }


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """With fewer parameters first: what is spelt out goes before what could be an id."""
    found = sorted(operations().values(), key=lambda each: each[1].count("{"))
    return [(method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operation) for method, path, operation in found]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation that answers there, if it is a described one."""
    method = "GET" if method == "HEAD" else method
    return next(
        (operation for known, pattern, operation in _patterns() if known == method and pattern.fullmatch(path)), None
    )


def check_answer(response: httpx.Response) -> None:
    """Fails where the answer is not what the description says: status, headers, media type, form, error code."""
    operation = operation_of(response.request.method, response.request.url.path)
    if operation is None or response.status_code == 500:  # a test has broken something inside
        return
    said = operation["responses"].get(str(response.status_code))
    where = f"{operation['operationId']} {response.status_code}"
    response.read()
    assert said is not None, f"{where} is not described: {response.text[:500]}"
    said = _resolved(said)
    _check_headers(where, response, said["headers"])
    _check_etag(where, response, operation)
    content = said.get("content")
    if content is None:
        assert not response.content, where
        return
    media_type = response.headers["content-type"].partition(";")[0]
    assert media_type in content, f"{where}: {media_type} is none of {sorted(content)}"
    if response.request.method != "HEAD" and media_type.endswith(("json", "/vc")):
        problems = [
            error.message
            for error in _validator(json.dumps(content[media_type]["schema"])).iter_errors(response.json())
        ]
        assert not problems, f"{where}: {problems[:3]} in {response.text[:500]}"


def _check_etag(where: str, response: httpx.Response, operation: Mapping[str, Any]) -> None:
    whole = "content-length" in response.headers
    if response.status_code == 200 and "304" in operation["responses"] and whole:
        assert "etag" in response.headers, f"{where} has no ETag"


def _check_headers(where: str, response: httpx.Response, said: Mapping[str, Any]) -> None:
    for name, header in DESCRIPTION["components"]["headers"].items():
        value = response.headers.get(name)
        if name not in said:
            assert value is None, f"{where}: the header {name} is not described"
            continue
        if "$ref" not in said[name]:
            header = said[name]
        if value is None:
            assert not header.get("required"), f"{where}: the header {name} is missing"
        else:
            schema = header["schema"]
            given = int(value) if schema["type"] == "integer" else value
            assert _validator(json.dumps(schema)).is_valid(given), f"{where}: {name}: {value}"


def _resolved(said: dict[str, Any]) -> dict[str, Any]:
    reference = said.get("$ref")
    if reference is None:
        return said
    found: dict[str, Any] = DESCRIPTION["components"]["responses"][reference.rpartition("/")[2]]
    return found


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    whole = {"components": {"schemas": DESCRIPTION["components"]["schemas"]}, **json.loads(schema)}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)

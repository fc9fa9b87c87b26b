"""No array of any request has room for a thousand items: tried with every array that the shapes of the bodies have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from litestar.handlers import HTTPRouteHandler
from msgspec import inspect

from lapel.http.app import HANDLERS
from tests.http.live_server import LiveServer, live_server

TOO_MANY = 1_001
Steps = tuple[str, ...]

# Without these a body is refused before its arrays are looked at.
SENSIBLE: dict[str, dict[str, object]] = {
    "Criteria": {"narrative": "x"},
    "RecipientInput": {"type": "email", "identity": "ada@school.example"},
}


@dataclass(frozen=True)
class Case:
    """One array in one body.

    Attributes:
        steps: the names of the members that lead to it; a step through an outer array is ``0``.
    """

    method: str
    path: str
    shape: type
    steps: Steps

    def __str__(self) -> str:
        return f"{self.method} {self.path} /{'/'.join(self.steps)}"


def plain(kind: inspect.Type) -> list[inspect.Type]:
    """The types of which a value may be one."""
    if isinstance(kind, inspect.Metadata):
        return plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for member in kind.types for one in plain(member)]
    return [kind]


def arrays(kind: inspect.Type, steps: Steps = (), above: tuple[object, ...] = ()) -> Iterator[Steps]:
    for one in plain(kind):
        if isinstance(one, inspect.ListType):
            yield steps
            yield from arrays(one.item_type, (*steps, "0"), above)
        elif isinstance(one, inspect.StructType) and one.cls not in above:
            for field in one.fields:
                yield from arrays(field.type, (*steps, field.encode_name), (*above, one.cls))


def cases() -> Iterator[Case]:
    for handler in HANDLERS:
        shape = shape_of(handler)
        if shape is not None:
            for steps in arrays(inspect.type_info(shape)):
                for path in handler.paths:
                    yield Case(next(iter(handler.http_methods)), path, shape, steps)


def shape_of(handler: HTTPRouteHandler) -> type | None:
    annotation = getattr(handler.fn, "__annotations__", {}).get("data")
    if annotation is None:
        return None
    name = str(annotation)
    inner = name.partition("[")[2].rpartition("]")[0]
    return cast("type | None", handler.fn.__globals__.get(inner))


def value(kind: inspect.Type, steps: Steps | None, known: dict[str, str], name: str = "") -> Any:
    """A value with as little in it as may be, but too much in the array at the end of `steps`."""
    options = [one for one in plain(kind) if not isinstance(one, inspect.NoneType)]
    wanted = options[0]
    if steps is not None:
        inner = inspect.StructType if steps and steps[0] != "0" else inspect.ListType
        wanted = next(one for one in options if isinstance(one, inner))
    match wanted:
        case inspect.ListType():
            if steps:
                return [value(wanted.item_type, steps[1:], known)]
            return [value(wanted.item_type, None, known)] * (1 if steps is None else TOO_MANY)
        case inspect.StructType():
            found = dict(SENSIBLE.get(wanted.cls.__name__, {}))
            for field in wanted.fields:
                on_the_way = steps is not None and field.encode_name == steps[0]
                if on_the_way or (field.required and field.encode_name not in found):
                    inside = steps[1:] if steps is not None and on_the_way else None
                    found[field.encode_name] = value(field.type, inside, known, field.encode_name)
            return found
        case inspect.EnumType():
            return next(iter(wanted.cls)).value
        case inspect.LiteralType():
            return wanted.values[0]
        case inspect.FloatType() | inspect.IntType():
            return 1
        case inspect.DictType():
            return {}
        case _:
            return known.get(name, "x")


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT": "0"}) as running:
        yield running


@pytest.fixture(scope="module")
def known(server: LiveServer) -> dict[str, str]:
    """What members and paths have to name."""
    issuer = server.create("/v3/issuers", name="One", url="https://one.example")["id"]
    award = {"name": "x", "description": "x", "criteria": {"narrative": "x"}}
    achievement = server.create("/v3/achievements", issuer=issuer, **award)["id"]
    ids = {"issuer": issuer, "achievement": achievement}
    return ids | {f"{name}_id": address.rpartition("/")[2] for name, address in ids.items()}


def test_there_are_arrays() -> None:
    assert len(list(cases())) > 20


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_too_many_items_are_refused(server: LiveServer, known: dict[str, str], case: Case) -> None:
    path = "/".join(known.get(step.strip("{}").partition(":")[0], step) for step in case.path.split("/"))
    body = value(inspect.type_info(case.shape), case.steps, known)

    response = server.ask(case.method, path, json=body)

    assert response.status_code == 422, response.text[:500]
    assert f"/{'/'.join(case.steps)}" in [error["pointer"] for error in response.json()["errors"]], response.text[:500]

"""The client has every operation of the interface, and loads nothing of the server."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from typing import get_args, get_type_hints

import httpx
import pytest
from msgspec import Struct

import lapel.client
from lapel.client import AsyncClient, Client
from lapel.client.operation import Listing, Operation
from tests.support.described_answers import operations

BESIDE = {"verify_url"}
LAPEL = Client("http://badges.example", http=httpx.Client())


def described_methods(client: type) -> dict[str, object]:
    return {name: found for name, found in inspect.getmembers_static(client) if isinstance(found, Operation | Listing)}


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_every_operation_has_a_method_with_its_name(client: type) -> None:
    assert described_methods(client).keys() == operations().keys() | BESIDE


@pytest.mark.parametrize("name", operations())
def test_a_list_is_an_iterator_and_everything_says_what_it_does(name: str) -> None:
    method = described_methods(Client)[name]
    headers = {parameter["name"] for parameter in operations()[name][2].get("parameters", ())}

    assert isinstance(method, Listing) == ("cursor" in headers)
    assert method.__doc__


@pytest.mark.parametrize("name", operations())
def test_what_can_be_done_once_is_sent_with_a_key_of_its_own(name: str) -> None:
    headers = {parameter["name"] for parameter in operations()[name][2].get("parameters", ())}
    arguments = inspect.signature(getattr(LAPEL, name)).parameters

    assert ("idempotency_key" in arguments) == ("Idempotency-Key" in headers)
    assert ("if_match" in arguments) == ("If-Match" in headers)


@pytest.mark.parametrize("name", operations())
def test_whatever_is_sent_is_made_of_what_the_package_gives(name: str) -> None:
    method = getattr(LAPEL, name)
    hints = get_type_hints(inspect.unwrap(method))
    hints.pop("return")

    needed = {kind for hint in hints.values() for kind in kinds(hint, set())}
    assert {kind.__name__ for kind in needed} <= set(lapel.client.__all__)


def kinds(hint: object, seen: set[object]) -> Iterator[type]:
    """The shapes and choices that a value of that type can be made of."""
    if hint in seen:
        return
    seen.add(hint)
    if isinstance(hint, type) and issubclass(hint, Struct | Enum):
        yield hint
        if issubclass(hint, Struct):
            for part in get_type_hints(hint).values():
                yield from kinds(part, seen)
    for part in get_args(hint):
        yield from kinds(part, seen)


def test_importing_it_loads_no_server() -> None:
    program = "import sys, lapel.client; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()

    strangers = {"litestar", "sqlalchemy", "uvicorn", "cryptography", "jinja2", "pyld", "nacl", "asyncpg", "pydantic"}
    assert not strangers & set(loaded)
    assert not [name for name in loaded if name.startswith(("lapel.http", "lapel.database", "lapel.bootstrap"))]

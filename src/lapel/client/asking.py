"""One request, described: what is sent, what comes back, whether it may be sent again. Nothing here does any I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec

from lapel.client.documents import Document, Picture
from lapel.client.failures import UnexpectedAnswer

__all__ = [
    "Ask",
    "Page",
    "PageAsk",
    "at",
    "changing",
    "document",
    "json_body",
    "matching",
    "nothing",
    "once",
    "picture",
    "shape",
    "text",
]

Result = TypeVar("Result")
Item = TypeVar("Item")

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Ask(Generic[Result]):
    """A request, and how its answer is read.

    Attributes:
        query: parameters; those that are None are left out.
        repeatable: it may be sent twice without being done twice.
        also: statuses that are no success of HTTP's, and good answers here.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], Result]
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    repeatable: bool = False
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; ``next`` is the address of the following one."""

    items: list[Item]
    next: str | None


@dataclass(frozen=True, slots=True)
class PageAsk(Generic[Item]):
    """A list: how its first page is asked for, and each following one."""

    first: Ask[Page[Item]]

    def after(self, page: Page[Item]) -> Ask[Page[Item]] | None:
        """The next page. Only what its address asks for is taken from it: the key goes to no other server."""
        if page.next is None:
            return None
        return replace(self.first, query=dict(httpx.URL(page.next).params))


def at(template: str, *names: str) -> str:
    """The path with ids in it; each is an id, or the address of what it names."""
    parts = (quote(_bare(name), safe=":") for name in names)
    return template.format(*parts)


def _bare(name: str) -> str:
    if name.startswith(("http://", "https://")):
        name = httpx.URL(name).path.rstrip("/").rpartition("/")[2]
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} names nothing")
    return name


def json_body(body: object) -> bytes:
    """The body as JSON; members that are not set are left out."""
    return msgspec.json.encode(body)


def once(*, key: str | None) -> dict[str, str]:
    """Headers of a JSON request that is done once, however often it is sent: under the caller's key, or a new one."""
    return {"content-type": _JSON, "idempotency-key": key or str(uuid4())}


def changing(if_match: str | None) -> dict[str, str]:
    """Headers of a JSON request that changes a version, or any."""
    return {"content-type": _JSON, **matching(if_match)}


def matching(if_match: str | None) -> dict[str, str]:
    """The header that names a version."""
    return {} if if_match is None else {"if-match": if_match}


def shape(kind: type[Result]) -> Callable[[httpx.Response], Result]:
    """Reads JSON into that shape."""

    def read(response: httpx.Response) -> Result:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise UnexpectedAnswer(f"{response.url}: {error}") from error

    return read


def document(kind: type[Result]) -> Callable[[httpx.Response], Document[Result]]:
    """Keeps the bytes, to be read as that shape when somebody looks."""

    def read(response: httpx.Response) -> Document[Result]:
        return Document(
            content=response.content,
            media_type=response.headers.get("content-type", "").partition(";")[0],
            etag=response.headers.get("etag"),
            location=response.headers.get("location"),
            kind=kind,
        )

    return read


def picture(response: httpx.Response) -> Picture:
    """Reads an image."""
    return Picture(response.content, response.headers.get("content-type", ""))


def text(response: httpx.Response) -> str:
    """Reads a text."""
    return response.text


def nothing(response: httpx.Response) -> None:
    """Reads an answer that has no content."""

"""Descriptions of requests: what to send, how to read the answer, whether to send it again. Without any I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec

from lapel.client.documents import Document, Picture
from lapel.client.failures import UnexpectedAnswer

__all__ = [
    "ListRequest",
    "Page",
    "Request",
    "as_document",
    "as_json",
    "as_nothing",
    "as_picture",
    "as_text",
    "change_headers",
    "get",
    "if_match_headers",
    "json_body",
    "path_to",
    "post_once",
]

Result = TypeVar("Result")
Item = TypeVar("Item")

_JSON: Final = "application/json"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Request(Generic[Result]):
    """A request, and how to read its answer.

    Attributes:
        read: converts a successful answer to the result.
        query: parameters; those that are None are left out.
        repeatable: the request may be sent again without being carried out twice.
        also: statuses outside 2xx that count as success, too.
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
    """One page of a list; ``next`` is the address of the next one."""

    items: list[Item]
    next: str | None


@dataclass(frozen=True, slots=True)
class ListRequest(Generic[Item]):
    """The requests for the pages of a list."""

    first: Request[Page[Item]]

    def after(self, page: Page[Item]) -> Request[Page[Item]] | None:
        """Return the request for the next page, if there is one.

        Only the query is taken from the page's ``next``, so that the API key is never sent to another server.
        """
        if page.next is None:
            return None
        return replace(self.first, query=dict(httpx.URL(page.next).params))


def get(
    path: str,
    read: Callable[[httpx.Response], Result],
    *,
    query: Mapping[str, str | int | None] = _NONE,
    headers: Mapping[str, str] = _NONE,
) -> Request[Result]:
    """Return a GET request, which may be sent again."""
    return Request("GET", path, read, query=query, headers=headers, repeatable=True)


def post_once(
    path: str,
    body: object,
    read: Callable[[httpx.Response], Result],
    *,
    key: str | None,
    query: Mapping[str, str | int | None] = _NONE,
) -> Request[Result]:
    """Return a POST request with a JSON body that is carried out once, however often it is sent.

    Args:
        key: its Idempotency-Key; a new one if None.
    """
    headers = {"content-type": _JSON, "idempotency-key": key or str(uuid4())}
    return Request("POST", path, read, query=query, headers=headers, content=json_body(body), repeatable=True)


def path_to(template: str, *names: str) -> str:
    """Return the path with ids filled in; each name is an id, or a record's address, which ends with its id."""
    parts = (quote(_id_of(name), safe=":") for name in names)
    return template.format(*parts)


def _id_of(name: str) -> str:
    if name.startswith(("http://", "https://")):
        name = httpx.URL(name).path.rstrip("/").rpartition("/")[2]
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} names nothing")
    return name


def json_body(body: object) -> bytes:
    """Encode the body as JSON, without members that are not set."""
    return msgspec.json.encode(body)


def change_headers(if_match: str | None) -> dict[str, str]:
    """Return the headers of a JSON request that changes a resource, with its version if `if_match` names one."""
    return {"content-type": _JSON, **if_match_headers(if_match)}


def if_match_headers(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"if-match": if_match}


def as_json(kind: type[Result]) -> Callable[[httpx.Response], Result]:
    """Return a reader that decodes JSON as that type."""

    def read(response: httpx.Response) -> Result:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise UnexpectedAnswer(f"{response.url}: {error}") from error

    return read


def as_document(kind: type[Result]) -> Callable[[httpx.Response], Document[Result]]:
    """Return a reader that keeps the bytes, which `Document.value` decodes as that type."""

    def read(response: httpx.Response) -> Document[Result]:
        return Document(
            content=response.content,
            media_type=response.headers.get("content-type", "").partition(";")[0],
            etag=response.headers.get("etag"),
            location=response.headers.get("location"),
            kind=kind,
        )

    return read


def as_picture(response: httpx.Response) -> Picture:
    """Read an image."""
    return Picture(response.content, response.headers.get("content-type", ""))


def as_text(response: httpx.Response) -> str:
    """Read a text."""
    return response.text


def as_nothing(response: httpx.Response) -> None:
    """Ignore the answer, which has no content."""

"""Lists: `limit`, opaque cursors, filters, `next` and the Link header (RFC 8288)."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from msgspec import Struct, ValidationError, convert, json

from lapel.credentials.jose import base64url
from lapel.domain.identifiers import parse_id
from lapel.domain.text import check_text
from lapel.errors import InvalidInput, NotFound
from lapel.http.answer import NO_STORE, Answer
from lapel.http.call import Call, only_queries
from lapel.http.compression import with_gzip
from lapel.http.documents import public_response
from lapel.http.errors import BadCursor, MalformedRequest
from lapel.services.paging import DEFAULT_PAGE, MAX_PAGE_SIZE, Page

__all__ = [
    "PageRequest",
    "choice_parameter",
    "decode_cursor",
    "encode_cursor",
    "id_parameter",
    "issuer_parameter",
    "list_response",
    "page_request",
    "text_parameter",
    "time_parameter",
]

Item = TypeVar("Item")
Choice = TypeVar("Choice", bound=StrEnum)

_JSON: Final = "application/json"
_CHECKSUM_BYTES = 4
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list to return.

    Attributes:
        limit: how many items at most.
        before, key: id and sort key of the previous page's last item; None and empty for the first page.
    """

    limit: int
    before: UUID | None
    key: bytes = b""


def encode_cursor(last: UUID, key: bytes = b"", *, of: str = "") -> str:
    """Return an opaque cursor. Its short checksum detects a mangled one.

    Args:
        last, key: the id of the page's last item, and its sort key if the list is not sorted by id.
        of: identifies the list; the cursor is not valid for any other.
    """
    raw = last.bytes + key
    return base64url.encode(raw + _checksum(raw, of))


def decode_cursor(cursor: str, *, of: str = "") -> tuple[UUID, bytes]:
    """Return the id and sort key that `encode_cursor` was given. Raises BadCursor."""
    try:
        raw = base64url.decode(cursor)
    except base64url.InvalidBase64Url as error:
        raise BadCursor from error
    position, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if len(position) < 16 or checksum != _checksum(position, of):
        raise BadCursor
    return UUID(bytes=position[:16]), position[16:]


def page_request(request: Call, *filters: str) -> PageRequest:
    """Read ``?limit=&cursor=`` from the request.

    Args:
        filters: the other query parameters that the list takes.

    Raises:
        MalformedRequest: the limit is not a number from 1 to 100, or the list does not take one of the parameters.
        BadCursor: the cursor is not one of ours, or is for another list or other filters.
    """
    only_queries(request, "limit", "cursor", *filters)
    text = request.query_params.get("limit")
    limit = DEFAULT_PAGE
    if text is not None:
        limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= limit <= MAX_PAGE_SIZE:
            raise MalformedRequest(f"limit must be a number from 1 to {MAX_PAGE_SIZE}, not {text[:40]!r}.")
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return PageRequest(limit=limit, before=None)
    return PageRequest(limit, *decode_cursor(cursor, of=_list_of(request, filters)))


def text_parameter(request: Call, name: str, *, max_length: int = 200) -> str | None:
    """Return the text of the query parameter `name`; None if it is missing.

    Raises:
        MalformedRequest: it is empty, longer than `max_length`, or has characters that no text here may have.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.strip():
        raise MalformedRequest(f"{name} must not be empty.")
    try:
        return check_text(text, pointer=name, max_length=max_length)
    except InvalidInput as error:
        raise MalformedRequest(error.detail) from error


def choice_parameter(request: Call, name: str, choices: type[Choice]) -> Choice | None:
    """Return the member of `choices` in the query parameter `name`; None if it is missing. Raises MalformedRequest."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return choices(text)
    except ValueError as error:
        raise MalformedRequest(f"{name} must be one of {', '.join(choices)}, not {text[:40]!r}.") from error


def time_parameter(request: Call, name: str) -> datetime | None:
    """Return the time in the query parameter `name`; a date means its start in UTC. Raises MalformedRequest."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    try:
        time = convert(text.replace(" ", "+"), datetime)  # an unescaped plus sign arrives as a space
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValidationError, OverflowError):
        pass
    raise MalformedRequest(
        f"{name} must be a date, or a date and time with an offset, not {text[:40]!r}.",
        hint="Such as 2026-01-31 or 2026-01-31T12:00:00Z (RFC 3339).",
    )


def id_parameter(request: Call, name: str, *, collection: str) -> UUID | None:
    """Return the id in the query parameter `name`: a UUID, a URN, or a URL below `collection` of this server.

    Raises:
        MalformedRequest: it is none of these.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return parse_id(request.services.addresses.own_id(text, collection=collection))
    except InvalidInput as error:
        hint = "Use its UUID, bare or as urn:uuid:…, or its address here."
        raise MalformedRequest(f"{name}: {error.detail}", hint=hint) from error


async def issuer_parameter(request: Call) -> UUID | None:
    """Return the id of the issuer in the query parameter ``issuer``: a DID, or whatever `id_parameter` takes.

    Raises:
        MalformedRequest: it is none of these, or no issuer of this server has the DID.
    """
    text = request.query_params.get("issuer")
    if text is None or not text.startswith("did:"):
        return id_parameter(request, "issuer", collection="/v3/issuers")
    try:
        return await request.services.issuers.id_of(text)
    except NotFound as error:
        raise MalformedRequest(f"issuer: {error.detail}", hint=error.hint) from error


async def list_response(
    request: Call,
    page: Page[Item],
    *,
    path: str,
    show: Callable[[Item], Struct],
    limit: int,
    cache_control: str | None = None,
    keep: tuple[str, ...] = (),
) -> Answer:
    """Answer ``{"items": […], "next": …}``; `next` starts with the public URL.

    Args:
        path: the path of the list.
        show: converts an item to the struct that is sent.
        cache_control: of a public list, which has an ETag; no cache may keep another one.
        keep: query parameters that the next page's URL repeats.
    """
    next_url: str | None = None
    headers = {}
    if page.next is not None:
        query = {name: value for name in keep if (value := request.query_params.get(name)) is not None}
        cursor = encode_cursor(page.next, page.key, of=_list_of(request, keep))
        query |= {"limit": str(limit), "cursor": cursor}
        next_url = f"{request.services.addresses.base}{path}?{urlencode(query)}"
        headers["link"] = f'<{next_url}>; rel="next"'
    body = json.encode({"items": [show(item) for item in page.items], "next": next_url})
    if cache_control is not None:
        answer = partial(public_response, request, body, media_type=_JSON, cache_control=cache_control)
        return await asyncio.to_thread(answer, headers=headers)  # which may have a long list to compress
    headers.update(NO_STORE)
    return Answer(await with_gzip(request, body, headers), media_type=_JSON, headers=headers)


def _list_of(request: Call, filters: tuple[str, ...]) -> str:
    """Identify the list that a request asks for, by its path and its filters as they were written."""
    values = sorted((name, value) for name in filters if (value := request.query_params.get(name)) is not None)
    path = request.scope["path"].rstrip("/").replace("urn:uuid:", "")  # an id in it can be written in two ways
    return f"{path}?{urlencode(values)}"


def _checksum(raw: bytes, of: str) -> bytes:
    return hashlib.blake2b(raw + of.encode(), digest_size=_CHECKSUM_BYTES, person=b"lapel cursor").digest()

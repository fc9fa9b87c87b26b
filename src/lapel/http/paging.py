"""Lists: `limit`, opaque cursors, `next` and the Link header (RFC 8288)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from msgspec import Struct, ValidationError, convert, json

from lapel.domain.identifiers import parse_id
from lapel.domain.text import check_text
from lapel.errors import InvalidInput, NotFound
from lapel.http.answer import Answer
from lapel.http.call import Call, only_queries
from lapel.http.compression import with_gzip
from lapel.http.errors import BadCursor, MalformedRequest
from lapel.services.paging import DEFAULT_PAGE, LARGEST_PAGE, Page

__all__ = [
    "PageRequest",
    "choice_parameter",
    "decode_cursor",
    "encode_cursor",
    "id_parameter",
    "list_response",
    "page_request",
    "text_parameter",
    "time_parameter",
]

Item = TypeVar("Item")
Choice = TypeVar("Choice", bound=StrEnum)

_CHECK_BYTES = 4
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted.

    Attributes:
        limit: how many items at most.
        before, key: of the last item of the page before; None and empty for the first page.
    """

    limit: int
    before: UUID | None
    key: bytes = b""


def encode_cursor(last: UUID, key: bytes = b"", *, of: str = "") -> str:
    """An opaque cursor with a short check sum, so that a mangled one is told from a good one.

    Args:
        last, key: where the page ended: its last id, and by what the list is in order besides.
        of: which list it is; no other takes it.
    """
    raw = last.bytes + key
    return base64.urlsafe_b64encode(raw + _check(raw, of)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *, of: str = "") -> tuple[UUID, bytes]:
    """The id and key that `encode_cursor` was given. Raises BadCursor."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    place, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if len(place) < 16 or check != _check(place, of):
        raise BadCursor
    last, key = UUID(bytes=place[:16]), place[16:]
    if encode_cursor(last, key, of=of) != cursor:  # base64 has several spellings of one value
        raise BadCursor
    return last, key


def page_request(request: Call, *filters: str) -> PageRequest:
    """``?limit=&cursor=`` of the request.

    Args:
        filters: the other query parameters that the list takes.

    Raises:
        MalformedRequest: the limit is not a number from 1 to 100, or there is a parameter that the list does not take.
        BadCursor: the cursor is not one of ours, or was made for other filters.
    """
    only_queries(request, "limit", "cursor", *filters)
    text = request.query_params.get("limit")
    limit = DEFAULT_PAGE
    if text is not None:
        limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= limit <= LARGEST_PAGE:
            raise MalformedRequest(f"limit must be a number from 1 to {LARGEST_PAGE}, not {text[:40]!r}.")
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return PageRequest(limit=limit, before=None)
    return PageRequest(limit, *decode_cursor(cursor, of=_list_of(request, filters)))


def text_parameter(request: Call, name: str, *, most: int = 200) -> str | None:
    """The text in the query parameter `name`.

    Raises:
        MalformedRequest: it is empty, or too long, or holds what no text here holds.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.strip():
        raise MalformedRequest(f"{name} must not be empty.")
    try:
        return check_text(text, pointer=name, most=most)
    except InvalidInput as error:
        raise MalformedRequest(error.detail) from error


def choice_parameter(request: Call, name: str, choices: type[Choice]) -> Choice | None:
    """The member of an enumeration that the query parameter `name` names. Raises MalformedRequest."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return choices(text)
    except ValueError as error:
        raise MalformedRequest(f"{name} must be one of {', '.join(choices)}, not {text[:40]!r}.") from error


def time_parameter(request: Call, name: str) -> datetime | None:
    """The moment in the query parameter `name`, or the beginning of that day in UTC. Raises MalformedRequest."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    try:
        found = convert(text.replace(" ", "+"), datetime)  # a plus sign that was not escaped
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValidationError, OverflowError):
        pass
    raise MalformedRequest(
        f"{name} must be a date, or a date and time with an offset, not {text[:40]!r}.",
        hint="Such as 2026-01-31 or 2026-01-31T12:00:00Z (RFC 3339).",
    )


def id_parameter(request: Call, name: str, *, collection: str) -> UUID | None:
    """The id in the query parameter `name`: a UUID, a URN, or the full URL of a member of `collection` here.

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
    """The issuer in the query parameter ``issuer``: by its DID, or as `id_parameter` has it.

    Raises:
        MalformedRequest: it is none of these, or the DID of no issuer here.
    """
    text = request.query_params.get("issuer")
    if text is None or not text.startswith("did:"):
        return id_parameter(request, "issuer", collection="/v3/issuers")
    try:
        return await request.services.issuers.id_of(text)
    except NotFound as error:
        raise MalformedRequest(f"issuer: {error.detail}", hint=error.hint) from error


def list_response(
    request: Call,
    page: Page[Item],
    *,
    path: str,
    show: Callable[[Item], Struct],
    limit: int,
    headers: Mapping[str, str] | None = None,
    keep: tuple[str, ...] = (),
) -> Answer:
    """``{"items": […], "next": …}``; the URLs are made of the public URL.

    Args:
        path: the list's own path.
        show: an item as it is shown.
        headers: in place of the header that forbids keeping it.
        keep: query parameters that the next page's URL repeats.
    """
    following: str | None = None
    answer = dict(headers or {"cache-control": "no-store"})
    if page.next is not None:
        query = {name: value for name in keep if (value := request.query_params.get(name)) is not None}
        cursor = encode_cursor(page.next, page.key, of=_list_of(request, keep))
        query |= {"limit": str(limit), "cursor": cursor}
        following = f"{request.services.addresses.base}{path}?{urlencode(query)}"
        answer["link"] = f'<{following}>; rel="next"'
    body = json.encode({"items": [show(item) for item in page.items], "next": following})
    return Answer(with_gzip(request, body, answer), media_type="application/json", headers=answer)


def _list_of(request: Call, filters: tuple[str, ...]) -> str:
    """Which list a request is for: its path and every filter as it was written."""
    given = sorted((name, value) for name in filters if (value := request.query_params.get(name)) is not None)
    path = request.scope["path"].rstrip("/").replace("urn:uuid:", "")  # an id in it can be written in two ways
    return f"{path}?{urlencode(given)}"


def _check(raw: bytes, of: str) -> bytes:
    return hashlib.blake2b(raw + of.encode(), digest_size=_CHECK_BYTES, person=b"lapel cursor").digest()

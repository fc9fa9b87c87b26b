"""Lists: `limit`, opaque cursors, `next` and the Link header (RFC 8288)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from msgspec import Struct, json

from lapel.domain.identifiers import parse_id
from lapel.errors import InvalidInput
from lapel.http.answer import Answer
from lapel.http.call import Call, only_queries
from lapel.http.errors import BadCursor, MalformedRequest
from lapel.services.paging import DEFAULT_PAGE, LARGEST_PAGE, Page

__all__ = ["PageRequest", "decode_cursor", "encode_cursor", "id_parameter", "list_response", "page_request"]

Item = TypeVar("Item")

_CHECK_BYTES = 4


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted: at most `limit` items whose id sorts before `before`."""

    limit: int
    before: UUID | None


def encode_cursor(last: UUID) -> str:
    """An opaque cursor: the last id of a page with a short check sum, so that a mangled one is told from a good one."""
    return base64.urlsafe_b64encode(last.bytes + _check(last.bytes)).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> UUID:
    """The id that `encode_cursor` was given. Raises BadCursor."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if len(raw) != 16 + _CHECK_BYTES or raw[16:] != _check(raw[:16]):
        raise BadCursor
    last = UUID(bytes=raw[:16])
    if encode_cursor(last) != cursor:  # base64 has several spellings of one value
        raise BadCursor
    return last


def page_request(request: Call, *filters: str) -> PageRequest:
    """``?limit=&cursor=`` of the request.

    Args:
        filters: the other query parameters that the list takes.

    Raises:
        MalformedRequest: the limit is not a number from 1 to 100, or there is a parameter that the list does not take.
        BadCursor: the cursor is not one of ours.
    """
    only_queries(request, "limit", "cursor", *filters)
    text = request.query_params.get("limit")
    limit = DEFAULT_PAGE
    if text is not None:
        limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= limit <= LARGEST_PAGE:
            raise MalformedRequest(f"limit must be a number from 1 to {LARGEST_PAGE}, not {text[:40]!r}.")
    cursor = request.query_params.get("cursor")
    return PageRequest(limit=limit, before=decode_cursor(cursor) if cursor else None)


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
        raise MalformedRequest(f"{name}: {error.detail}", hint=error.hint) from error


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
        query |= {"limit": str(limit), "cursor": encode_cursor(page.next)}
        following = f"{request.services.addresses.base}{path}?{urlencode(query)}"
        answer["link"] = f'<{following}>; rel="next"'
    body = json.encode({"items": [show(item) for item in page.items], "next": following})
    return Answer(body, media_type="application/json", headers=answer)


def _check(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=_CHECK_BYTES, person=b"lapel cursor").digest()

"""Public documents: validators, caching, conditional GET (RFC 9110, 13), readable from any origin."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from msgspec import json

from lapel.domain.json import JsonObject
from lapel.http.answer import PUBLIC, Answer
from lapel.http.call import Call
from lapel.http.negotiation import choose

__all__ = ["JSON_LD", "NO_VERSION", "created", "document_response", "etag_of", "expected_version", "public_response"]

JSON_LD = ("application/ld+json", "application/json")
"""What our JSON-LD documents can be called."""

NO_VERSION = 0
"""No resource is ever at this version: expecting it answers 412, after 401, 403, 404 and 422 (RFC 9110, 13.2.1)."""

_OWN_ETAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})-[0-9a-f]{24}"')
_LONGEST_IF_MATCH = 2000


def etag_of(content: bytes, *, version: int | None = None) -> str:
    """A strong validator: of the content, and where the resource has versions, of the version that If-Match names."""
    digest = hashlib.sha256(content).hexdigest()[:24]
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def public_response(
    request: Call,
    content: bytes,
    *,
    media_type: str,
    cache_control: str,
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """`content`, or 304 if the client has it."""
    tag = etag or etag_of(content)
    answer = {"etag": tag, "cache-control": cache_control, **PUBLIC, **(headers or {})}
    known = request.header(b"if-none-match")
    if known is not None and _matches(known, tag):
        return Answer(b"", media_type=media_type, status_code=304, headers=answer)
    return Answer(content, media_type=media_type, headers=answer)


def document_response(
    request: Call,
    document: JsonObject,
    *,
    cache_control: str,
    version: int | None = None,
    available: tuple[str, ...] = JSON_LD,
) -> Answer:
    """A JSON document under the media type that the client prefers of `available`."""
    content = json.encode(document)
    return public_response(
        request,
        content,
        media_type=choose(request.header(b"accept"), available),
        cache_control=cache_control,
        etag=etag_of(content, version=version),
        headers={"vary": "Accept"},
    )


def created(content: bytes, *, location: str, media_type: str = "application/json") -> Answer:
    """201 with the new resource and where it is."""
    return Answer(
        content,
        status_code=201,
        media_type=media_type,
        headers={"location": location, "cache-control": "no-store"},
    )


def expected_version(request: Call) -> int | None:
    """The version that If-Match names; None where the caller does not care; NO_VERSION for an ETag of nothing here.

    A list names the newest of its versions, for that is the only one that there can be.
    """
    text = request.header(b"if-match")
    if text is None or text.strip() == "*":
        return None
    # A proxy that compresses makes the validator weak (W/); the version in it is as exact as before.
    found = (_OWN_ETAG.fullmatch(tag.strip()) for tag in text[:_LONGEST_IF_MATCH].split(","))
    return max((int(match[1]) for match in found if match), default=NO_VERSION)


def _matches(header: str, tag: str) -> bool:
    """If-None-Match compares weakly (RFC 9110, 13.1.2); a proxy that compresses makes our validator weak."""
    return header.strip() == "*" or any(part.strip().removeprefix("W/") == tag for part in header.split(","))

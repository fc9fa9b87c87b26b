"""Public documents: validators, caching, conditional GET (RFC 9110, 13), compression, readable from any origin."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Set

from msgspec import json

from lapel.domain.json import JsonObject
from lapel.errors import NotFound
from lapel.http.answer import PUBLIC, Answer
from lapel.http.call import Call
from lapel.http.compression import GZIPPED, accepts_gzip, gzip, is_compressible, is_worth_it, vary_too
from lapel.http.negotiation import HTML, choose

__all__ = [
    "JSON_LD",
    "NO_VERSION",
    "changed",
    "created",
    "document_response",
    "etag_of",
    "expected_version",
    "page_response",
    "public_response",
]

JSON_LD = ("application/ld+json", "application/json")
"""What our JSON-LD documents can be called."""

NO_VERSION = 0
"""No resource is ever at this version: expecting it answers 412, after 401, 403, 404 and 422 (RFC 9110, 13.2.1)."""

_OWN_ETAG = re.compile(r'"([1-9][0-9]{0,8})-[0-9a-f]{24}"')
_OF_GZIP = '-gzip"'
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
    gzipped: Callable[[], bytes] | None = None,
) -> Answer:
    """`content`, compressed if the client takes that, or 304 if the client has it.

    Args:
        gzipped: its compressed form, where that is kept.
    """
    tags = [etag or etag_of(content)]
    answer = {"cache-control": cache_control, **PUBLIC, **(headers or {})}
    if is_compressible(media_type):
        answer["vary"] = vary_too(answer.get("vary"))
        if is_worth_it(content) and accepts_gzip(request):
            # Other bytes have another strong validator (RFC 9110, 8.8.3.3).
            tags.insert(0, tags[0][:-1] + _OF_GZIP)
    known = request.header_list(b"if-none-match")
    if known is not None and (tag := _first_known(known, tags)) is not None:
        return Answer(b"", media_type=media_type, status_code=304, headers={"etag": tag, **answer})
    if len(tags) > 1:
        content = gzip(content) if gzipped is None else gzipped()
        answer.update([GZIPPED])
    return Answer(content, media_type=media_type, headers={"etag": tags[0], **answer})


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
        media_type=choose(request.header_list(b"accept"), available),
        cache_control=cache_control,
        etag=etag_of(content, version=version),
        headers={"vary": "Accept"},
    )


def page_response(request: Call, page: bytes) -> Answer:
    """A page for people, at an address where programs get something else."""
    headers = {**request.services.pages.headers, "vary": "Accept"}
    return public_response(request, page, media_type=HTML, cache_control="no-cache", headers=headers)


def changed(content: bytes, *, version: int) -> Answer:
    """200 with the resource as it now is, and the validator for the next change."""
    headers = {"etag": etag_of(content, version=version), "cache-control": "no-store"}
    return Answer(content, media_type=JSON_LD[1], headers=headers)


def created(
    content: bytes, *, location: str, media_type: str = "application/json", version: int | None = None
) -> Answer:
    """201 with the new resource, where it is and, if it has versions, the validator for its first change."""
    headers = {"location": location, "cache-control": "no-store"}
    if version is not None:
        headers["etag"] = etag_of(content, version=version)
    return Answer(content, status_code=201, media_type=media_type, headers=headers)


async def expected_version(request: Call, current: Callable[[], Awaitable[tuple[int, Set[str]]]]) -> int | None:
    """The version that If-Match names; None where the caller does not care; NO_VERSION for an ETag of nothing here.

    If-Match compares strongly (RFC 9110, 13.1.1): a tag that a proxy has made weak (W/) names nothing. That of the
    compressed form names what it is the form of.

    Args:
        current: the newest version, and the ETags of what is served of it. It may be a moment old: a tag of another
            version goes to where the change is made, which knows.
    """
    text = request.header_list(b"if-match")
    if text is None or text.strip() == "*":
        return None
    given = {_of_the_plain_form(tag.strip()) for tag in text[:_LONGEST_IF_MATCH].split(",")}
    newest = NO_VERSION
    with contextlib.suppress(NotFound):  # that is for the change to say, after whether it is allowed
        newest, tags = await current()
        if tags & given:
            return newest
    versions = {int(match[1]) for tag in given if (match := _OWN_ETAG.fullmatch(tag))}
    return max(versions - {newest}, default=NO_VERSION)


def _of_the_plain_form(tag: str) -> str:
    return tag.removesuffix(_OF_GZIP) + '"' if tag.endswith(_OF_GZIP) else tag


def _first_known(header: str, tags: list[str]) -> str | None:
    """If-None-Match compares weakly (RFC 9110, 13.1.2); a proxy that compresses makes our validator weak."""
    if header.strip() == "*":
        return tags[0]
    known = {part.strip().removeprefix("W/") for part in header.split(",")}
    return next((tag for tag in tags if tag in known), None)

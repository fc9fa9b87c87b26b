"""Answers with public documents: ETag, caching, conditional GET (RFC 9110, 13), compression, CORS."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Set

from msgspec import json

from lapel.domain.json import JsonObject
from lapel.errors import NotFound
from lapel.http.answer import NO_STORE, PUBLIC, Answer
from lapel.http.call import Call
from lapel.http.compression import GZIPPED, accepts_gzip, gzip, is_compressible, is_worth_it, vary_too
from lapel.http.negotiation import HTML, choose

__all__ = [
    "CONTROLLER_DOCUMENT",
    "DID_DOCUMENT",
    "FIVE_MINUTES",
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
"""The media types under which JSON-LD documents are served."""

CONTROLLER_DOCUMENT = (*JSON_LD, "application/cid")
"""The media types under which an issuer is served (Controlled Identifiers 1.0, appendix A)."""

DID_DOCUMENT = ("application/did+json", "application/did+ld+json", "application/did", *reversed(CONTROLLER_DOCUMENT))
"""The media types under which DID documents are served (DID 1.0, 6; DID 1.1, 6)."""

FIVE_MINUTES = "public, max-age=300"
"""The Cache-Control of public documents that may change."""

NO_VERSION = 0
"""No resource is ever at this version: expecting it answers 412, after 401, 403, 404 and 422 (RFC 9110, 13.2.1)."""

_OWN_ETAG = re.compile(r'"([1-9][0-9]{0,8})-[0-9a-f]{24}"')
_GZIP_SUFFIX = '-gzip"'
_MAX_IF_MATCH_LENGTH = 2000


def etag_of(content: bytes, *, version: int | None = None) -> str:
    """Return a strong ETag of the content; it starts with the version if the resource has versions, for If-Match."""
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
    """Answer with `content`, compressed if the client accepts that, or with 304 if the client has it.

    Args:
        gzipped: returns the compressed content, where that is cached.
    """
    tags = [etag or etag_of(content)]
    answer = {"cache-control": cache_control, **PUBLIC, **(headers or {})}
    if is_compressible(media_type):
        answer["vary"] = vary_too(answer.get("vary"))
        if is_worth_it(content) and accepts_gzip(request):
            # Different bytes need a different strong ETag (RFC 9110, 8.8.3.3).
            tags.insert(0, tags[0][:-1] + _GZIP_SUFFIX)
    if_none_match = request.header_list(b"if-none-match")
    if if_none_match is not None and (tag := _first_match(if_none_match, tags)) is not None:
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
    """Answer with a JSON document, under the media type of `available` that the client prefers."""
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
    """Answer with an HTML page, at an address where programs get another representation."""
    headers = {**request.services.pages.headers, "vary": "Accept"}
    return public_response(request, page, media_type=HTML, cache_control="no-cache", headers=headers)


def changed(content: bytes, *, version: int) -> Answer:
    """Answer 200 with the changed resource, and its ETag for the next change."""
    headers = {"etag": etag_of(content, version=version), **NO_STORE}
    return Answer(content, media_type=JSON_LD[1], headers=headers)


def created(
    content: bytes, *, location: str, media_type: str = "application/json", version: int | None = None
) -> Answer:
    """Answer 201 with the new resource, its Location and, if it has versions, its ETag for the first change."""
    headers = {"location": location, **NO_STORE}
    if version is not None:
        headers["etag"] = etag_of(content, version=version)
    return Answer(content, status_code=201, media_type=media_type, headers=headers)


async def expected_version(request: Call, current: Callable[[], Awaitable[tuple[int, Set[str]]]]) -> int | None:
    """Return the version that If-Match names; None if any will do; NO_VERSION if no ETag belongs to this resource.

    If-Match compares strongly (RFC 9110, 13.1.1): a tag that a proxy has made weak (W/) matches nothing. The ETag of
    the compressed content names the same version as that of the uncompressed one.

    Args:
        current: returns the newest version, and the ETags of its representations. Its result may be a moment old: a
            version that is not the newest here is returned all the same, and compared again where the change is made.
    """
    text = request.header_list(b"if-match")
    if text is None or text.strip() == "*":
        return None
    requested = {_uncompressed_tag(tag.strip()) for tag in text[:_MAX_IF_MATCH_LENGTH].split(",")}
    newest = NO_VERSION
    with contextlib.suppress(NotFound):  # the change itself raises it, after it has checked the caller's rights
        newest, tags = await current()
        if tags & requested:
            return newest
    versions = {int(match[1]) for tag in requested if (match := _OWN_ETAG.fullmatch(tag))}
    return max(versions - {newest}, default=NO_VERSION)


def _uncompressed_tag(tag: str) -> str:
    return tag.removesuffix(_GZIP_SUFFIX) + '"' if tag.endswith(_GZIP_SUFFIX) else tag


def _first_match(header: str, tags: list[str]) -> str | None:
    """Compare weakly, as If-None-Match requires (RFC 9110, 13.1.2): a proxy that compresses makes an ETag weak."""
    if header.strip() == "*":
        return tags[0]
    client_tags = {part.strip().removeprefix("W/") for part in header.split(",")}
    return next((tag for tag in tags if tag in client_tags), None)

"""``/docs`` and ``/openapi.json``: the description of this server's API, which loads nothing from other servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import json

from lapel.domain.json import JsonObject
from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.document_cache import CachedDocument
from lapel.http.documents import FIVE_MINUTES, public_response
from lapel.http.openapi.description import describe
from lapel.http.services import Services

__all__ = ["handlers"]


def handlers(documented: Sequence[HTTPRouteHandler], *, services: Services) -> list[HTTPRouteHandler]:
    """Return the routes that describe the routes in `documented`."""

    @cache
    def description() -> JsonObject:
        return describe(documented, public_url=services.addresses.base)

    @cache
    def openapi_document() -> CachedDocument:
        return CachedDocument(json.encode(description()), "application/vnd.oai.openapi+json")

    @cache
    def docs_page() -> CachedDocument:
        return CachedDocument(services.pages.routes(description()), "text/html")

    @cache
    def errors_page() -> CachedDocument:
        return CachedDocument(services.pages.errors(), "text/html")

    def answer(request: Call, document: CachedDocument, headers: Mapping[str, str] | None = None) -> Answer:
        return public_response(
            request,
            document.content,
            media_type=document.media_type,
            cache_control=FIVE_MINUTES,
            etag=document.etag,
            headers=headers,
            gzipped=document.gzipped,
        )

    @get("/openapi.json", sync_to_thread=False)
    def openapi(request: Call) -> Answer:
        return answer(request, openapi_document())

    @get("/docs", sync_to_thread=False)
    def docs(request: Call) -> Answer:
        return answer(request, docs_page(), services.pages.headers)

    @get("/docs/errors", sync_to_thread=False)
    def errors(request: Call) -> Answer:
        return answer(request, errors_page(), services.pages.headers)

    @get("/", sync_to_thread=False)
    def root() -> Answer:
        return Answer(b"", media_type="text/plain", status_code=303, headers={"location": "docs"})

    return [openapi, docs, errors, root]

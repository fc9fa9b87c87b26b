"""``/docs`` and ``/openapi.json``: what this server offers, without asking anything of another server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import json

from lapel.domain.json import JsonObject
from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.documents import public_response
from lapel.http.openapi_description import describe
from lapel.http.services import Services

__all__ = ["handlers"]

_CACHE = "public, max-age=300"


def handlers(documented: Sequence[HTTPRouteHandler], *, services: Services) -> list[HTTPRouteHandler]:
    """The routes that describe `documented`."""

    @cache
    def description() -> JsonObject:
        return describe(documented, public_url=services.addresses.base)

    @cache
    def docs_page() -> bytes:
        return services.pages.routes(description())

    @get("/openapi.json", sync_to_thread=False)
    def openapi(request: Call) -> Answer:
        return public_response(
            request, json.encode(description()), media_type="application/vnd.oai.openapi+json", cache_control=_CACHE
        )

    @get("/docs", sync_to_thread=False)
    def docs(request: Call) -> Answer:
        return public_response(
            request, docs_page(), media_type="text/html", cache_control=_CACHE, headers=services.pages.headers
        )

    @get("/docs/errors", sync_to_thread=False)
    def errors(request: Call) -> Answer:
        return public_response(
            request,
            services.pages.errors(),
            media_type="text/html",
            cache_control=_CACHE,
            headers=services.pages.headers,
        )

    @get("/", sync_to_thread=False)
    def root() -> Answer:
        return Answer(b"", media_type="text/plain", status_code=303, headers={"location": "docs"})

    return [openapi, docs, errors, root]

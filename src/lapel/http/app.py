"""The HTTP application: every route, inside one middleware (`Frame`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from litestar import Litestar
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from lapel.http.call import calls_on
from lapel.http.document_cache import DocumentCache
from lapel.http.fast_path import FastPath
from lapel.http.frame import Frame
from lapel.http.methods import allowed_by, options_of
from lapel.http.problems import problem_handlers
from lapel.http.routes import (
    achievements,
    api_keys,
    audit_log,
    batches,
    credential_changes,
    credential_lists,
    credentials,
    docs,
    endorsements,
    health,
    images,
    issuers,
    keys,
    metrics,
    open_badges_2,
    open_badges_2_writes,
    organisations,
    recipients,
    status_lists,
    vc_api,
    verify,
    well_known,
)
from lapel.http.services import Services

__all__ = ["HANDLERS", "build_app"]

HANDLERS: tuple[HTTPRouteHandler, ...] = (
    *issuers.HANDLERS,
    *keys.HANDLERS,
    *achievements.HANDLERS,
    *credentials.HANDLERS,
    *batches.HANDLERS,
    *credential_lists.HANDLERS,
    *credential_changes.HANDLERS,
    *endorsements.HANDLERS,
    *recipients.HANDLERS,
    *status_lists.HANDLERS,
    *verify.HANDLERS,
    *vc_api.HANDLERS,
    *images.HANDLERS,
    *open_badges_2.HANDLERS,
    *organisations.HANDLERS,
    *api_keys.HANDLERS,
    *open_badges_2_writes.HANDLERS,
    *well_known.HANDLERS,
    *audit_log.HANDLERS,
    *health.HANDLERS,
    metrics.metrics,
)
"""Every documented route."""


def build_app(services: Services, *, lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]]) -> ASGIApp:
    """Build the ASGI application.

    Args:
        lifespan: entered when the server starts and left after it has answered its last request.
    """
    handlers = [*HANDLERS, verify.verification_form, *docs.handlers(HANDLERS, services=services)]
    app = Litestar(
        [*options_of(handlers), *handlers],
        request_class=calls_on(services),
        exception_handlers=problem_handlers(services.addresses.base, pages=services.pages),
        request_max_body_size=services.max_body_bytes,
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        state=State(),
    )
    # Not through `state=`: Litestar copies what it is given there.
    app.state.document_cache = cache = DocumentCache(
        last_erasure=services.erasing.last_erasure, on_clear=services.signed_assertions.forget
    )
    services.erasing.forget_in(cache)
    public = [handler for handler in HANDLERS if not handler.security]
    public_posts = {path for handler in public if "POST" in handler.http_methods for path in handler.paths}
    return Frame(FastPath(app), services, public_posts=public_posts, allow=allowed_by(handlers))

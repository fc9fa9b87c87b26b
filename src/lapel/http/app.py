"""The HTTP application: every route, in one frame."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from litestar import Litestar
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from lapel.http.call import calls_on
from lapel.http.fast_path import FastPath
from lapel.http.frame import Frame
from lapel.http.kept_documents import KeptDocuments
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


def build_app(
    services: Services, *, lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]] | None = None
) -> ASGIApp:
    """The ASGI application.

    Args:
        lifespan: opened when the server starts and closed after it has answered its last request.
    """
    handlers = [*HANDLERS, verify.verification_form, *docs.handlers(HANDLERS, services=services)]
    app = Litestar(
        [*options_of(handlers), *handlers],
        request_class=calls_on(services),
        exception_handlers=problem_handlers(services.addresses.base, pages=services.pages),
        request_max_body_size=services.max_body_bytes,
        lifespan=[lifespan] if lifespan else [],
        openapi_config=None,
        logging_config=None,
        state=State(),
    )
    # Not through the constructor, which copies what it is given.
    app.state.kept_documents = kept = KeptDocuments(
        erasures=services.erasing.last_erasure, forget_too=services.signed_assertions.forget
    )
    services.erasing.forget_in(kept)
    open_to_all = [handler for handler in HANDLERS if not handler.security]
    public_posts = {path for handler in open_to_all if "POST" in handler.http_methods for path in handler.paths}
    return Frame(FastPath(app), services, public_posts=public_posts, allow=allowed_by(handlers))

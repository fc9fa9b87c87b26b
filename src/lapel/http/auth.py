"""Who is asking: an API key in `Authorization: Bearer` or `X-API-Key`."""

from __future__ import annotations

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

from lapel.errors import Unauthorized
from lapel.http.services import Services

__all__ = ["SECURITY", "authenticated"]

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
"""What OpenAPI says of a route behind the guard."""

_LONGEST_KEY = 512


async def authenticated(
    connection: ASGIConnection[BaseRouteHandler, object, object, State], _: BaseRouteHandler
) -> None:
    """A guard: go on only with a good key, and note whose it is. What the key may do, the services ask.

    Raises:
        Unauthorized: there is no key, or it is nobody's.
    """
    secret = _secret(connection.headers.get("authorization"), connection.headers.get("x-api-key"))
    services: Services = connection.app.state.services
    connection.scope["user"] = await services.api_keys.authenticate(secret)


def _secret(authorization: str | None, api_key: str | None) -> str:
    secret = api_key
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("The Authorization header is not of the form `Bearer KEY`.")
        secret = token
    secret = (secret or "").strip()
    if not secret:
        raise Unauthorized
    if len(secret) > _LONGEST_KEY:
        raise Unauthorized("This is no API key.")
    return secret

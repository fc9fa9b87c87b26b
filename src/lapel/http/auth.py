"""Who is asking: an API key in `Authorization: Bearer` or `X-API-Key`."""

from __future__ import annotations

from typing import cast

from litestar.types import BeforeRequestHookHandler

from lapel.errors import Unauthorized
from lapel.http.call import Call
from lapel.http.key_limits import within_limits

__all__ = ["SECURITY", "authenticated"]

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
"""What OpenAPI says of a route behind the guard."""

_LONGEST_KEY = 512


async def _authenticate(request: Call) -> None:
    """Before a request: go on only with a good key, and note whose it is. What the key may do, the services ask.

    Not a guard of Litestar's, which would copy the request first.

    Raises:
        Unauthorized: there is no key, or it is nobody's.
        TooManyRequests: too many keys from this address were nobody's, or this one has changed too much.
    """
    secret = _secret(request.header(b"authorization"), request.header(b"x-api-key"))
    request.scope["user"] = await within_limits(request, secret, request.services.api_keys.authenticate)


# Litestar makes the request of the application's class, which its types cannot say.
authenticated = cast("BeforeRequestHookHandler", _authenticate)


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

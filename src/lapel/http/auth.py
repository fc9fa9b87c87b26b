"""Who is asking: an API key in `Authorization: Bearer` or `X-API-Key`, or an access token in the former."""

from __future__ import annotations

from typing import cast

from litestar.types import BeforeRequestHookHandler

from lapel.credentials.vc_jwt import looks_like_jwt
from lapel.domain.origin import Origin, origin
from lapel.errors import Unauthorized
from lapel.http.call import Call
from lapel.http.limits.client_address import UNKNOWN, client_address
from lapel.http.limits.key_limits import within_limits
from lapel.http.problems import request_id

__all__ = ["SECURITY", "authenticated"]

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
"""What OpenAPI says of a route behind the guard."""

_LONGEST_KEY = 16 * 1024  # a token's; an API key is much shorter


async def _authenticate(request: Call) -> None:
    """Before a request: go on only with a good key or token, and note whose it is. What he may do, the services ask.

    Not a guard of Litestar's, which would copy the request first.

    Raises:
        Unauthorized: there is none, or it is nobody's.
        Forbidden: the token gives no role here.
        TooManyRequests: too many keys from this address were nobody's, or this one has changed too much.
    """
    services = request.services
    secret = _secret(request.header(b"authorization"), request.header(b"x-api-key"))
    tokens = services.access_tokens
    issued_by = services.api_keys if tokens is None or not looks_like_jwt(secret) else tokens
    address = client_address(request.scope)
    origin.set(Origin(None if address == UNKNOWN else address, request_id(request.scope)))
    request.scope["user"] = await within_limits(request, secret, issued_by.authenticate)


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
        raise Unauthorized("This is neither an API key nor an access token.")
    return secret

"""Authentication: by an API key in `Authorization: Bearer` or `X-API-Key`, or an access token in the former."""

from __future__ import annotations

from typing import TypedDict, cast

from litestar.types import BeforeRequestHookHandler

from lapel.credentials.jose.vc_jwt import looks_like_jwt
from lapel.domain.access import Principal, Scope
from lapel.domain.origin import Origin, origin
from lapel.errors import Unauthorized
from lapel.http.call import Call
from lapel.http.limits.client_address import UNKNOWN, client_address
from lapel.http.limits.key_limits import within_limits
from lapel.http.problems import request_id

__all__ = ["Guard", "requires"]

_MAX_SECRET_LENGTH = 16 * 1024  # of a token; an API key is much shorter


class Guard(TypedDict):
    """The arguments that `requires` adds to a route."""

    before_request: BeforeRequestHookHandler
    security: list[dict[str, list[str]]]


def requires(*scopes: Scope) -> Guard:
    """Restrict a route to callers who have all of `scopes`, and describe this in OpenAPI.

    The services check the scopes as well, for every caller. This check comes before the body is read and before a
    stored answer is replayed (`lapel.http.idempotency`), so that a caller who has lost a scope always gets 403.
    """

    async def check(request: Call) -> None:
        principal = await _authenticated(request)
        for scope in scopes:
            principal.require(scope)

    names = [scope.value for scope in scopes]
    # Litestar creates requests of the application's `request_class`, which its types cannot express.
    return {
        "before_request": cast("BeforeRequestHookHandler", check),
        "security": [{"bearer": names}, {"apiKey": names}],
    }


async def _authenticated(request: Call) -> Principal:
    """Authenticate the request by its key or token, and store the caller in its scope as ``user``.

    This is not one of Litestar's guards, because those get a copy of the request.

    Raises:
        Unauthorized: the key or token is missing, or not valid.
        Forbidden: the token gives no role here.
        TooManyRequests: too many wrong keys came from this address, or this key has sent too many changes.
    """
    services = request.services
    authorization = request.header(b"authorization")
    secret = _secret(authorization, request.header(b"x-api-key"))
    tokens = services.access_tokens
    authenticator = (
        services.api_keys if tokens is None or authorization is None or not looks_like_jwt(secret) else tokens
    )
    address = client_address(request.scope)
    origin.set(Origin(None if address == UNKNOWN else address, request_id(request.scope)))
    principal = request.scope["user"] = await within_limits(request, secret, authenticator.authenticate)
    return principal


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
    if len(secret) > _MAX_SECRET_LENGTH:
        raise Unauthorized("This is neither an API key nor an access token.")
    return secret

"""The request class of the routes: typed access to services and caller, strict reading of bodies, ids from paths."""

from __future__ import annotations

import math
from typing import ClassVar, TypeVar
from uuid import UUID

from litestar.connection import Request
from litestar.datastructures import State
from litestar.exceptions import InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from lapel.domain.access import Principal
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.identifiers import parse_id
from lapel.domain.json import JsonObject
from lapel.errors import InvalidInput, NotFound, Unauthorized
from lapel.http.body import MAX_PARTS, read_body
from lapel.http.errors import EmptyBody, MalformedRequest, UnknownContentCoding, UnsupportedMediaType
from lapel.http.header_fields import field_lines, first_line
from lapel.http.services import Services
from lapel.services.verifying.documents import read_document

__all__ = ["PATCH_TYPES", "Call", "calls_on", "only_queries", "path_id", "path_issuer"]

Shape = TypeVar("Shape")

_JSON = "application/json"
PATCH_TYPES = ("application/merge-patch+json", _JSON)
"""Media types of a PATCH body: JSON Merge Patch (RFC 7396); plain JSON is read in the same way."""


class Call(Request[Principal | None, None, State]):
    """A request as the handlers see it.

    Attributes:
        services: the application's services; set by `calls_on`.
    """

    services: ClassVar[Services]

    @property
    def principal(self) -> Principal:
        """The authenticated caller. Routes that use it declare their scopes with `lapel.http.auth.requires`."""
        principal = self.scope.get("user")
        if not isinstance(principal, Principal):
            raise Unauthorized
        return principal

    @property
    def once(self) -> IdempotentRequest | None:
        """The record that a write stores beside its effect if the request has an ``Idempotency-Key``."""
        once = self.scope.get("once")
        return once if isinstance(once, IdempotentRequest) else None

    def header(self, name: bytes) -> str | None:
        """Return the value of a single-line header field; of several lines, the first. The name is in lower case."""
        value = first_line(self.scope, name)
        return None if value is None else value.decode("latin-1")

    def header_list(self, name: bytes) -> str | None:
        """Return the value of a header field that is a list, which may have several lines."""
        return field_lines(self.scope, name)

    async def body(self) -> bytes:
        """Return the whole body, which nearly always arrives in one piece.

        Raises:
            UnknownContentCoding: it is compressed, or coded in another way.
            RequestEntityTooLarge: it is larger than the route's limit; no more than the limit is read.
        """
        if isinstance(self._body, bytes):
            return self._body
        if (self.header_list(b"content-encoding") or "").lower() not in {"", "identity"}:  # RFC 9110, 8.4.1
            raise UnknownContentCoding
        limit = self.route_handler.resolve_request_max_body_size() or math.inf
        content_length = self.header(b"content-length")
        if content_length is not None and int(content_length) > limit:
            raise RequestEntityTooLarge
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] != "http.request":
                raise InternalServerException("client disconnected prematurely")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise RequestEntityTooLarge
            more = message.get("more_body", False)
        self._body = parts[0] if len(parts) == 1 else b"".join(parts)
        return self._body

    async def json(self) -> object:
        """Decode the body strictly as the type of the handler's `data` parameter.

        Raises:
            UnsupportedMediaType: its Content-Type is not JSON.
            MalformedRequest: it is empty, or not JSON.
            TooLarge: it has too many members and items.
            InvalidInput: members are missing, unknown or of the wrong type; the FieldErrors point at them.
        """
        shape: type[object] = self.route_handler.parsed_fn_signature.parameters["data"].annotation
        return await self.read(shape)

    async def read(self, shape: type[Shape], *, max_parts: int = MAX_PARTS) -> Shape:
        """Decode the body as a `shape`, for handlers without a `data` parameter. Raises as `json`."""
        body = await self.body()
        if body and self.header(b"content-type") != _JSON:
            self._require_json()
        return read_body(body, shape, max_parts=max_parts)

    async def json_object(self) -> JsonObject:
        """Decode the body as a JSON object that every parser reads alike, to be verified or signed as it is.

        Raises:
            UnsupportedMediaType, MalformedRequest: as `json`.
            UnreadableJson, TooLarge: as `read_document`.
        """
        body = await self.body()
        if not body.strip():
            raise EmptyBody
        self._require_json()
        return await read_document(body)

    def _require_json(self) -> None:
        media_type = self.content_type[0].lower()
        if self.scope["method"] == "PATCH" and media_type not in PATCH_TYPES:
            error = UnsupportedMediaType(hint=f"Send a JSON Merge Patch, as {' or '.join(PATCH_TYPES)}.")
            error.accept_patch = PATCH_TYPES
            raise error
        json_like = media_type.startswith("application/") and media_type.endswith("+json")
        if media_type != _JSON and not json_like:
            raise UnsupportedMediaType(hint="Send JSON, with `Content-Type: application/json`.")


def calls_on(services: Services) -> type[Call]:
    """Return a request class whose instances use these services."""

    class OwnCall(Call):
        pass

    OwnCall.services = services
    return OwnCall


def path_id(text: str) -> UUID:
    """Parse the UUID in a path, bare or as ``urn:uuid:…``. Raises NotFound for anything else: nothing can be there."""
    try:
        return parse_id(text)
    except InvalidInput:
        raise NotFound(f"There is nothing with the id {text[:80]!r}.") from None


async def path_issuer(request: Call, text: str) -> UUID:
    """Return the id of the issuer that a path names by its DID or its UUID. Raises NotFound."""
    return await request.services.issuers.id_of(text) if text.startswith("did:") else path_id(text)


def only_queries(request: Call, *known: str) -> None:
    """Refuse query parameters that are not among `known`: a misspelt filter must not return everything.

    Raises:
        MalformedRequest: a parameter is unknown, or given twice.
    """
    if not request.scope["query_string"]:
        return
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            hint = f"The parameters are {', '.join(known)}." if known else "It takes none."
            raise MalformedRequest(f"There is no query parameter {name[:40]!r} here.", hint=hint)
        if name in seen:
            raise MalformedRequest(f"The query parameter {name} is given more than once.")
        seen.add(name)

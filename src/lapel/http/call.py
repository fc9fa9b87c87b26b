"""One request: typed access to the services and the caller, a strict reader of bodies, ids from paths."""

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
from lapel.http.body import read_body
from lapel.http.errors import EmptyBody, MalformedRequest, UnsupportedMediaType
from lapel.http.header_fields import field_lines, first_line
from lapel.http.services import Services
from lapel.services.verifying.documents import read_document

__all__ = ["PATCH_TYPES", "Call", "calls_on", "only_queries", "path_id", "path_issuer"]

Shape = TypeVar("Shape")

_JSON = "application/json"
PATCH_TYPES = ("application/merge-patch+json", _JSON)
"""What a change is (RFC 7396); plain JSON is taken for the same."""


class Call(Request[Principal | None, None, State]):
    """A request as the handlers see it.

    Attributes:
        services: what they work with; given by `calls_on`.
    """

    services: ClassVar[Services]

    @property
    def principal(self) -> Principal:
        """Who is asking. Routes that need it say what for with `lapel.http.auth.requires`."""
        principal = self.scope.get("user")
        if not isinstance(principal, Principal):
            raise Unauthorized
        return principal

    @property
    def once(self) -> IdempotentRequest | None:
        """What a write is to store beside its effect, where the request came with an ``Idempotency-Key``."""
        once = self.scope.get("once")
        return once if isinstance(once, IdempotentRequest) else None

    def header(self, name: bytes) -> str | None:
        """The value of a header field that has one line: of several, the first. The name is in lower case."""
        value = first_line(self.scope, name)
        return None if value is None else value.decode("latin-1")

    def header_list(self, name: bytes) -> str | None:
        """The value of a header field that is a list, which may have several lines."""
        return field_lines(self.scope, name)

    async def body(self) -> bytes:
        """The whole body, which nearly always comes in one piece.

        Raises:
            RequestEntityTooLarge: it is larger than this address takes; it is not read further than that.
        """
        if isinstance(self._body, bytes):
            return self._body
        most = self.route_handler.resolve_request_max_body_size() or math.inf
        announced = self.header(b"content-length")
        if announced is not None and int(announced) > most:
            raise RequestEntityTooLarge
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] != "http.request":
                raise InternalServerException("client disconnected prematurely")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                raise RequestEntityTooLarge
            more = message.get("more_body", False)
        self._body = parts[0] if len(parts) == 1 else b"".join(parts)
        return self._body

    async def json(self) -> object:
        """The body, read strictly into the type that the handler's `data` parameter has.

        Raises:
            UnsupportedMediaType: its Content-Type is not JSON.
            MalformedRequest: it is empty, or not JSON.
            InvalidInput: a member is missing, unknown or of the wrong type; the FieldError points at it.
        """
        wanted: type[object] = self.route_handler.parsed_fn_signature.parameters["data"].annotation
        return await self.read(wanted)

    async def read(self, wanted: type[Shape]) -> Shape:
        """The body as a `wanted`; for handlers without a `data` parameter. It raises what `json` raises."""
        body = await self.body()
        if body and self.header(b"content-type") != _JSON:
            self._require_json()
        return read_body(body, wanted)

    async def json_object(self) -> JsonObject:
        """The body as an object that everybody reads alike, for what is going to be verified or signed as it is.

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
            refused = UnsupportedMediaType(hint=f"Send a JSON Merge Patch, as {' or '.join(PATCH_TYPES)}.")
            refused.accept_patch = PATCH_TYPES
            raise refused
        json_like = media_type.startswith("application/") and media_type.endswith("+json")
        if media_type != _JSON and not json_like:
            raise UnsupportedMediaType(hint="Send JSON, with `Content-Type: application/json`.")


def calls_on(services: Services) -> type[Call]:
    """The requests of an application that works with these services."""

    class OwnCall(Call):
        pass

    OwnCall.services = services
    return OwnCall


def path_id(text: str) -> UUID:
    """The UUID in a path: bare or ``urn:uuid:…``. Raises NotFound for anything else: nothing can be there."""
    try:
        return parse_id(text)
    except InvalidInput:
        raise NotFound(f"There is nothing with the id {text[:80]!r}.") from None


async def path_issuer(request: Call, text: str) -> UUID:
    """The issuer in a path: by its DID, or as `path_id` has it. Raises NotFound."""
    return await request.services.issuers.id_of(text) if text.startswith("did:") else path_id(text)


def only_queries(request: Call, *known: str) -> None:
    """Refuse a query parameter that is none of `known`: a misspelt filter must not answer with everything.

    Raises:
        MalformedRequest: there is such a one, or one is given twice.
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

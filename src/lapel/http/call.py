"""One request: typed access to the services and the caller, a strict reader of bodies, ids from paths."""

from __future__ import annotations

from uuid import UUID

from litestar.connection import Request
from litestar.datastructures import State

from lapel.domain.access import Principal
from lapel.domain.identifiers import parse_id
from lapel.errors import InvalidInput, NotFound, Unauthorized
from lapel.http.body import read_body
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.services import Services

__all__ = ["Call", "only_queries", "path_id"]


class Call(Request[Principal | None, None, State]):
    """A request as the handlers see it."""

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    @property
    def principal(self) -> Principal:
        """Who is asking. Routes that need it ask `lapel.http.auth.authenticated` before the request."""
        principal = self.scope.get("user")
        if not isinstance(principal, Principal):
            raise Unauthorized
        return principal

    def header(self, name: bytes) -> str | None:
        """The first header field of that name, in lower case; cheaper than `headers`, which sorts out all of them."""
        for given, value in self.scope["headers"]:
            if given == name:
                return value.decode("latin-1")
        return None

    async def json(self) -> object:
        """The body, read strictly into the type that the handler's `data` parameter has.

        Raises:
            UnsupportedMediaType: its Content-Type is not JSON.
            MalformedRequest: it is empty, or not JSON.
            InvalidInput: a member is missing, unknown or of the wrong type; the FieldError points at it.
        """
        media_type = self.content_type[0].lower()
        body = await self.body()
        json_like = media_type.startswith("application/") and media_type.endswith("+json")
        if body and media_type != "application/json" and not json_like:
            raise UnsupportedMediaType(hint="Send JSON, with `Content-Type: application/json`.")
        wanted: type[object] = self.route_handler.parsed_fn_signature.parameters["data"].annotation
        return read_body(body, wanted)


def path_id(text: str) -> UUID:
    """The UUID in a path: bare or ``urn:uuid:…``. Raises NotFound for anything else: nothing can be there."""
    try:
        return parse_id(text)
    except InvalidInput:
        raise NotFound(f"There is nothing with the id {text[:80]!r}.") from None


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
            raise MalformedRequest(
                f"There is no query parameter {name[:40]!r} here.", hint=f"There are: {', '.join(known)}."
            )
        if name in seen:
            raise MalformedRequest(f"The query parameter {name} is given more than once.")
        seen.add(name)

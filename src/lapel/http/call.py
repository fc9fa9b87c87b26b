"""One request: typed access to the services and the caller, a strict reader of bodies, ids from paths."""

from __future__ import annotations

import re
from uuid import UUID

from litestar.connection import Request
from litestar.datastructures import State
from msgspec import DecodeError, ValidationError, json

from lapel.domain.access import Principal
from lapel.domain.identifiers import parse_id
from lapel.errors import FieldError, InvalidInput, NotFound, Unauthorized
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.services import Services

__all__ = ["Call", "path_id"]

_AT = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")


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
            MalformedRequest: it is not JSON.
            InvalidInput: a member is missing, unknown or of the wrong type; the FieldError points at it.
        """
        media_type = self.content_type[0].lower()
        if media_type != "application/json" and not (
            media_type.startswith("application/") and media_type.endswith("+json")
        ):
            raise UnsupportedMediaType(hint="Send JSON, with `Content-Type: application/json`.")
        body = await self.body()
        wanted = self.route_handler.parsed_fn_signature.parameters["data"].annotation
        try:
            return json.decode(body, type=wanted)
        except ValidationError as error:
            raise _invalid_member(str(error)) from error
        except (DecodeError, UnicodeDecodeError) as error:
            raise MalformedRequest(f"The body is not JSON: {error}.") from error
        except RecursionError as error:
            raise MalformedRequest("The body's JSON is nested too deeply.") from error


def path_id(text: str) -> UUID:
    """The UUID in a path: bare or ``urn:uuid:…``. Raises NotFound for anything else: nothing can be there."""
    try:
        return parse_id(text)
    except InvalidInput:
        raise NotFound(f"There is nothing with the id {text[:80]!r}.") from None


def _invalid_member(message: str) -> InvalidInput:
    """msgspec's message, such as ``Expected `str`, got `int` - at `$.recipient.identity```, as a FieldError."""
    found = _AT.search(message)
    detail = message[: found.start()] if found else message
    pointer = "".join(f"/{index or name}" for index, name in _STEP.findall(found[1])) if found else ""
    code = "invalid_type"
    for prefix, meaning in (
        ("Object missing required field", "missing"),
        ("Object contains unknown field", "unknown_member"),
        ("Invalid enum value", "not_allowed"),
    ):
        if detail.startswith(prefix):
            code = meaning
            name = re.search(r"`([^`]*)`", detail)
            if name and code != "not_allowed":
                pointer = f"{pointer}/{name[1].replace('~', '~0').replace('/', '~1')}"
    return InvalidInput(
        f"{pointer or 'The body'}: {detail}.", errors=[FieldError(pointer=pointer, detail=detail, code=code)]
    )

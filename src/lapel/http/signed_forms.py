"""In which form a signed document is sent: JSON with an embedded proof, a compact token, or a page about it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lapel.http.call import Call
from lapel.http.errors import MalformedRequest, NotAcceptable
from lapel.http.negotiation import HTML, choose

__all__ = ["JSON_FORMS", "TOKEN_FORMS", "chosen_form"]

JSON_FORMS: Final = ("application/vc", "application/ld+json", "application/json", "application/vc+ld+json")
TOKEN_FORMS: Final = ("application/vc+jwt", "application/jwt", "text/plain")

_NAMED: Final = MappingProxyType({"json": "application/json", "jwt": "text/plain", "html": HTML})


def chosen_form(request: Call, available: tuple[str, ...], *, named: Mapping[str, str] = _NAMED) -> str:
    """The media type to send, of those that are available: what ``?format=`` names, or what Accept likes best.

    Args:
        named: the media type that each name stands for.

    Raises:
        NotAcceptable: the client accepts none of them, or names another form.
        MalformedRequest: ``?format=`` is no name of a form.
    """
    if request.scope["query_string"] and (name := request.query_params.get("format")) is not None:
        names = [known for known, media_type in named.items() if media_type in available]
        if name in names:
            return named[name]
        hint = f"Use {' or '.join(names)}."
        if name in named:
            raise NotAcceptable(f"This is not available as {name}.", hint=hint)
        raise MalformedRequest(f"There is no format {name[:40]!r} here.", hint=hint)
    return choose(request.header_list(b"accept"), available)

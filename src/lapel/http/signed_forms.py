"""In which form a signed document is sent: JSON with an embedded proof, a compact token, or a page about it."""

from __future__ import annotations

from typing import Final

from lapel.http.call import Call
from lapel.http.errors import MalformedRequest
from lapel.http.negotiation import choose

__all__ = ["HTML", "JSON_FORMS", "TOKEN_FORMS", "chosen_form"]

JSON_FORMS: Final = ("application/vc", "application/ld+json", "application/json", "application/vc+ld+json")
TOKEN_FORMS: Final = ("application/vc+jwt", "application/jwt", "text/plain")
HTML: Final = "text/html"

_NAMED: Final = {"json": "application/json", "jwt": "text/plain", "html": HTML}


def chosen_form(request: Call, available: tuple[str, ...]) -> str:
    """The media type to send, of those that are available: what ``?format=`` names, or what Accept likes best.

    Raises:
        NotAcceptable: the client accepts none of them.
        MalformedRequest: ``?format=`` names none of them.
    """
    if request.scope["query_string"] and (name := request.query_params.get("format")) is not None:
        names = [known for known, media_type in _NAMED.items() if media_type in available]
        if name not in names:
            raise MalformedRequest(f"There is no format {name[:40]!r} here.", hint=f"Use {' or '.join(names)}.")
        return _NAMED[name]
    return choose(request.header(b"accept"), available)

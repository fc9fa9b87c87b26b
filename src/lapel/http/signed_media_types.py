"""The media types of a signed document: JSON with an embedded proof, a compact token, or a page about it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lapel.http.call import Call
from lapel.http.errors import MalformedRequest, NotAcceptable
from lapel.http.negotiation import HTML, choose

__all__ = ["JSON_MEDIA_TYPES", "TOKEN_MEDIA_TYPES", "chosen_media_type"]

JSON_MEDIA_TYPES: Final = ("application/vc", "application/ld+json", "application/json", "application/vc+ld+json")
TOKEN_MEDIA_TYPES: Final = ("application/vc+jwt", "application/jwt", "text/plain")

_FORMATS: Final = MappingProxyType({"json": "application/json", "jwt": "text/plain", "html": HTML})


def chosen_media_type(request: Call, available: tuple[str, ...], *, formats: Mapping[str, str] = _FORMATS) -> str:
    """Return the media type of `available` to send: by ``?format=``, or otherwise by Accept.

    Args:
        formats: the media type of each value of ``?format=``.

    Raises:
        NotAcceptable: the client accepts none of `available`, or asks for a format that is not among them.
        MalformedRequest: the value of ``?format=`` is unknown.
    """
    if request.scope["query_string"] and (name := request.query_params.get("format")) is not None:
        names = [known for known, media_type in formats.items() if media_type in available]
        if name in names:
            return formats[name]
        hint = f"Use {' or '.join(names)}."
        if name in formats:
            raise NotAcceptable(f"This is not available as {name}.", hint=hint)
        raise MalformedRequest(f"There is no format {name[:40]!r} here.", hint=hint)
    return choose(request.header_list(b"accept"), available)

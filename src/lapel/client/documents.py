"""Documents and images as the server sent them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import msgspec

from lapel.client.failures import UnexpectedAnswer
from lapel.domain.json import JsonObject

__all__ = ["Document", "Picture"]

Kind = TypeVar("Kind", covariant=True)

_TOKENS = ("application/vc+jwt", "application/jwt", "text/plain")


@dataclass(frozen=True, slots=True)
class Document(Generic[Kind]):
    """A document that a standard defines. It may be signed, so store ``content`` unchanged.

    Attributes:
        kind: the type of `value`.
        etag: the ETag of this version, for `if_match`.
        location: its address, if it has just been created.
    """

    content: bytes
    media_type: str
    kind: type[Kind]
    etag: str | None = None
    location: str | None = None

    @property
    def value(self) -> Kind:
        """The content as a typed object, without members that the type does not have. Raises UnexpectedAnswer."""
        return _read(self, self.kind)

    @property
    def json(self) -> JsonObject:
        """The whole content as JSON; of a JWT, its claims. Raises UnexpectedAnswer."""
        return cast("JsonObject", _read(self, dict[str, object]))


def _read(document: Document[object], kind: type[Kind]) -> Kind:
    content = document.content
    if document.media_type in _TOKENS:
        claims = content.split(b".")[1] if content.count(b".") == 2 else b""
        content = base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4))
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise UnexpectedAnswer(f"The document cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, a PNG or an SVG."""

    content: bytes
    media_type: str

"""Documents as they came: the bytes, and what they say."""

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
    """A document of a standard, perhaps signed: keep ``content`` as it is.

    Attributes:
        etag: of the version that it is, for `if_match`.
        location: where it is, if it has just been made.
    """

    content: bytes
    media_type: str
    kind: type[Kind]
    etag: str | None = None
    location: str | None = None

    @property
    def value(self) -> Kind:
        """What it says, as far as we have names for it. Raises UnexpectedAnswer."""
        return _read(self, self.kind)

    @property
    def json(self) -> JsonObject:
        """All that it says; of a token, the claims. Raises UnexpectedAnswer."""
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
    """An image: its bytes, and whether they are a PNG or an SVG."""

    content: bytes
    media_type: str

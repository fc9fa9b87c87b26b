"""The URLs of this server's resources: every signed or published URL is built here from the public URL alone."""

from __future__ import annotations

import posixpath
import re
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from lapel.domain.identifiers import id_text, parse_id
from lapel.errors import InvalidInput

__all__ = ["PUBLIC_URL_FACT", "Addresses"]

PUBLIC_URL_FACT: Final = "public_url"
"""The name of the server fact that stores the public URL under which a database's badges are issued."""

_SCHEME: Final = re.compile(r"[\x00-\x20]*(https?):[/\\]*", re.IGNORECASE)
_DEFAULT_PORTS: Final = (80, 443)


class Addresses:
    """The URLs of this server's resources.

    Args:
        public_url: the base of every id, without a trailing slash, such as ``https://badges.example.org``.
    """

    def __init__(self, public_url: str) -> None:
        self.base = public_url.rstrip("/")

    def organisation(self, organisation_id: UUID) -> str:
        return f"{self.base}/v3/organisations/{organisation_id}"

    def api_key(self, key_id: UUID) -> str:
        return f"{self.base}/v3/api-keys/{key_id}"

    def issuer(self, issuer_id: UUID) -> str:
        return f"{self.base}/v3/issuers/{issuer_id}"

    def issuer_key(self, issuer_id: UUID, key_id: UUID) -> str:
        """Return the URL of a JWK, which is a VC-JWT's ``kid`` (OB 3.0, 8.2.2)."""
        return f"{self.base}/v3/issuers/{issuer_id}/keys/{key_id}"

    def achievement(self, achievement_id: UUID) -> str:
        return f"{self.base}/v3/achievements/{achievement_id}"

    def achievement_image(self, achievement_id: UUID) -> str:
        return f"{self.achievement(achievement_id)}/image"

    def image(self, image_id: UUID) -> str:
        """Return the URL of an uploaded, unbaked image, whose content never changes."""
        return f"{self.base}/v3/images/{image_id}"

    def credential(self, credential_id: UUID) -> str:
        return f"{self.base}/v3/credentials/{id_text(credential_id)}"

    def credential_image(self, credential_id: UUID) -> str:
        return f"{self.credential(credential_id)}/image"

    def status_list(self, list_id: UUID) -> str:
        return f"{self.base}/v3/status-lists/{id_text(list_id)}"

    def revocations_among(self, list_id: UUID) -> str:
        """Return the URL of the list that shows which entries of a suspension list are revoked."""
        return f"{self.status_list(list_id)}/revocations"

    def v2_issuer(self, issuer_id: UUID) -> str:
        return f"{self.base}/v2/issuers/{issuer_id}"

    def v2_revocations(self, issuer_id: UUID) -> str:
        return f"{self.v2_issuer(issuer_id)}/revocations"

    def v2_key(self, issuer_id: UUID, key_id: UUID) -> str:
        """Return the URL of a CryptographicKey, which is a signed assertion's ``creator``."""
        return f"{self.v2_issuer(issuer_id)}/keys/{key_id}"

    def v2_badge_class(self, achievement_id: UUID) -> str:
        return f"{self.base}/v2/badge-classes/{achievement_id}"

    @property
    def v2_assertions(self) -> str:
        """The prefix of the ids of all hosted assertions."""
        return f"{self.base}/v2/assertions/"

    def v2_assertion(self, credential_id: UUID) -> str:
        return f"{self.v2_assertions}{credential_id}"

    def is_own_url(self, text: str, *, collection: str = "") -> bool:
        """Return whether `text` is a URL of this server, or of one of its collections, however it is written.

        It is read as leniently as clients do: any case, a default port, a user name, escapes, backslashes.
        """
        base, url = _location(f"{self.base}{collection}"), _location(text)
        if base is None or url is None or base[0] != url[0]:
            return False
        return url[1] == base[1] or url[1].startswith(f"{base[1].rstrip('/')}/")

    def own_id(self, text: str, *, collection: str) -> str:
        """Return the bare id if `text` is a URL in this server's `collection` (``/v3/issuers``), else `text`."""
        prefix = f"{self.base}{collection}/"
        return text[len(prefix) :] if text.startswith(prefix) else text

    def exact_id(self, text: str, *, collection: str) -> UUID | None:
        """Return the id in a URL of the `collection`; None unless it is written exactly as this server writes it."""
        prefix = f"{self.base}{collection}/"
        try:
            found = parse_id(text.removeprefix(prefix))
        except InvalidInput:
            return None
        return found if text == f"{prefix}{found}" else None


def _location(text: str) -> tuple[tuple[str, int | None], str] | None:
    """Return host, port (None for a default port) and path; None if `text` is not a web address."""
    start = _SCHEME.match(text)
    if start is None:
        return None
    try:
        parts = urlsplit(f"{start[1]}://{text[start.end() :]}".replace("\\", "/"))
        host = unquote(parts.hostname or "").rstrip(".").lower()
        port = None if parts.port in _DEFAULT_PORTS else parts.port
        host = host.encode("idna").decode()
    except ValueError:  # an invalid port, unbalanced brackets, a label that is too long
        return None
    return (host, port), posixpath.normpath("/" + unquote(parts.path).lstrip("/"))

"""Where things live: every signed or published URL is made here, from the public URL and nothing else."""

from __future__ import annotations

import posixpath
import re
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from lapel.domain.identifiers import id_text

__all__ = ["PUBLIC_URL_FACT", "Addresses"]

PUBLIC_URL_FACT: Final = "public_url"
"""The server fact by which a database knows under which public URL its badges are issued."""

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
        """A JWK: what a VC-JWT's ``kid`` dereferences to (OB 3.0, 8.2.2)."""
        return f"{self.base}/v3/issuers/{issuer_id}/keys/{key_id}"

    def achievement(self, achievement_id: UUID) -> str:
        return f"{self.base}/v3/achievements/{achievement_id}"

    def achievement_image(self, achievement_id: UUID) -> str:
        return f"{self.achievement(achievement_id)}/image"

    def image(self, image_id: UUID) -> str:
        """An uploaded image, unbaked, by its own id: its content never changes."""
        return f"{self.base}/v3/images/{image_id}"

    def credential(self, credential_id: UUID) -> str:
        return f"{self.base}/v3/credentials/{id_text(credential_id)}"

    def credential_image(self, credential_id: UUID) -> str:
        return f"{self.credential(credential_id)}/image"

    def status_list(self, list_id: UUID) -> str:
        return f"{self.base}/v3/status-lists/{id_text(list_id)}"

    def revocations_among(self, list_id: UUID) -> str:
        """Which entries of a list for suspension are revoked."""
        return f"{self.status_list(list_id)}/revocations"

    def v2_issuer(self, issuer_id: UUID) -> str:
        return f"{self.base}/v2/issuers/{issuer_id}"

    def v2_revocations(self, issuer_id: UUID) -> str:
        return f"{self.v2_issuer(issuer_id)}/revocations"

    def v2_key(self, issuer_id: UUID, key_id: UUID) -> str:
        """A CryptographicKey: what a signed assertion's ``creator`` leads to."""
        return f"{self.v2_issuer(issuer_id)}/keys/{key_id}"

    def v2_badge_class(self, achievement_id: UUID) -> str:
        return f"{self.base}/v2/badge-classes/{achievement_id}"

    @property
    def v2_assertions(self) -> str:
        """What the ids of all hosted assertions begin with."""
        return f"{self.base}/v2/assertions/"

    def v2_assertion(self, credential_id: UUID) -> str:
        return f"{self.v2_assertions}{credential_id}"

    def leads_here(self, text: str) -> bool:
        """Whether `text` is an address of this server, however it is written.

        That is judged as generously as clients read: any case, a default port, a user's name, escapes, backslashes.
        """
        ours, given = _place(self.base), _place(text)
        if ours is None or given is None or ours[0] != given[0]:
            return False
        return given[1] == ours[1] or given[1].startswith(f"{ours[1].rstrip('/')}/")

    def own_id(self, text: str, *, collection: str) -> str:
        """The bare id in `text` if it is a full URL of this server's `collection` (``/v3/issuers``), else `text`."""
        prefix = f"{self.base}{collection}/"
        return text[len(prefix) :] if text.startswith(prefix) else text


def _place(text: str) -> tuple[tuple[str, int | None], str] | None:
    """Host and port, the latter None for either scheme's own, and the path; None of what is no web address."""
    start = _SCHEME.match(text)
    if start is None:
        return None
    try:
        parts = urlsplit(f"{start[1]}://{text[start.end() :]}".replace("\\", "/"))
        host = unquote(parts.hostname or "").rstrip(".").lower()
        port = None if parts.port in _DEFAULT_PORTS else parts.port
        host = host.encode("idna").decode()
    except ValueError:  # a port that is no number, brackets, a label that is too long
        return None
    return (host, port), posixpath.normpath("/" + unquote(parts.path).lstrip("/"))

"""The same badges in the form of Open Badges 2.0."""

from __future__ import annotations

from lapel.client.asking import Ask, at, document, picture
from lapel.client.documents import Document, Picture
from lapel.client.operation import Operation
from lapel.services.answers import LinkedDocument

__all__ = ["OpenBadges2Operations"]


def _document(template: str, *names: str) -> Ask[Document[LinkedDocument]]:
    return Ask("GET", at(template, *names), document(LinkedDocument), repeatable=True)


class OpenBadges2Operations:
    """``/v2``: what is hosted there. A thing has the same id in both versions."""

    @Operation
    def v2_issuer(self, issuer: str) -> Ask[Document[LinkedDocument]]:
        """The Profile."""
        return _document("/v2/issuers/{}", issuer)

    @Operation
    def v2_key(self, issuer: str, key: str) -> Ask[Document[LinkedDocument]]:
        """The CryptographicKey."""
        return _document("/v2/issuers/{}/keys/{}", issuer, key)

    @Operation
    def v2_revocations(self, issuer: str) -> Ask[Document[LinkedDocument]]:
        """The RevocationList."""
        return _document("/v2/issuers/{}/revocations", issuer)

    @Operation
    def v2_badge_class(self, achievement: str) -> Ask[Document[LinkedDocument]]:
        """The BadgeClass."""
        return _document("/v2/badge-classes/{}", achievement)

    @Operation
    def v2_badge_class_image(self, achievement: str) -> Ask[Picture]:
        """The badge class's image."""
        return Ask("GET", at("/v2/badge-classes/{}/image", achievement), picture, repeatable=True)

    @Operation
    def v2_assertion(self, credential: str) -> Ask[Document[LinkedDocument]]:
        """The Assertion or Endorsement. Raises Gone once it is revoked, and while it is suspended."""
        return _document("/v2/assertions/{}", credential)

    @Operation
    def v2_assertion_image(self, credential: str) -> Ask[Picture]:
        """The badge image with the assertion baked in. Raises Gone as `v2_assertion` does."""
        return Ask("GET", at("/v2/assertions/{}/image", credential), picture, repeatable=True)

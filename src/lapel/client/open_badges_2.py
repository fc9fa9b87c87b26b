"""The same badges in the form of Open Badges 2.0."""

from __future__ import annotations

from msgspec import Struct

from lapel.client.asking import Ask, at, document, json_body, once, picture
from lapel.client.documents import Document, Picture
from lapel.client.operation import Operation
from lapel.openbadges.v2_shapes import Assertion, BadgeClass, Version2Profile
from lapel.services.documents import LinkedDocument

__all__ = ["OpenBadges2Operations"]


def _document(template: str, *names: str) -> Ask[Document[LinkedDocument]]:
    return Ask("GET", at(template, *names), document(LinkedDocument), repeatable=True)


def _made(path: str, body: Struct, key: str | None) -> Ask[Document[LinkedDocument]]:
    headers, content = once(key=key), json_body(body)
    return Ask("POST", path, document(LinkedDocument), headers=headers, content=content, repeatable=True)


class OpenBadges2Operations:
    """``/v2``: what is hosted there. A thing has the same id in both versions."""

    @Operation
    def create_v2_issuer(
        self, profile: Version2Profile, *, idempotency_key: str | None = None
    ) -> Ask[Document[LinkedDocument]]:
        """Create an issuer from a Profile."""
        return _made("/v2/issuers", profile, idempotency_key)

    @Operation
    def create_badge_class(
        self, badge_class: BadgeClass, *, idempotency_key: str | None = None
    ) -> Ask[Document[LinkedDocument]]:
        """Define an achievement from a BadgeClass."""
        return _made("/v2/badge-classes", badge_class, idempotency_key)

    @Operation
    def create_assertion(
        self, assertion: Assertion, *, idempotency_key: str | None = None
    ) -> Ask[Document[LinkedDocument]]:
        """Award an achievement from an Assertion; it is an Open Badges 3.0 credential as well."""
        return _made("/v2/assertions", assertion, idempotency_key)

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

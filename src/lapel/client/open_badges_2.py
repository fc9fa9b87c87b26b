"""Operations on the same records as Open Badges 2.0."""

from __future__ import annotations

from msgspec import Struct

from lapel.client.documents import Document, Picture
from lapel.client.operation import Operation
from lapel.client.requests import Request, as_document, as_picture, get, path_to, post_once
from lapel.openbadges.v2_shapes import Assertion, BadgeClass, Version2Profile
from lapel.services.documents import LinkedDocument

__all__ = ["OpenBadges2Operations"]


def _get(template: str, *names: str) -> Request[Document[LinkedDocument]]:
    return get(path_to(template, *names), as_document(LinkedDocument))


def _create(path: str, body: Struct, key: str | None) -> Request[Document[LinkedDocument]]:
    return post_once(path, body, as_document(LinkedDocument), key=key)


class OpenBadges2Operations:
    """``/v2``. A record has the same id in both versions of Open Badges."""

    @Operation
    def create_v2_issuer(
        self, profile: Version2Profile, *, idempotency_key: str | None = None
    ) -> Request[Document[LinkedDocument]]:
        """Create an issuer from a Profile."""
        return _create("/v2/issuers", profile, idempotency_key)

    @Operation
    def create_badge_class(
        self, badge_class: BadgeClass, *, idempotency_key: str | None = None
    ) -> Request[Document[LinkedDocument]]:
        """Define an achievement from a BadgeClass."""
        return _create("/v2/badge-classes", badge_class, idempotency_key)

    @Operation
    def create_assertion(
        self, assertion: Assertion, *, idempotency_key: str | None = None
    ) -> Request[Document[LinkedDocument]]:
        """Award an achievement from an Assertion; it is an Open Badges 3.0 credential as well."""
        return _create("/v2/assertions", assertion, idempotency_key)

    @Operation
    def v2_issuer(self, issuer: str) -> Request[Document[LinkedDocument]]:
        """Get the Profile."""
        return _get("/v2/issuers/{}", issuer)

    @Operation
    def v2_key(self, issuer: str, key: str) -> Request[Document[LinkedDocument]]:
        """Get the CryptographicKey."""
        return _get("/v2/issuers/{}/keys/{}", issuer, key)

    @Operation
    def v2_revocations(self, issuer: str) -> Request[Document[LinkedDocument]]:
        """Get the RevocationList."""
        return _get("/v2/issuers/{}/revocations", issuer)

    @Operation
    def v2_badge_class(self, achievement: str) -> Request[Document[LinkedDocument]]:
        """Get the BadgeClass."""
        return _get("/v2/badge-classes/{}", achievement)

    @Operation
    def v2_badge_class_image(self, achievement: str) -> Request[Picture]:
        """Get the badge class's image."""
        return get(path_to("/v2/badge-classes/{}/image", achievement), as_picture)

    @Operation
    def v2_assertion(self, credential: str) -> Request[Document[LinkedDocument]]:
        """Get the Assertion or Endorsement. Raises Gone once it is revoked, and while it is suspended."""
        return _get("/v2/assertions/{}", credential)

    @Operation
    def v2_assertion_image(self, credential: str) -> Request[Picture]:
        """Get the badge image with the assertion baked in. Raises Gone as `v2_assertion` does."""
        return get(path_to("/v2/assertions/{}/image", credential), as_picture)

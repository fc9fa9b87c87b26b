"""Operations on issuers and their keys."""

from __future__ import annotations

from lapel.client.documents import Document
from lapel.client.operation import Listing, Operation
from lapel.client.requests import (
    ListRequest,
    Page,
    Request,
    as_document,
    as_json,
    as_nothing,
    change_headers,
    idempotency_headers,
    if_match_headers,
    json_body,
    path_to,
)
from lapel.services.answers import AchievementItem, IssuerItem, SigningKeyItem, SigningKeyList
from lapel.services.documents import DidDocument, JsonWebKey, JsonWebKeySet, ProfileDocument
from lapel.services.requests import IssuerChanges, NewIssuer, NewKeyState, NewSigningKey

__all__ = ["IssuerOperations"]


class IssuerOperations:
    """``/v3/issuers``. An issuer is identified by its id, its DID or its address."""

    @Operation
    def create_issuer(
        self, issuer: NewIssuer, *, idempotency_key: str | None = None
    ) -> Request[Document[ProfileDocument]]:
        """Create an issuer, with its first key."""
        headers, body = idempotency_headers(key=idempotency_key), json_body(issuer)
        return Request(
            "POST", "/v3/issuers", as_document(ProfileDocument), headers=headers, content=body, repeatable=True
        )

    @Listing
    def list_issuers(self, *, name: str | None = None, limit: int | None = None) -> ListRequest[IssuerItem]:
        """List the organisation's issuers, newest first; with `name`, those whose name begins with it."""
        query = {"name": name, "limit": limit}
        return ListRequest(Request("GET", "/v3/issuers", as_json(Page[IssuerItem]), query=query, repeatable=True))

    @Operation
    def get_issuer(self, issuer: str) -> Request[Document[ProfileDocument]]:
        """Get the public issuer: its Profile and controller document."""
        return Request("GET", path_to("/v3/issuers/{}", issuer), as_document(ProfileDocument), repeatable=True)

    @Operation
    def change_issuer(
        self, issuer: str, changes: IssuerChanges, *, if_match: str | None = None
    ) -> Request[Document[ProfileDocument]]:
        """Change an issuer. `if_match` is the ETag of the version to change."""
        path, headers = path_to("/v3/issuers/{}", issuer), change_headers(if_match)
        return Request("PATCH", path, as_document(ProfileDocument), headers=headers, content=json_body(changes))

    @Operation
    def delete_issuer(self, issuer: str, *, if_match: str | None = None) -> Request[None]:
        """Remove an issuer that has no achievements and has issued nothing."""
        return Request("DELETE", path_to("/v3/issuers/{}", issuer), as_nothing, headers=if_match_headers(if_match))

    @Listing
    def list_issuer_achievements(self, issuer: str, *, limit: int | None = None) -> ListRequest[AchievementItem]:
        """List an issuer's achievements, newest first."""
        path, query = path_to("/v3/issuers/{}/achievements", issuer), {"limit": limit}
        return ListRequest(Request("GET", path, as_json(Page[AchievementItem]), query=query, repeatable=True))

    @Operation
    def issuer_did(self, issuer: str) -> Request[Document[DidDocument]]:
        """Get the issuer's DID document."""
        return Request("GET", path_to("/v3/issuers/{}/did.json", issuer), as_document(DidDocument), repeatable=True)

    @Operation
    def issuer_key(self, issuer: str, key: str) -> Request[Document[JsonWebKey]]:
        """Get one public key."""
        return Request("GET", path_to("/v3/issuers/{}/keys/{}", issuer, key), as_document(JsonWebKey), repeatable=True)

    @Operation
    def list_keys(self, issuer: str) -> Request[list[SigningKeyItem]]:
        """List every signing key that the issuer has ever had, oldest first."""
        read = as_json(SigningKeyList)
        path = path_to("/v3/issuers/{}/keys", issuer)
        return Request("GET", path, lambda response: read(response).items, repeatable=True)

    @Operation
    def rotate_key(
        self, issuer: str, key: NewSigningKey | None = None, *, idempotency_key: str | None = None
    ) -> Request[SigningKeyItem]:
        """Replace the signing key by a new one; the old one only verifies from now on."""
        path, headers = path_to("/v3/issuers/{}/keys", issuer), idempotency_headers(key=idempotency_key)
        body = json_body(key or NewSigningKey())
        return Request("POST", path, as_json(SigningKeyItem), headers=headers, content=body, repeatable=True)

    @Operation
    def change_key_state(
        self, issuer: str, key: str, state: NewKeyState, *, idempotency_key: str | None = None
    ) -> Request[SigningKeyItem]:
        """Retire a key, or mark it as compromised."""
        path, headers = path_to("/v3/issuers/{}/keys/{}/status", issuer, key), idempotency_headers(key=idempotency_key)
        return Request(
            "POST", path, as_json(SigningKeyItem), headers=headers, content=json_body(state), repeatable=True
        )

    @Operation
    def default_did(self) -> Request[Document[DidDocument]]:
        """Get the default issuer's DID document."""
        return Request("GET", "/.well-known/did.json", as_document(DidDocument), repeatable=True)

    @Operation
    def default_jwks(self) -> Request[JsonWebKeySet]:
        """Get the public keys of the default organisation's issuers."""
        return Request("GET", "/.well-known/jwks.json", as_json(JsonWebKeySet), repeatable=True)

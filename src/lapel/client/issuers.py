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
    get,
    if_match_headers,
    json_body,
    path_to,
    post_once,
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
        return post_once("/v3/issuers", issuer, as_document(ProfileDocument), key=idempotency_key)

    @Listing
    def list_issuers(self, *, name: str | None = None, limit: int | None = None) -> ListRequest[IssuerItem]:
        """List the organisation's issuers, newest first; with `name`, those whose name begins with it."""
        query = {"name": name, "limit": limit}
        return ListRequest(get("/v3/issuers", as_json(Page[IssuerItem]), query=query))

    @Operation
    def get_issuer(self, issuer: str) -> Request[Document[ProfileDocument]]:
        """Get the public issuer: its Profile and controller document."""
        return get(path_to("/v3/issuers/{}", issuer), as_document(ProfileDocument))

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
        return ListRequest(get(path, as_json(Page[AchievementItem]), query=query))

    @Operation
    def issuer_did(self, issuer: str) -> Request[Document[DidDocument]]:
        """Get the issuer's DID document."""
        return get(path_to("/v3/issuers/{}/did.json", issuer), as_document(DidDocument))

    @Operation
    def issuer_key(self, issuer: str, key: str) -> Request[Document[JsonWebKey]]:
        """Get one public key."""
        return get(path_to("/v3/issuers/{}/keys/{}", issuer, key), as_document(JsonWebKey))

    @Operation
    def list_keys(self, issuer: str) -> Request[list[SigningKeyItem]]:
        """List every signing key that the issuer has ever had, oldest first."""
        read = as_json(SigningKeyList)
        path = path_to("/v3/issuers/{}/keys", issuer)
        return get(path, lambda response: read(response).items)

    @Operation
    def rotate_key(
        self, issuer: str, key: NewSigningKey | None = None, *, idempotency_key: str | None = None
    ) -> Request[SigningKeyItem]:
        """Replace the signing key by a new one; the old one only verifies from now on."""
        path, body = path_to("/v3/issuers/{}/keys", issuer), key or NewSigningKey()
        return post_once(path, body, as_json(SigningKeyItem), key=idempotency_key)

    @Operation
    def change_key_state(
        self, issuer: str, key: str, state: NewKeyState, *, idempotency_key: str | None = None
    ) -> Request[SigningKeyItem]:
        """Retire a key, or mark it as compromised."""
        path = path_to("/v3/issuers/{}/keys/{}/status", issuer, key)
        return post_once(path, state, as_json(SigningKeyItem), key=idempotency_key)

    @Operation
    def default_did(self) -> Request[Document[DidDocument]]:
        """Get the default issuer's DID document."""
        return get("/.well-known/did.json", as_document(DidDocument))

    @Operation
    def default_jwks(self) -> Request[JsonWebKeySet]:
        """Get the public keys of the default organisation's issuers."""
        return get("/.well-known/jwks.json", as_json(JsonWebKeySet))

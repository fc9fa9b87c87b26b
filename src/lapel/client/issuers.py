"""Who awards, and what they sign with."""

from __future__ import annotations

from lapel.client.asking import Ask, Page, PageAsk, at, changing, document, json_body, matching, nothing, once, shape
from lapel.client.documents import Document
from lapel.client.operation import Listing, Operation
from lapel.services.answers import AchievementItem, IssuerItem, SigningKeyItem, SigningKeyList
from lapel.services.documents import DidDocument, JsonWebKey, JsonWebKeySet, ProfileDocument
from lapel.services.requests import IssuerChanges, NewIssuer, NewKeyState, NewSigningKey

__all__ = ["IssuerOperations"]


class IssuerOperations:
    """``/v3/issuers``. An issuer is named by its id, or by its address."""

    @Operation
    def create_issuer(self, issuer: NewIssuer, *, idempotency_key: str | None = None) -> Ask[Document[ProfileDocument]]:
        """Create an issuer, with its first key."""
        headers, body = once(key=idempotency_key), json_body(issuer)
        return Ask("POST", "/v3/issuers", document(ProfileDocument), headers=headers, content=body, repeatable=True)

    @Listing
    def list_issuers(self, *, name: str | None = None, limit: int | None = None) -> PageAsk[IssuerItem]:
        """The organisation's issuers, newest first, or those whose name begins so; `limit` in a page."""
        query = {"name": name, "limit": limit}
        return PageAsk(Ask("GET", "/v3/issuers", shape(Page[IssuerItem]), query=query, repeatable=True))

    @Operation
    def get_issuer(self, issuer: str) -> Ask[Document[ProfileDocument]]:
        """The public issuer: Profile and controller document."""
        return Ask("GET", at("/v3/issuers/{}", issuer), document(ProfileDocument), repeatable=True)

    @Operation
    def change_issuer(
        self, issuer: str, changes: IssuerChanges, *, if_match: str | None = None
    ) -> Ask[Document[ProfileDocument]]:
        """Change an issuer. `if_match`: the ETag of the version that is to be changed."""
        path, headers = at("/v3/issuers/{}", issuer), changing(if_match)
        return Ask("PATCH", path, document(ProfileDocument), headers=headers, content=json_body(changes))

    @Operation
    def delete_issuer(self, issuer: str, *, if_match: str | None = None) -> Ask[None]:
        """Remove an issuer that has no achievements and has issued nothing."""
        return Ask("DELETE", at("/v3/issuers/{}", issuer), nothing, headers=matching(if_match))

    @Listing
    def list_issuer_achievements(self, issuer: str, *, limit: int | None = None) -> PageAsk[AchievementItem]:
        """What an issuer awards, newest first."""
        path, query = at("/v3/issuers/{}/achievements", issuer), {"limit": limit}
        return PageAsk(Ask("GET", path, shape(Page[AchievementItem]), query=query, repeatable=True))

    @Operation
    def issuer_did(self, issuer: str) -> Ask[Document[DidDocument]]:
        """The issuer's DID document."""
        return Ask("GET", at("/v3/issuers/{}/did.json", issuer), document(DidDocument), repeatable=True)

    @Operation
    def issuer_key(self, issuer: str, key: str) -> Ask[Document[JsonWebKey]]:
        """One public key."""
        return Ask("GET", at("/v3/issuers/{}/keys/{}", issuer, key), document(JsonWebKey), repeatable=True)

    @Operation
    def list_keys(self, issuer: str) -> Ask[list[SigningKeyItem]]:
        """Every signing key that the issuer has ever had, oldest first."""
        read = shape(SigningKeyList)
        path = at("/v3/issuers/{}/keys", issuer)
        return Ask("GET", path, lambda response: read(response).items, repeatable=True)

    @Operation
    def rotate_key(
        self, issuer: str, key: NewSigningKey | None = None, *, idempotency_key: str | None = None
    ) -> Ask[SigningKeyItem]:
        """A new key signs from now on; the one before it only verifies."""
        path, headers = at("/v3/issuers/{}/keys", issuer), once(key=idempotency_key)
        body = json_body(key or NewSigningKey())
        return Ask("POST", path, shape(SigningKeyItem), headers=headers, content=body, repeatable=True)

    @Operation
    def change_key_state(
        self, issuer: str, key: str, state: NewKeyState, *, idempotency_key: str | None = None
    ) -> Ask[SigningKeyItem]:
        """Retire a key, or mark it as compromised."""
        path, headers = at("/v3/issuers/{}/keys/{}/status", issuer, key), once(key=idempotency_key)
        return Ask("POST", path, shape(SigningKeyItem), headers=headers, content=json_body(state), repeatable=True)

    @Operation
    def default_did(self) -> Ask[Document[DidDocument]]:
        """The default issuer's DID document."""
        return Ask("GET", "/.well-known/did.json", document(DidDocument), repeatable=True)

    @Operation
    def default_jwks(self) -> Ask[JsonWebKeySet]:
        """The public keys of the default organisation's issuers."""
        return Ask("GET", "/.well-known/jwks.json", shape(JsonWebKeySet), repeatable=True)

"""Awards and endorsements: issued, read, revoked."""

from __future__ import annotations

from lapel.client.asking import Ask, Page, PageAsk, at, document, json_body, once, picture, shape
from lapel.client.documents import Document, Picture
from lapel.client.operation import Listing, Operation
from lapel.services.answers import CredentialDocument, CredentialItem
from lapel.services.requests import NewCredential, NewEndorsement, NewStatus

__all__ = ["CredentialOperations"]

_SIGNED = {"accept": "application/vc, application/vc+jwt"}


class CredentialOperations:
    """``/v3/credentials``. A credential is named by its id, or by its address."""

    @Operation
    def issue_credential(
        self, credential: NewCredential, *, idempotency_key: str | None = None
    ) -> Ask[Document[CredentialDocument]]:
        """Award an achievement: issue one signed credential."""
        headers, body = once(key=idempotency_key), json_body(credential)
        read = document(CredentialDocument)
        return Ask("POST", "/v3/credentials", read, headers=headers, content=body, repeatable=True)

    @Listing
    def list_credentials(
        self, *, issuer: str | None = None, achievement: str | None = None, limit: int | None = None
    ) -> PageAsk[CredentialItem]:
        """The organisation's credentials, newest first."""
        query = {"issuer": issuer, "achievement": achievement, "limit": limit}
        return PageAsk(Ask("GET", "/v3/credentials", shape(Page[CredentialItem]), query=query, repeatable=True))

    @Operation
    def get_credential(self, credential: str) -> Ask[Document[CredentialDocument]]:
        """The credential exactly as it was signed: JSON, or a JWT."""
        path = at("/v3/credentials/{}", credential)
        return Ask("GET", path, document(CredentialDocument), headers=_SIGNED, repeatable=True)

    @Operation
    def get_credential_image(self, credential: str) -> Ask[Picture]:
        """The badge image with the credential baked in."""
        return Ask("GET", at("/v3/credentials/{}/image", credential), picture, repeatable=True)

    @Operation
    def change_credential_status(
        self, credential: str, status: NewStatus, *, idempotency_key: str | None = None
    ) -> Ask[CredentialItem]:
        """Revoke, suspend or reinstate a credential."""
        path, headers = at("/v3/credentials/{}/status", credential), once(key=idempotency_key)
        return Ask("POST", path, shape(CredentialItem), headers=headers, content=json_body(status), repeatable=True)

    @Operation
    def issue_endorsement(
        self, endorsement: NewEndorsement, *, idempotency_key: str | None = None
    ) -> Ask[Document[CredentialDocument]]:
        """Endorse an achievement, a profile or a credential."""
        headers, body = once(key=idempotency_key), json_body(endorsement)
        read = document(CredentialDocument)
        return Ask("POST", "/v3/endorsements", read, headers=headers, content=body, repeatable=True)

    @Operation
    def get_status_list(self, status_list: str) -> Ask[Document[CredentialDocument]]:
        """Which credentials are revoked, or suspended: a signed BitstringStatusListCredential."""
        return Ask("GET", at("/v3/status-lists/{}", status_list), document(CredentialDocument), repeatable=True)

    @Operation
    def get_revocations_among(self, status_list: str) -> Ask[Document[CredentialDocument]]:
        """Beside a list of suspension: which of its entries are revoked for good."""
        path = at("/v3/status-lists/{}/revocations", status_list)
        return Ask("GET", path, document(CredentialDocument), repeatable=True)

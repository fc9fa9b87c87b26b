"""Awards and endorsements: issued, read, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import httpx
from msgspec import Raw, ValidationError, json

from lapel.client.asking import Ask, Page, PageAsk, at, changing, document, json_body, nothing, once, picture, shape
from lapel.client.documents import Document, Picture
from lapel.client.operation import Listing, Operation
from lapel.domain.credential import CredentialStatus
from lapel.services.answers import (
    ChangedCredentials,
    CredentialItem,
    Erased,
    FailedItem,
    IssuedItem,
    IssuedItems,
    ProblemDocument,
)
from lapel.services.documents import CredentialDocument
from lapel.services.requests import ErasedIdentity, NewCredential, NewEndorsement, NewStatus, NewStatuses, Replacement

__all__ = ["CredentialOperations"]

_SIGNED = {"accept": "application/vc, application/vc+jwt"}


def _issued(response: httpx.Response) -> list[Document[CredentialDocument] | ProblemDocument]:
    """Each credential as it was signed, or why there is none."""
    return [_issued_item(item) for item in shape(IssuedItems)(response).items]


def _issued_item(item: Raw) -> Document[CredentialDocument] | ProblemDocument:
    if (problem := _problem(item)) is not None:
        return problem
    issued = json.decode(item, type=IssuedItem)
    signed = bytes(issued.credential)
    is_token = signed.startswith(b'"')
    return Document(
        content=json.decode(signed, type=str).encode() if is_token else signed,
        media_type="application/vc+jwt" if is_token else "application/vc",
        kind=CredentialDocument,
        location=issued.id,
    )


def _changed(response: httpx.Response) -> list[CredentialItem | ProblemDocument]:
    """Each credential as it is now, or why it is as it was."""
    items = shape(ChangedCredentials)(response).items
    return [_problem(item) or json.decode(item, type=CredentialItem) for item in items]


def _problem(item: Raw) -> ProblemDocument | None:
    try:
        return json.decode(item, type=FailedItem).problem
    except ValidationError:
        return None


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
        self,
        *,
        issuer: str | None = None,
        achievement: str | None = None,
        recipient: str | None = None,
        recipient_type: str | None = None,
        status: CredentialStatus | None = None,
        issued_since: datetime | None = None,
        issued_before: datetime | None = None,
        valid_from_since: datetime | None = None,
        valid_from_before: datetime | None = None,
        limit: int | None = None,
    ) -> PageAsk[CredentialItem]:
        """The organisation's credentials, newest first; if filtered by validFrom, latest validFrom first.

        Args:
            recipient: an e-mail address, DID, web address or phone number.
            recipient_type: what kind of identity it is, where its form does not tell.
        """
        times = {
            "issuedSince": issued_since,
            "issuedBefore": issued_before,
            "validFromSince": valid_from_since,
            "validFromBefore": valid_from_before,
        }
        query: dict[str, str | int | None] = {
            "issuer": issuer,
            "achievement": achievement,
            "recipient": recipient,
            "recipientType": recipient_type,
            "status": status,
            "limit": limit,
            **{name: time.isoformat() for name, time in times.items() if time is not None},
        }
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
    def replace_credential(
        self, credential: str, replacement: Replacement, *, idempotency_key: str | None = None
    ) -> Ask[Document[CredentialDocument]]:
        """Correct a credential: issue another in its place and revoke it, both or neither."""
        path, headers = at("/v3/credentials/{}/replace", credential), once(key=idempotency_key)
        read, body = document(CredentialDocument), json_body(replacement)
        return Ask("POST", path, read, headers=headers, content=body, repeatable=True)

    @Operation
    def issue_batch(
        self, credentials: Sequence[NewCredential], *, atomic: bool = True, idempotency_key: str | None = None
    ) -> Ask[list[Document[CredentialDocument] | ProblemDocument]]:
        """Issue up to 1,000 credentials at once: all or none, or, if not `atomic`, each for itself."""
        headers, body = once(key=idempotency_key), json_body(credentials)
        query, path = {"atomic": str(atomic).lower()}, "/v3/credentials/batch"
        return Ask("POST", path, _issued, query=query, headers=headers, content=body, repeatable=True)

    @Operation
    def change_statuses(
        self, statuses: NewStatuses, *, atomic: bool = True, idempotency_key: str | None = None
    ) -> Ask[list[CredentialItem | ProblemDocument]]:
        """Revoke, suspend or reinstate up to 1,000 credentials: all or none, or, if not `atomic`, each for itself."""
        headers, body = once(key=idempotency_key), json_body(statuses)
        query, path = {"atomic": str(atomic).lower()}, "/v3/credentials/status"
        return Ask("POST", path, _changed, query=query, headers=headers, content=body, repeatable=True)

    @Operation
    def erase_credential(self, credential: str) -> Ask[None]:
        """Erase a credential and all that is known of its recipient. There is no way back."""
        return Ask("DELETE", at("/v3/credentials/{}", credential), nothing)

    @Operation
    def erase_recipient(self, identity: ErasedIdentity) -> Ask[Erased]:
        """Erase every credential that was issued to an identity. There is no way back.

        Where no answer comes, the audit log tells what was erased: asked again, the server finds nothing left.
        """
        headers, body, path = changing(None), json_body(identity), "/v3/recipients/erase"
        return Ask("POST", path, shape(Erased), headers=headers, content=body)

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

"""Operations on credentials, endorsements and status lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import httpx
from msgspec import Raw, ValidationError, json

from lapel.client.documents import Document, Picture
from lapel.client.operation import Listing, Operation
from lapel.client.requests import (
    ListRequest,
    Page,
    Request,
    as_document,
    as_json,
    as_nothing,
    as_picture,
    change_headers,
    get,
    json_body,
    path_to,
    post_once,
)
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
    """Read the answer to a batch: each signed credential, or why it was not issued."""
    return [_issued_item(item) for item in as_json(IssuedItems)(response).items]


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
    """Read the answer to many changes of status: each changed credential, or why it was not changed."""
    items = as_json(ChangedCredentials)(response).items
    return [_problem(item) or json.decode(item, type=CredentialItem) for item in items]


def _problem(item: Raw) -> ProblemDocument | None:
    try:
        return json.decode(item, type=FailedItem).problem
    except ValidationError:
        return None


class CredentialOperations:
    """``/v3/credentials``. A credential is identified by its id or its address."""

    @Operation
    def issue_credential(
        self, credential: NewCredential, *, idempotency_key: str | None = None
    ) -> Request[Document[CredentialDocument]]:
        """Award an achievement: issue one signed credential."""
        return post_once("/v3/credentials", credential, as_document(CredentialDocument), key=idempotency_key)

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
    ) -> ListRequest[CredentialItem]:
        """List the organisation's credentials, newest first; if filtered by validFrom, latest validFrom first.

        Args:
            recipient: an e-mail address, DID, web address or phone number.
            recipient_type: the kind of identity, if it is not clear from `recipient` itself.
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
        return ListRequest(get("/v3/credentials", as_json(Page[CredentialItem]), query=query))

    @Operation
    def get_credential(self, credential: str) -> Request[Document[CredentialDocument]]:
        """Get the credential exactly as it was signed: JSON, or a JWT."""
        path = path_to("/v3/credentials/{}", credential)
        return get(path, as_document(CredentialDocument), headers=_SIGNED)

    @Operation
    def get_credential_image(self, credential: str) -> Request[Picture]:
        """Get the badge image with the credential baked in."""
        return get(path_to("/v3/credentials/{}/image", credential), as_picture)

    @Operation
    def change_credential_status(
        self, credential: str, status: NewStatus, *, idempotency_key: str | None = None
    ) -> Request[CredentialItem]:
        """Revoke, suspend or reinstate a credential."""
        path = path_to("/v3/credentials/{}/status", credential)
        return post_once(path, status, as_json(CredentialItem), key=idempotency_key)

    @Operation
    def replace_credential(
        self, credential: str, replacement: Replacement, *, idempotency_key: str | None = None
    ) -> Request[Document[CredentialDocument]]:
        """Correct a credential: issue another in its place and revoke it, both or neither."""
        path, read = path_to("/v3/credentials/{}/replace", credential), as_document(CredentialDocument)
        return post_once(path, replacement, read, key=idempotency_key)

    @Operation
    def issue_batch(
        self, credentials: Sequence[NewCredential], *, atomic: bool = True, idempotency_key: str | None = None
    ) -> Request[list[Document[CredentialDocument] | ProblemDocument]]:
        """Issue up to 1,000 credentials at once: all or none, or, if not `atomic`, each on its own."""
        query = {"atomic": str(atomic).lower()}
        return post_once("/v3/credentials/batch", credentials, _issued, key=idempotency_key, query=query)

    @Operation
    def change_statuses(
        self, statuses: NewStatuses, *, atomic: bool = True, idempotency_key: str | None = None
    ) -> Request[list[CredentialItem | ProblemDocument]]:
        """Revoke, suspend or reinstate up to 1,000 credentials: all or none, or, if not `atomic`, each on its own."""
        query = {"atomic": str(atomic).lower()}
        return post_once("/v3/credentials/status", statuses, _changed, key=idempotency_key, query=query)

    @Operation
    def erase_credential(self, credential: str) -> Request[None]:
        """Erase a credential and its recipient's data. This cannot be undone."""
        return Request("DELETE", path_to("/v3/credentials/{}", credential), as_nothing)

    @Operation
    def erase_recipient(self, identity: ErasedIdentity) -> Request[Erased]:
        """Erase every credential that was issued to an identity. This cannot be undone.

        If no answer arrives, the audit log says what was erased; a repeated request finds nothing left.
        """
        headers, body, path = change_headers(None), json_body(identity), "/v3/recipients/erase"
        return Request("POST", path, as_json(Erased), headers=headers, content=body)

    @Operation
    def issue_endorsement(
        self, endorsement: NewEndorsement, *, idempotency_key: str | None = None
    ) -> Request[Document[CredentialDocument]]:
        """Endorse an achievement, a profile or a credential."""
        return post_once("/v3/endorsements", endorsement, as_document(CredentialDocument), key=idempotency_key)

    @Operation
    def get_status_list(self, status_list: str) -> Request[Document[CredentialDocument]]:
        """Get a signed BitstringStatusListCredential, which says which credentials are revoked or suspended."""
        return get(path_to("/v3/status-lists/{}", status_list), as_document(CredentialDocument))

    @Operation
    def get_revocations_among(self, status_list: str) -> Request[Document[CredentialDocument]]:
        """Get the list that says which entries of a suspension list are revoked for good."""
        path = path_to("/v3/status-lists/{}/revocations", status_list)
        return get(path, as_document(CredentialDocument))

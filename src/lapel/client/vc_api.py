"""Operations of the W3C CCG's VC API, for any verifiable credential."""

from __future__ import annotations

from lapel.client.documents import Document
from lapel.client.operation import Operation
from lapel.client.requests import Request, as_document, as_json, json_body, post_once
from lapel.services.documents import CredentialDocument
from lapel.services.vc_api.shapes import (
    CredentialToIssue,
    CredentialToVerify,
    PresentationToVerify,
    StatusToSet,
    UnsecuredPresentation,
    VcResult,
    VcStatus,
)

__all__ = ["VcApiOperations"]

_JSON = {"content-type": "application/json"}


class VcApiOperations:
    """``/vc-api``."""

    @Operation
    def vc_issue(
        self, credential: CredentialToIssue, *, idempotency_key: str | None = None
    ) -> Request[Document[CredentialDocument]]:
        """Issue any verifiable credential."""
        path, read = "/vc-api/credentials/issue", as_document(CredentialDocument)
        return post_once(path, credential, read, key=idempotency_key)

    @Operation
    def vc_change_status(self, status: StatusToSet) -> Request[VcStatus]:
        """Revoke or suspend a credential, or reinstate it."""
        path, read = "/vc-api/credentials/status", as_json(VcStatus)
        return Request("POST", path, read, headers=_JSON, content=json_body(status), repeatable=True)

    @Operation
    def vc_verify_credential(self, credential: CredentialToVerify) -> Request[VcResult]:
        """Verify any verifiable credential."""
        path = "/vc-api/credentials/verify"
        content, read = json_body(credential), as_json(VcResult)
        return Request("POST", path, read, headers=_JSON, content=content, repeatable=True, also=(400,))

    @Operation
    def vc_verify_presentation(self, presentation: PresentationToVerify | UnsecuredPresentation) -> Request[VcResult]:
        """Verify a presentation and the credentials in it."""
        path = "/vc-api/presentations/verify"
        content, read = json_body(presentation), as_json(VcResult)
        return Request("POST", path, read, headers=_JSON, content=content, repeatable=True, also=(400,))

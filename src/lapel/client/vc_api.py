"""The W3C CCG's VC API: any verifiable credential, not only badges."""

from __future__ import annotations

from lapel.client.asking import Ask, document, json_body, once, shape
from lapel.client.documents import Document
from lapel.client.operation import Operation
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
    ) -> Ask[Document[CredentialDocument]]:
        """Issue any verifiable credential."""
        headers, path = once(key=idempotency_key), "/vc-api/credentials/issue"
        read = document(CredentialDocument)
        return Ask("POST", path, read, headers=headers, content=json_body(credential), repeatable=True)

    @Operation
    def vc_change_status(self, status: StatusToSet) -> Ask[VcStatus]:
        """Revoke or suspend a credential, or reinstate it."""
        path, read = "/vc-api/credentials/status", shape(VcStatus)
        return Ask("POST", path, read, headers=_JSON, content=json_body(status), repeatable=True)

    @Operation
    def vc_verify_credential(self, credential: CredentialToVerify) -> Ask[VcResult]:
        """Verify any verifiable credential."""
        path = "/vc-api/credentials/verify"
        content, read = json_body(credential), shape(VcResult)
        return Ask("POST", path, read, headers=_JSON, content=content, repeatable=True, also=(400,))

    @Operation
    def vc_verify_presentation(self, presentation: PresentationToVerify | UnsecuredPresentation) -> Ask[VcResult]:
        """Verify a presentation and the credentials in it."""
        path = "/vc-api/presentations/verify"
        content, read = json_body(presentation), shape(VcResult)
        return Ask("POST", path, read, headers=_JSON, content=content, repeatable=True, also=(400,))

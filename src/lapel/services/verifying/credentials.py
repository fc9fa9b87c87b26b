"""Verify a credential of VC 2.0 or 1.1, in the order of OB 3.0, 9.1."""

from __future__ import annotations

from datetime import datetime

from lapel.credentials import data_integrity
from lapel.credentials.jose import vc_jwt
from lapel.domain.json import JsonObject
from lapel.domain.json_members import object_of, types_of
from lapel.services.verifying.data_model.schema import check_schema
from lapel.services.verifying.data_model.structure import check_structure, too_many_items
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.endorsements import (
    VerifiedEndorsement,
    check_endorsements,
    time_for_endorsements,
)
from lapel.services.verifying.envelopes import ENVELOPED_CREDENTIAL, token_in_envelope
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.linked_data.canonical import LinkedData
from lapel.services.verifying.linked_data.context_rules import check_contexts
from lapel.services.verifying.linked_data.quads import QuadMaker
from lapel.services.verifying.offloading import offload_if_large
from lapel.services.verifying.proofs.data_integrity import ProofResult, check_proofs
from lapel.services.verifying.proofs.jwt import FORMAT, check_token, unsupported_token
from lapel.services.verifying.reading import Address, Document, Token, UnreadableInput, decoded, read_large
from lapel.services.verifying.recipient import check_recipient
from lapel.services.verifying.report import Check, CheckCode, Outcome
from lapel.services.verifying.shown import shown_credential
from lapel.services.verifying.standing.dates import check_validity
from lapel.services.verifying.standing.refresh import refreshed
from lapel.services.verifying.standing.status import SecuredList, check_status

__all__ = ["CredentialVerification"]


class CredentialVerification:
    """Verifies one credential, or those of one presentation, and the status lists that they name.

    Args:
        documents: provides further documents, and limits their number.
        now: the time as of which they are verified.
        end: the deadline, in event loop time.
        endorsements_time: how many seconds endorsements may take, within the deadline; 0 to skip them.
    """

    def __init__(
        self, *, maker: QuadMaker, documents: Documents, now: datetime, end: float, endorsements_time: float
    ) -> None:
        self._maker = maker
        self._linked_data = LinkedData(maker)
        self._documents = documents
        self._now = now
        self._end = end
        self._endorsements_time = endorsements_time
        self._lists: dict[bytes, SecuredList] = {}

    async def document(self, credential: JsonObject, findings: Findings, *, expected_recipient: str | None) -> None:
        """Verify a credential with embedded proofs. Each check is added to the findings at once."""
        if await self._check_document(credential, findings):
            await self._rest(credential, findings, expected_recipient=expected_recipient)

    async def token(self, token: vc_jwt.VcJwt, findings: Findings, *, expected_recipient: str | None) -> None:
        """Verify a token."""
        if await self._check_token(token, findings):
            await self._rest(token.credential, findings, expected_recipient=expected_recipient)

    async def given(self, given: Document | Token, findings: Findings) -> None:
        """Verify a credential that has been read, however it is secured."""
        if isinstance(given, Document):
            await self.document(given.value, findings, expected_recipient=None)
            return
        if (token := await _decoded(given, findings)) is not None:
            await self.token(token, findings, expected_recipient=None)

    # --- steps 1 and 2: conformity and proof ---

    async def _check_document(self, credential: JsonObject, findings: Findings) -> bool:
        """Add the checks of steps 1 and 2. Return False if there is no point in further checks."""
        if (failed := too_many_items(credential)) is not None:
            findings.add(failed)
            return False
        findings.shown = shown_credential(credential, format_name=None)
        findings.add(await offload_if_large(credential, check_structure, credential))
        proof = await self._proofs(credential, findings)
        findings.shown = shown_credential(credential, format_name=proof.format)
        findings.proof = proof.proof
        findings.add(*proof.checks)
        return True

    async def _check_token(self, token: vc_jwt.VcJwt, findings: Findings) -> bool:
        """Add the checks of steps 1 and 2. Return False if there is no point in further checks."""
        credential = token.credential
        if (failed := too_many_items(credential)) is not None:
            findings.add(failed)
            return False
        findings.shown = shown_credential(credential, format_name=FORMAT)
        findings.add(await offload_if_large(credential, check_structure, credential))
        findings.add(check_contexts(credential, contexts=self._maker.contexts, signed_as_json=True))
        findings.add(*await offload_if_large(credential, check_schema, credential))
        proof = await check_token(token, documents=self._documents, now=self._now)
        findings.add(*proof.checks)
        return True

    async def _check(self, given: Document | Token, findings: Findings) -> JsonObject | None:
        """Add the checks of steps 1 and 2, and return the credential; None if there is no point in further checks."""
        if isinstance(given, Document) and ENVELOPED_CREDENTIAL in types_of(given.value):
            if (inner := token_in_envelope(given.value, findings)) is None:
                return None
            given = inner
        if isinstance(given, Document):
            return given.value if await self._check_document(given.value, findings) else None
        token = await _decoded(given, findings)
        return token.credential if token is not None and await self._check_token(token, findings) else None

    async def _proofs(self, credential: JsonObject, findings: Findings) -> ProofResult:
        bare = data_integrity.unsecured(credential)
        findings.add(await self._linked_data.check_contexts(credential))
        findings.add(await self._linked_data.check(bare))
        findings.add(*await offload_if_large(credential, check_schema, credential))
        return await check_proofs(
            credential, bare=bare, linked_data=self._linked_data, documents=self._documents, now=self._now
        )

    # --- further steps ---

    async def _rest(self, credential: JsonObject, findings: Findings, *, expected_recipient: str | None) -> None:
        credential = await self._refreshed(credential, findings)
        findings.add(*await self._check_standing(credential))
        subject = object_of(credential.get("credentialSubject"))
        findings.add(check_recipient(subject, expected_recipient))
        holds = all(check.outcome is not Outcome.FAIL for check in findings.checks)
        seconds = time_for_endorsements(self._endorsements_time, self._end)
        findings.add(
            *await check_endorsements(credential, holds=holds, verify=self._verify_endorsement, seconds=seconds)
        )

    async def _refreshed(self, credential: JsonObject, findings: Findings) -> JsonObject:
        return await refreshed(credential, findings, authenticate=self._check, documents=self._documents)

    async def _check_standing(self, credential: JsonObject) -> tuple[Check, ...]:
        status = await check_status(
            credential, verify_list=self._secured_list, documents=self._documents, now=self._now
        )
        return (*status, check_validity(credential, now=self._now))

    async def _verify_endorsement(self, given: Document | Token) -> VerifiedEndorsement:
        findings = Findings()
        credential = await self._check(given, findings)
        standing: tuple[Check, ...] = ()
        if credential is not None and all(check.good for check in findings.checks):
            # Only for a verified endorsement, because its newer version and its status are fetched.
            credential = await self._refreshed(credential, findings)
            standing = await self._check_standing(credential)
        return VerifiedEndorsement(credential=credential, secured=findings.checks, standing=standing)

    async def _secured_list(self, data: bytes) -> SecuredList:
        """Verify a status list credential once, however many entries and credentials name it."""
        if (known := self._lists.get(data)) is None:
            known = self._lists[data] = await self._verify_list(data)
        return known

    async def _verify_list(self, data: bytes) -> SecuredList:
        """Verify a status list credential, except for its own status."""
        given = await read_large(data)
        findings = Findings()
        if isinstance(given, Document) and ENVELOPED_CREDENTIAL in types_of(given.value):
            if (inner := token_in_envelope(given.value, findings)) is None:
                return SecuredList(None, findings.checks)
            given = inner
        if isinstance(given, Token):
            if (token := await _decoded(given, findings)) is None:
                return SecuredList(None, findings.checks)
            result = await check_token(token, documents=self._documents, now=self._now)
            # Claims that must repeat members matter only for badges: of a list, only the members are read.
            checks = [check for check in result.checks if check.code is not CheckCode.CLAIMS]
            return SecuredList(token.credential, checks)
        if isinstance(given, Address):
            raise UnreadableInput("This is an address, not a status list.")
        if too_many_items(given.value) is not None:
            raise UnreadableInput("This has more in it than any status list.")
        result = await self._proofs(given.value, findings)
        return SecuredList(given.value, (*findings.checks, *result.checks))


async def _decoded(given: Token, findings: Findings) -> vc_jwt.VcJwt | None:
    """Return the decoded token; None after adding the checks that say that its algorithm is not supported."""
    try:
        return await decoded(given)
    except vc_jwt.UnsupportedJwt as error:
        findings.add(*unsupported_token(given.value, error).checks)
        return None

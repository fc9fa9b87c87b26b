"""Verifying one credential of VC 2.0 or 1.1, in the order of OB 3.0, 9.1."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from lapel.credentials import data_integrity, vc_jwt
from lapel.domain.json import JsonObject
from lapel.services.verifying.context_rules import check_contexts
from lapel.services.verifying.data_integrity import ProofResult, check_proofs
from lapel.services.verifying.dates import check_validity
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.jwt import check_token, unsupported_token
from lapel.services.verifying.linked_data import LinkedData
from lapel.services.verifying.members import as_list, object_of, objects, types_of
from lapel.services.verifying.open_badges_2 import is_open_badge_2, signed_not_supported
from lapel.services.verifying.quads import QuadMaker, apart
from lapel.services.verifying.reading import Address, Token, UnreadableInput, read_input
from lapel.services.verifying.recipient import check_recipient
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem
from lapel.services.verifying.shown import shown_credential
from lapel.services.verifying.status import SecuredList, check_status
from lapel.services.verifying.structure import check_structure, overfull

__all__ = ["CredentialVerification"]

_LARGE_TOKEN: Final = 64 * 1024
"""Characters from which on a token is taken apart in a thread."""


class CredentialVerification:
    """Verifies one credential, and the status lists that it leads to.

    Args:
        documents: where further documents come from; limits how many.
        now: the moment for which the answer is given.
    """

    def __init__(self, *, maker: QuadMaker, documents: Documents, now: datetime) -> None:
        self._maker = maker
        self._linked_data = LinkedData(maker)
        self._documents = documents
        self._now = now

    async def document(self, credential: JsonObject, findings: Findings, *, expected_recipient: str | None) -> None:
        """Verify a credential with embedded proofs. The findings grow as they are made."""
        if (refused := overfull(credential)) is not None:
            findings.add(refused)
            return
        findings.shown = shown_credential(credential, format_name=None)
        findings.add(check_structure(credential))
        proof = await self._proofs(credential, findings)
        findings.shown = shown_credential(credential, format_name=proof.format)
        findings.add(*proof.checks)
        await self._rest(credential, findings, expected_recipient=expected_recipient)

    async def token(self, compact: str, findings: Findings, *, expected_recipient: str | None) -> None:
        """Verify a compact token.

        Raises:
            InvalidJwt: it cannot be read.
        """
        try:
            token = await _decoded(compact)
        except vc_jwt.UnsupportedJwt as error:
            findings.add(*unsupported_token(compact, error).checks)
            return
        credential = token.credential
        if (refused := overfull(credential)) is not None:
            findings.add(refused)
            return
        if is_open_badge_2(credential):
            signed_not_supported(credential, findings)
            return
        findings.shown = shown_credential(credential, format_name="vc-jwt")
        findings.add(check_structure(credential))
        findings.add(check_contexts(credential, contexts=self._maker.contexts, signed_as_json=True))
        findings.add(*_check_schema(credential))
        proof = await check_token(token, documents=self._documents, now=self._now)
        findings.add(*proof.checks)
        await self._rest(credential, findings, expected_recipient=expected_recipient)

    async def _proofs(self, credential: JsonObject, findings: Findings) -> ProofResult:
        bare = data_integrity.unsecured(credential)
        contexts = self._maker.contexts
        findings.add(await apart(credential, check_contexts, credential, contexts=contexts, signed_as_json=False))
        findings.add(await self._linked_data.check(bare))
        findings.add(*_check_schema(credential))
        return await check_proofs(
            credential, bare=bare, linked_data=self._linked_data, documents=self._documents, now=self._now
        )

    async def _rest(self, credential: JsonObject, findings: Findings, *, expected_recipient: str | None) -> None:
        findings.add(*_check_refresh(credential))
        findings.add(
            *await check_status(credential, verify_list=self._verify_list, documents=self._documents, now=self._now)
        )
        findings.add(check_validity(credential, now=self._now))
        subject = object_of(credential.get("credentialSubject"))
        findings.add(check_recipient(subject, expected_recipient))
        findings.add(*_check_endorsements(credential))

    async def _verify_list(self, data: bytes) -> SecuredList:
        """Verify a status list credential as far as its proof goes; its own status is nobody's business."""
        large = len(data) > _LARGE_TOKEN
        given = await asyncio.to_thread(read_input, data) if large else read_input(data)
        if isinstance(given, Token):
            token = await _decoded(given.value)
            result = await check_token(token, documents=self._documents, now=self._now)
            # Only a badge's claims must repeat its members; of a list, the members alone are read.
            checks = [check for check in result.checks if check.code is not CheckCode.CLAIMS]
            return SecuredList(token.credential, checks)
        if isinstance(given, Address):
            raise UnreadableInput("This is an address, not a status list.")
        if overfull(given.value) is not None:
            raise UnreadableInput("This has more in it than any status list.")
        findings = Findings()
        result = await self._proofs(given.value, findings)
        return SecuredList(given.value, (*findings.checks, *result.checks))


async def _decoded(compact: str) -> vc_jwt.VcJwt:
    if len(compact) <= _LARGE_TOKEN:
        return vc_jwt.decode(compact)
    return await asyncio.to_thread(vc_jwt.decode, compact)


def _check_schema(credential: JsonObject) -> Sequence[Check]:
    if not as_list(credential.get("credentialSchema")):
        return ()
    sentence = "The schema that the badge names was not loaded; what Open Badges requires was checked instead."
    return (Check(code=CheckCode.SCHEMA, outcome=Outcome.SKIP, sentence=sentence, problem=Problem.NOT_CHECKED),)


def _check_refresh(credential: JsonObject) -> Sequence[Check]:
    services = objects(credential.get("refreshService"))
    if not services:
        return ()
    sentence = "The issuer may have a newer version of the badge; this one was checked as it is."
    detail = ", ".join(sorted({name for service in services for name in types_of(service)}))[:200]
    return (
        Check(
            code=CheckCode.REFRESH, outcome=Outcome.SKIP, sentence=sentence, problem=Problem.NOT_CHECKED, detail=detail
        ),
    )


def _check_endorsements(credential: JsonObject) -> Sequence[Check]:
    subject = object_of(credential.get("credentialSubject"))
    holders = (credential, object_of(credential.get("issuer")), object_of(subject.get("achievement")))
    count = sum(len(as_list(holder.get(name))) for holder in holders for name in ("endorsement", "endorsementJwt"))
    if not count:
        return ()
    sentence = "What others say in favour of the badge was not checked; that does not touch the badge itself."
    return (
        Check(
            code=CheckCode.ENDORSEMENTS,
            outcome=Outcome.SKIP,
            sentence=sentence,
            problem=Problem.NOT_CHECKED,
            detail=str(count),
        ),
    )

"""Verify a presentation: its own proof, its holder, and every credential in it (VC 2.0, 4.13; VC 1.1, 4.10).

The proof of a presentation is for authentication, not assertion, and names a domain and a challenge. Its signer must be
the holder that the presentation names. A credential that the holder has issued may have no proof of its own, because
the presentation's proof covers it (VC 2.0, 4.13, Presentations Including Holder Claims).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from lapel.credentials import data_integrity
from lapel.credentials.jose.vc_jwt import VcJwt
from lapel.domain.json import JsonObject
from lapel.domain.json_members import id_of
from lapel.services.verifying.credentials import CredentialVerification
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.linked_data.canonical import LinkedData
from lapel.services.verifying.linked_data.context_rules import check_contexts
from lapel.services.verifying.linked_data.quads import QuadMaker
from lapel.services.verifying.proofs.data_integrity import ExpectedProof, ProofResult, check_proofs
from lapel.services.verifying.proofs.jwt import check_presentation_token
from lapel.services.verifying.proofs.key_lookup import AUTHENTICATION, FoundKey
from lapel.services.verifying.reading import Document, Token
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, Report, new_check

__all__ = ["MAX_PRESENTED", "ExpectedPresentation", "PresentationReport", "PresentationVerification"]

MAX_PRESENTED: Final = 16
"""How many credentials of a presentation are verified."""

_holder: Final = partial(new_check, CheckCode.HOLDER)
_PROOF_CHECKS: Final = frozenset({CheckCode.PROOF, CheckCode.SIGNATURE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPresentation:
    """What a presentation must have.

    Attributes:
        secured: whether it must have a proof; otherwise only the credentials in it are verified.
        challenge, domain: what the proof must name; None for any.
    """

    secured: bool = True
    challenge: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class PresentationReport:
    """The reports of the presentation itself, and of each credential in it, in its order."""

    presentation: Report
    credentials: Sequence[Report]


class PresentationVerification:
    """Verifies one presentation.

    Args:
        credentials: verifies the credentials in it.
        documents: provides further documents, and limits their number for the whole presentation.
        now: the time as of which it is verified.
    """

    def __init__(
        self, *, maker: QuadMaker, credentials: CredentialVerification, documents: Documents, now: datetime
    ) -> None:
        self._maker = maker
        self._linked_data = LinkedData(maker)
        self._credentials = credentials
        self._documents = documents
        self._now = now

    async def verify(
        self,
        presentation: JsonObject | VcJwt,
        held: Sequence[Document | Token],
        findings: Findings,
        reports: Sequence[Findings],
        *,
        expected: ExpectedPresentation,
    ) -> None:
        """Verify a presentation. Each check is added to `findings` or a credential's `reports` at once.

        Args:
            presentation: a document with embedded proofs, or a token.
        """
        document = presentation.credential if isinstance(presentation, VcJwt) else presentation
        if expected.secured:
            signer = await self._proof(presentation, document, findings, expected)
        else:
            signer = None
            findings.add(new_check(CheckCode.PROOF, Outcome.SKIP, "The presentation is given as one without a proof."))
        holder = id_of(document.get("holder"))
        for given, report in zip(held, reports, strict=True):
            await asyncio.sleep(0)  # other requests get their turn
            await self._credentials.given(given, report)
            if signer is not None and isinstance(given, Document):
                _check_own(given.value, report, signer=signer, holder=holder)
            report.complete = True

    async def _proof(
        self,
        presentation: JsonObject | VcJwt,
        document: JsonObject,
        findings: Findings,
        expected: ExpectedPresentation,
    ) -> str | None:
        """Add the checks of the presentation's own proof. Return its signer, if it is good."""
        signers: list[str] = []

        def bind(found: FoundKey) -> Check:
            signers.append(found.controller)
            return _bind_holder(document, found)

        proof = ExpectedProof(bind=bind, purpose=AUTHENTICATION, challenge=expected.challenge, domain=expected.domain)
        if isinstance(presentation, VcJwt):
            findings.add(check_contexts(document, contexts=self._maker.contexts, signed_as_json=True))
            result = await check_presentation_token(
                presentation, expected=proof, documents=self._documents, now=self._now
            )
        else:
            result = await self._embedded_proof(document, findings, proof)
        findings.proof = result.proof
        findings.add(*result.checks)
        # If a proof is good, it is the last one that was tried.
        return signers[-1] if signers and result.good else None

    async def _embedded_proof(self, document: JsonObject, findings: Findings, proof: ExpectedProof) -> ProofResult:
        bare = data_integrity.unsecured(document)
        findings.add(await self._linked_data.check_contexts(document))
        findings.add(await self._linked_data.check(bare))
        return await check_proofs(
            document,
            bare=bare,
            linked_data=self._linked_data,
            documents=self._documents,
            now=self._now,
            expected=proof,
        )


def _bind_holder(presentation: JsonObject, found: FoundKey) -> Check:
    """Return the check ``holder``: whether the holder that the presentation names made the proof."""
    if presentation.get("holder") is not None and id_of(presentation["holder"]) != found.controller:
        sentence = "The key does not belong to the holder that the presentation names."
        detail = f"holder {id_of(presentation['holder'])}, key of {found.controller}"
        return _holder(Outcome.FAIL, sentence, Problem.HOLDER_KEY_MISMATCH, detail)
    if found.check.outcome is not Outcome.PASS:
        sentence = "Whether the holder made this cannot be told without the key."
        return _holder(Outcome.UNKNOWN, sentence, Problem.NOT_CHECKED)
    return _holder(Outcome.PASS, "The key belongs to the holder.", None, found.controller)


def _check_own(credential: JsonObject, report: Findings, *, signer: str, holder: str | None) -> None:
    """Replace the proof checks of a credential without a proof that was issued by the presentation's signer.

    It is covered by the presentation's proof, if the presentation names its holder.
    """
    if data_integrity.is_secured(credential) or id_of(credential.get("issuer")) != signer:
        return
    if holder is None:
        sentence = "The presentation does not name its holder, who issued this credential."
        replacement = _holder(Outcome.FAIL, sentence, Problem.HOLDER_MISSING)
    else:
        sentence = "The holder issued this credential, and the presentation's proof covers it."
        replacement = _holder(Outcome.PASS, sentence)
    report.checks[:] = [*(check for check in report.checks if check.code not in _PROOF_CHECKS), replacement]

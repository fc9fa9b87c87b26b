"""The shapes of the VC API's bodies and answers, for the API description; the services read the bodies themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from lapel.services.answers import VerificationCheck
from lapel.services.requests import ArbitraryObject, Request

__all__ = [
    "CredentialToIssue",
    "CredentialToVerify",
    "IssueOptions",
    "PresentationOptions",
    "PresentationToVerify",
    "ProblemDetails",
    "StatusEntry",
    "StatusToSet",
    "UnsecuredOptions",
    "UnsecuredPresentation",
    "VcProblem",
    "VcResult",
    "VcStatus",
    "VerifyOptions",
]

_Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
_Check = Literal["credentialSchema", "credentialStatus", "proof", "validity"]


class IssueOptions(Request, omit_defaults=True):
    """``credentialId`` is a name of the caller's own: one credential is issued under it, once.

    By default it is the credential's ``id``, if the document has one.
    """

    credential_id: _Text | UnsetType | None = UNSET


class CredentialToIssue(Request, omit_defaults=True):
    """``POST /vc-api/credentials/issue``: any credential, without a proof."""

    credential: ArbitraryObject
    options: IssueOptions | UnsetType | None = UNSET


class StatusEntry(Request):
    """The bit to set or to clear."""

    type: Literal["BitstringStatusListEntry"]
    status_purpose: Literal["revocation", "suspension"]


class StatusToSet(Request):
    """``POST /vc-api/credentials/status``. ``credentialId`` is its address here, or its name."""

    credential_id: str
    credential_status: StatusEntry
    status: bool


class _Options(Request, omit_defaults=True):
    checks: list[_Check] | UnsetType = UNSET
    return_problem_details: bool | UnsetType = UNSET
    return_results: bool | UnsetType = UNSET


class VerifyOptions(_Options, omit_defaults=True):
    """What the answer is to contain."""

    return_credential: bool | UnsetType = UNSET


class CredentialToVerify(Request, omit_defaults=True):
    """``POST /vc-api/credentials/verify``: with an embedded proof, or an envelope."""

    verifiable_credential: ArbitraryObject
    options: VerifyOptions | UnsetType | None = UNSET


class UnsecuredOptions(_Options, omit_defaults=True):
    """What the answer is to contain."""

    return_presentation: bool | UnsetType = UNSET


class PresentationOptions(UnsecuredOptions, omit_defaults=True):
    """What the proof must be for, and what the answer is to contain."""

    challenge: _Text | UnsetType | None = UNSET
    domain: _Text | UnsetType | None = UNSET


class PresentationToVerify(Request, omit_defaults=True):
    """``POST /vc-api/presentations/verify``."""

    verifiable_presentation: ArbitraryObject
    options: PresentationOptions | UnsetType | None = UNSET


class UnsecuredPresentation(Request, omit_defaults=True):
    """``POST /vc-api/presentations/verify`` of one that has no proof."""

    presentation: ArbitraryObject
    options: UnsecuredOptions | UnsetType | None = UNSET


class ProblemDetails(Struct, omit_defaults=True):
    """One thing that is wrong: ``pointer`` says with which member, ``check`` in which check it was found."""

    type: str
    title: str
    detail: str
    code: str | None
    pointer: str | UnsetType = UNSET
    check: str | UnsetType = UNSET


class VcProblem(Struct, rename={"problem_details": "problemDetails"}):
    """Why the request is refused, in the standards' types."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    problem_details: list[ProblemDetails]
    errors: list[ProblemDetails]
    request_id: str | None
    hint: str | UnsetType = UNSET


class VcResult(Struct, rename="camel", omit_defaults=True):
    """The result of a verification."""

    verified: bool
    checks: list[VerificationCheck]
    problem_details: list[ProblemDetails] = []
    errors: list[ProblemDetails] = []
    warnings: list[ProblemDetails] = []
    results: dict[str, object] | UnsetType = UNSET
    credential: dict[str, object] | UnsetType = UNSET
    presentation: dict[str, object] | UnsetType = UNSET
    credential_results: list[object] | UnsetType = UNSET


class VcStatus(Struct, rename="camel"):
    """The status of a credential."""

    credential_id: str
    status: str

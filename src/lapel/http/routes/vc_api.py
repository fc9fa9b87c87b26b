"""``/vc-api``: the W3C CCG's VC API (VCALM), as its test suites and wallets speak it; docs/vc-api.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from litestar import post
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct, json

from lapel.domain.access import Scope
from lapel.domain.credential import Credential, CredentialErased
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.json import JsonObject
from lapel.http.answer import NO_STORE, PUBLIC, Answer, json_answer
from lapel.http.auth import requires
from lapel.http.call import Call, only_queries
from lapel.http.documents import created
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.limits.verification_limits import count_verification, verification_slot
from lapel.http.openapi.operations import Also, Described, Query, answer_of, answers, described
from lapel.http.problems import PROBLEM_MEDIA_TYPE
from lapel.http.vc_problems import VC_PROBLEMS
from lapel.services.documents import CredentialDocument
from lapel.services.status import NotSuspendable
from lapel.services.vc_api.issuing import AlreadyIssued
from lapel.services.vc_api.results import VerificationAnswer
from lapel.services.vc_api.shapes import (
    CredentialToIssue,
    CredentialToVerify,
    PresentationToVerify,
    StatusToSet,
    UnsecuredPresentation,
    VcProblem,
    VcResult,
    VcStatus,
)

__all__ = ["HANDLERS"]

_TAGS = ["VC API"]
_LIMITS = ("RateLimit", "RateLimit-Policy")
_INVALID_REQUEST = answers(
    answer_of(VcProblem, status=400, media_type=PROBLEM_MEDIA_TYPE, description="The request is refused."), usual=False
)
_VERIFIES = answers(answer_of(VcResult, headers=_LIMITS), usual=False, also=(408, 413, 415)) | answers(
    answer_of(
        VcResult,
        status=400,
        headers=_LIMITS,
        description="It is not verified, or the request is refused.",
        alternatives={PROBLEM_MEDIA_TYPE: VcProblem},
    ),
    usual=False,
)


def _writes(model: type[Struct], *, status: int, also: Sequence[Also]) -> dict[int, ResponseSpec]:
    """Describe the answers of a guarded route; here everything that is wrong with a body is a 400."""
    described_answers = (
        answers(answer_of(model, status=status), guarded=True, writes=True, also=also) | _INVALID_REQUEST
    )
    return {number: answer for number, answer in described_answers.items() if number != 422}


def _takes(*shapes: type[Struct], headers: Mapping[str, Query] | None = None) -> type[Described]:
    return described(headers=headers, body={"application/json": shapes})


def _issued(request: Call, credential: Credential) -> Answer:
    # As JSON and not as application/vc, which clients of this API do not recognise as JSON.
    return created(credential.signed, location=request.services.addresses.credential(credential.id))


async def _issued_before(request: Call, done: IdempotentRequest) -> Answer:
    """Answer a repeated request as the first time."""
    return _issued(request, await request.services.credentials.get(done.entity_id))


@post(
    "/vc-api/credentials/issue",
    summary="VC API: issue any verifiable credential",
    description=(
        'The body is `{"credential": …, "options": {"credentialId": …}}`, the answer the bare signed credential. '
        "An id, an issuer, a start and a status entry are added where the credential has none."
    ),
    operation_class=_takes(CredentialToIssue, headers=IDEMPOTENCY_KEY),
    **requires(Scope.CREDENTIALS_ISSUE),
    exception_handlers=VC_PROBLEMS,
    tags=_TAGS,
    responses=_writes(CredentialDocument, status=201, also=(AlreadyIssued, CredentialErased)),
)
@idempotent(_issued_before)
async def vc_issue(request: Call) -> Answer:
    only_queries(request)
    body = await request.json_object()
    return _issued(request, await request.services.vc_issuing.issue(request.principal, body, request.once))


@post(
    "/vc-api/credentials/status",
    summary="VC API: revoke or suspend a credential, or reinstate it",
    description=(
        'The body is `{"credentialId": …, "credentialStatus": {"type": "BitstringStatusListEntry", '
        '"statusPurpose": …}, "status": …}`; the id is the credential\'s address here, or the `credentialId` or `id` '
        "that it was issued with."
    ),
    operation_class=_takes(StatusToSet),
    **requires(Scope.CREDENTIALS_STATUS),
    status_code=200,
    exception_handlers=VC_PROBLEMS,
    tags=_TAGS,
    responses=_writes(VcStatus, status=200, also=(409, CredentialErased, NotSuspendable)),
)
async def vc_change_status(request: Call) -> Answer:
    only_queries(request)
    credential = await request.services.vc_statuses.change(request.principal, await request.json_object())
    address = request.services.addresses.credential(credential.id)
    return json_answer({"credentialId": address, "status": credential.status.value})


@post(
    "/vc-api/credentials/verify",
    summary="VC API: verify any verifiable credential, embedded proof or envelope",
    description=(
        'The body is `{"verifiableCredential": …, "options": …}`. The answer is 200 if it is `verified`, and 400 with '
        "the same members if it is not."
    ),
    operation_class=_takes(CredentialToVerify),
    status_code=200,
    exception_handlers=VC_PROBLEMS,
    tags=_TAGS,
    responses=_VERIFIES,
)
async def vc_verify_credential(request: Call) -> Answer:
    return await _verified(request, request.services.vc_verification.credential)


@post(
    "/vc-api/presentations/verify",
    summary="VC API: verify a presentation and the credentials in it",
    description=(
        'The body is `{"verifiablePresentation": …, "options": {"challenge": …, "domain": …}}`, or '
        '`{"presentation": …}` for one without a proof. The answer is 200 if it is `verified`, and 400 with the same '
        "members if it is not."
    ),
    operation_class=_takes(PresentationToVerify, UnsecuredPresentation),
    status_code=200,
    exception_handlers=VC_PROBLEMS,
    tags=_TAGS,
    responses=_VERIFIES,
)
async def vc_verify_presentation(request: Call) -> Answer:
    return await _verified(request, request.services.vc_verification.presentation)


async def _verified(request: Call, verify: Callable[[JsonObject], Awaitable[VerificationAnswer]]) -> Answer:
    limits = count_verification(request)
    only_queries(request)
    size = len(await request.body())
    async with verification_slot(request), request.services.verifying.slot(size):
        result = await verify(await request.json_object())
    return Answer(
        json.encode(result.body),
        status_code=200 if result.verified else 400,
        media_type="application/json",
        headers={**NO_STORE, **PUBLIC, **limits},
    )


HANDLERS = (vc_issue, vc_change_status, vc_verify_credential, vc_verify_presentation)
"""The routes of this file."""

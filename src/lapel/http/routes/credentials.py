"""``/v3/credentials``: issue, publish and erase credentials. Reading one is the hot path: it sends stored bytes."""

from __future__ import annotations

from uuid import UUID

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from lapel.credentials.jose.vc_jwt import UnencodableCredential
from lapel.credentials.jsonld.errors import JsonLdError
from lapel.credentials.rdf.rdfc_n_degree import CanonicalisationBudgetExceeded
from lapel.domain.access import Scope
from lapel.domain.credential import Credential, CredentialErased, CredentialFormat
from lapel.domain.idempotency import IdempotentRequest
from lapel.http.answer import PUBLIC, Answer
from lapel.http.auth import requires
from lapel.http.call import Call, path_id
from lapel.http.document_cache import CACHE_SECONDS, CachedCredential, CachedDocument, document_cache
from lapel.http.documents import created, page_response
from lapel.http.fast_path import FAST
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.negotiation import HTML
from lapel.http.openapi.operations import Also, answer_of, answers, choice, described
from lapel.http.routes.images import IMAGES, image_response
from lapel.http.signed_media_types import JSON_MEDIA_TYPES, TOKEN_MEDIA_TYPES, chosen_media_type
from lapel.openbadges.v2 import NoVersion2Form
from lapel.services.documents import CredentialDocument
from lapel.services.renditions import AssertionRevoked, credential_content
from lapel.services.requests import NewCredential

__all__ = ["CANNOT_SIGN", "HANDLERS", "ISSUED", "issued", "issued_before"]

_TAGS = ["Credentials"]
_MEDIA_TYPES = {
    CredentialFormat.EDDSA_RDFC_2022: (*JSON_MEDIA_TYPES, HTML),
    CredentialFormat.VC_JWT: (*reversed(TOKEN_MEDIA_TYPES), HTML),  # OB 3.0, 5.2: a token should be text/plain
}
_BADGE_MEDIA_TYPES = {format_: (*media_types, *IMAGES) for format_, media_types in _MEDIA_TYPES.items()}
CANNOT_SIGN: tuple[Also, ...] = ((422, JsonLdError), UnencodableCredential, CanonicalisationBudgetExceeded)
"""The errors of a document that cannot be signed."""

ISSUED = answers(
    answer_of(CredentialDocument, status=201, media_type=(JSON_MEDIA_TYPES[0], TOKEN_MEDIA_TYPES[0])),
    guarded=True,
    writes=True,
    also=(*CANNOT_SIGN, CredentialErased),
)
"""The answers of the routes that issue: the credential, or why it cannot be signed.

With an idempotency key the credential may have been erased since it was issued.
"""

_CACHE = f"public, max-age={CACHE_SECONDS}"


def issued(request: Call, credential: Credential) -> Answer:
    """Answer 201 with the credential as it was signed."""
    return created(
        credential.signed,
        location=request.services.addresses.credential(credential.id),
        media_type=_media_type_of(credential),
    )


async def issued_before(request: Call, done: IdempotentRequest) -> Answer:
    """Answer a repeated request as the first time."""
    return issued(request, await request.services.credentials.get(done.entity_id))


@post(
    "/v3/credentials",
    summary="Award an achievement: issue one signed credential",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    opt=FAST,
    **requires(Scope.CREDENTIALS_ISSUE),
    tags=_TAGS,
    responses=ISSUED,
)
@idempotent(issued_before)
async def issue_credential(request: Call, data: JSONBody[NewCredential]) -> Answer:
    return issued(request, await request.services.issuing.issue(request.principal, data, request.once))


@get(
    "/v3/credentials/{credential_id:str}",
    summary="The credential exactly as it was signed, a page for people, or a redirect to its image, by Accept",
    operation_class=described(query={"format": choice("Which form, instead of Accept.", "json", "jwt", "html")}),
    opt=FAST,
    tags=_TAGS,
    responses=answers(
        answer_of(CredentialDocument, media_type=(*JSON_MEDIA_TYPES, *TOKEN_MEDIA_TYPES, HTML), cacheable=True),
        also=(406, CredentialErased),
    )
    | answers(answer_of(None, status=303, description="Its image is there.", headers=("Location",)), usual=False),
)
async def get_credential(request: Call, credential_id: FromPath[str]) -> Answer:
    uuid = path_id(credential_id)

    async def load() -> CachedCredential:
        return CachedCredential(await request.services.credentials.get(uuid))

    cached = await document_cache(request).get(("credential", uuid), load)
    media_type = chosen_media_type(request, (_BADGE_MEDIA_TYPES if cached.is_badge else _MEDIA_TYPES)[cached.format])
    if media_type == HTML:
        return await _page(request, uuid)
    if media_type in IMAGES:
        headers = {"location": request.services.addresses.credential_image(uuid), "cache-control": _CACHE, **PUBLIC}
        return Answer(b"", status_code=303, media_type="text/plain", headers={**headers, "vary": "Accept"})
    return cached.answer(request, media_type)


async def _page(request: Call, credential_id: UUID) -> Answer:
    """Answer with the credential's page, which shows its current status."""
    services = request.services
    credential = await services.credentials.get(credential_id)
    image_type = None
    if credential.achievement_id is not None:
        image_type = (await _baked_image(request, credential_id)).media_type
    try:
        await services.renditions.v2_assertion(credential_id)
        has_version_2 = True
    except (NoVersion2Form, AssertionRevoked):
        has_version_2 = False
    page = services.pages.credential(
        credential,
        credential_content(credential),
        now=services.clock(),
        is_believed=await services.signing_keys.is_trusted(credential),
        issuer_name=(await services.issuers.get(credential.issuer_id)).name,
        image_type=image_type,
        has_version_2=has_version_2,
    )
    return page_response(request, page)


@get(
    "/v3/credentials/{credential_id:str}/image",
    summary="The badge image with the credential baked in; PNG or SVG",
    tags=_TAGS,
    responses=answers(answer_of(bytes, media_type=IMAGES, cacheable=True), also=(CredentialErased,)),
)
async def get_credential_image(request: Call, credential_id: FromPath[str]) -> Answer:
    uuid = path_id(credential_id)
    image = await _baked_image(request, uuid)
    return image_response(
        request,
        image.content,
        media_type=image.media_type,
        cache_control=_CACHE,
        etag=image.etag,
        file_name=f"badge-{uuid}",
    )


async def _baked_image(request: Call, credential_id: UUID) -> CachedDocument:
    async def load() -> CachedDocument:
        baked = await request.services.renditions.baked_image(credential_id)
        return CachedDocument(baked.content, baked.media_type)

    return await document_cache(request).get(("baked image", credential_id), load)


@delete(
    "/v3/credentials/{credential_id:str}",
    summary="Erase a credential and all that is known of its recipient; its address answers 410 from now on",
    **requires(Scope.RECIPIENTS_ERASE),
    tags=_TAGS,
    responses=answers(answer_of(None, status=204), guarded=True, also=(CredentialErased,)),
)
async def erase_credential(request: Call, credential_id: FromPath[str]) -> None:
    await request.services.erasing.erase_credential(request.principal, path_id(credential_id))


def _media_type_of(credential: Credential) -> str:
    """Return the media type under which its signed bytes are sent when it is issued."""
    return (TOKEN_MEDIA_TYPES if credential.format is CredentialFormat.VC_JWT else JSON_MEDIA_TYPES)[0]


HANDLERS = (issue_credential, get_credential, get_credential_image, erase_credential)
"""The routes of this file."""

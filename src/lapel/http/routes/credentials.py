"""``/v3/credentials``: issued awards. GET one is the hot path: it sends stored bytes."""

from __future__ import annotations

from datetime import datetime

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, json

from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.http.answer import Answer
from lapel.http.auth import SECURITY, authenticated
from lapel.http.call import Call, path_id
from lapel.http.documents import created, public_response
from lapel.http.express import EXPRESS
from lapel.http.kept_documents import KEEP_SECONDS, KeptDocument, SignedDocument, kept_documents
from lapel.http.openapi import PAGED, answers, described
from lapel.http.paging import id_parameter, list_response, page_request
from lapel.http.routes.images import image_response
from lapel.http.signed_forms import HTML, JSON_FORMS, TOKEN_FORMS, chosen_form
from lapel.openbadges.shapes import Uri
from lapel.services.requests import NewCredential, NewStatus

__all__ = ["HANDLERS", "CredentialItem", "CredentialPage", "media_type_of"]

_TAGS = ["Credentials"]
_FORMS = {
    CredentialFormat.EDDSA_RDFC_2022: (*JSON_FORMS, HTML),
    CredentialFormat.VC_JWT: (*TOKEN_FORMS, HTML),
}
_CACHE = f"public, max-age={KEEP_SECONDS}"


class CredentialItem(Struct, rename="camel", omit_defaults=True):
    """A credential in a list. Its recipient is not shown: only a keyed hash of it is stored beside the signed bytes."""

    id: Uri
    issuer: Uri
    format: CredentialFormat
    status: CredentialStatus
    recipient_type: str
    valid_from: datetime
    created_at: datetime
    achievement: Uri | None = None
    achievement_version: int | None = None
    valid_until: datetime | None = None
    status_reason: str | None = None
    status_changed_at: datetime | None = None
    erased_at: datetime | None = None


class CredentialPage(Struct):
    """A page of credentials."""

    items: list[CredentialItem]
    next: Uri | None


@post(
    "/v3/credentials",
    summary="Award an achievement: issue one signed credential",
    opt=EXPRESS,
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(status=201, media_type="application/vc", guarded=True, writes=True),
)
async def issue_credential(request: Call, data: JSONBody[NewCredential]) -> Answer:
    credential = await request.services.issuing.issue(request.principal, data)
    return created(
        credential.signed,
        location=request.services.addresses.credential(credential.id),
        media_type=media_type_of(credential),
    )


@get(
    "/v3/credentials",
    summary="The organisation's credentials, newest first",
    operation_class=described(
        query={
            **PAGED,
            "issuer": "Only this issuer's: UUID, URN or URL.",
            "achievement": "Only this achievement's: UUID, URN or URL.",
        }
    ),
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(CredentialPage, guarded=True),
)
async def list_credentials(request: Call) -> Answer:
    wanted = page_request(request, "issuer", "achievement")
    page = await request.services.credentials.page(
        request.principal,
        issuer_id=id_parameter(request, "issuer", collection="/v3/issuers"),
        achievement_id=id_parameter(request, "achievement", collection="/v3/achievements"),
        before=wanted.before,
        limit=wanted.limit,
    )
    return list_response(
        request,
        page,
        path="/v3/credentials",
        show=lambda credential: _item(request, credential),
        limit=wanted.limit,
        keep=("issuer", "achievement"),
    )


@get(
    "/v3/credentials/{credential_id:str}",
    summary="The credential exactly as it was signed, or a page for people, by Accept",
    operation_class=described(query={"format": "`json`, `jwt` or `html`, in place of Accept."}),
    tags=_TAGS,
    responses=answers(media_type="application/vc", also=(406, 410)),
)
async def get_credential(request: Call, credential_id: FromPath[str]) -> Answer:
    found = path_id(credential_id)

    async def load() -> SignedDocument:
        return SignedDocument(await request.services.credentials.get(found))

    signed = await kept_documents(request).get(("credential", found), load)
    media_type = chosen_form(request, _FORMS[signed.format])
    if media_type != HTML:
        return signed.answer(request, media_type)
    credential = await request.services.credentials.get(found)
    document = await request.services.renditions.credential_document(found)
    pages = request.services.pages
    page = pages.credential(credential, document, now=request.services.clock())
    return public_response(
        request, page, media_type=HTML, cache_control="no-cache", headers={**pages.headers, "vary": "Accept"}
    )


@get(
    "/v3/credentials/{credential_id:str}/image",
    summary="The badge image with the credential baked in; PNG or SVG",
    tags=_TAGS,
    responses=answers(bytes, media_type="image/png", also=(410,)),
)
async def get_credential_image(request: Call, credential_id: FromPath[str]) -> Answer:
    found = path_id(credential_id)

    async def load() -> KeptDocument:
        baked = await request.services.renditions.baked_image(found)
        return KeptDocument(baked.content, baked.media_type)

    kept = await kept_documents(request).get(("baked image", found), load)
    return image_response(
        request,
        kept.content,
        media_type=kept.media_type,
        cache_control=_CACHE,
        etag=kept.etag,
        file_name=f"badge-{found}",
    )


@post(
    "/v3/credentials/{credential_id:str}/status",
    summary="Revoke, suspend or reinstate a credential",
    status_code=200,
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(CredentialItem, guarded=True, writes=True, also=(410,)),
)
async def change_credential_status(request: Call, credential_id: FromPath[str], data: JSONBody[NewStatus]) -> Answer:
    credential = await request.services.statuses.change(
        request.principal, path_id(credential_id), data.status, data.reason
    )
    return Answer(
        json.encode(_item(request, credential)), media_type="application/json", headers={"cache-control": "no-store"}
    )


@delete(
    "/v3/credentials/{credential_id:str}",
    summary="Erase a credential and all that is known of its recipient; its address answers 410 from now on",
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(None, status=204, guarded=True, also=(410,)),
)
async def erase_credential(request: Call, credential_id: FromPath[str]) -> None:
    await request.services.erasing.erase_credential(request.principal, path_id(credential_id))
    kept_documents(request).forget()


def media_type_of(credential: Credential) -> str:
    """What its signed bytes are called unless a client prefers another name."""
    return _FORMS[credential.format][0]


def _item(request: Call, credential: Credential) -> CredentialItem:
    addresses = request.services.addresses
    return CredentialItem(
        id=addresses.credential(credential.id),
        issuer=addresses.issuer(credential.issuer_id),
        format=credential.format,
        status=credential.status,
        recipient_type=credential.recipient_type,
        valid_from=credential.valid_from,
        created_at=credential.created_at,
        achievement=addresses.achievement(credential.achievement_id) if credential.achievement_id else None,
        achievement_version=credential.achievement_version,
        valid_until=credential.valid_until,
        status_reason=credential.status_reason,
        status_changed_at=credential.status_changed_at,
        erased_at=credential.erased_at,
    )


HANDLERS = (
    issue_credential,
    list_credentials,
    get_credential,
    get_credential_image,
    change_credential_status,
    erase_credential,
)
"""The routes of this file."""

"""``/v3/organisations``: the tenants of this server."""

from __future__ import annotations

from litestar import get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import json

from lapel.domain.access import Scope
from lapel.domain.organisation import Organisation
from lapel.http.answer import Answer, json_answer
from lapel.http.auth import requires
from lapel.http.call import Call, path_id
from lapel.http.documents import created
from lapel.http.openapi.operations import PAGED, answer_of, answers, described
from lapel.http.paging import list_response, page_request
from lapel.http.routes.api_keys import created_api_key_item
from lapel.services.answers import CreatedOrganisation, OrganisationItem, OrganisationPage
from lapel.services.requests import NewOrganisation, OrganisationChanges

__all__ = ["HANDLERS"]

_TAGS = ["Organisations"]


@post(
    "/v3/organisations",
    summary="Create an organisation; its first key, an owner's, is shown only this once",
    **requires(Scope.ORGANISATIONS_ADMIN),
    tags=_TAGS,
    responses=answers(answer_of(CreatedOrganisation, status=201), guarded=True, writes=True),
)
async def create_organisation(request: Call, data: JSONBody[NewOrganisation]) -> Answer:
    organisation, first = await request.services.organisations.create(request.principal, data.name)
    addresses = request.services.addresses
    item = CreatedOrganisation(
        id=addresses.organisation(organisation.id),
        name=organisation.name,
        created_at=organisation.created_at,
        owner_key=created_api_key_item(first, addresses),
    )
    return created(json.encode(item), location=item.id)


@get(
    "/v3/organisations",
    summary="Every organisation, newest first",
    operation_class=described(query=PAGED),
    **requires(Scope.ORGANISATIONS_ADMIN),
    tags=_TAGS,
    responses=answers(OrganisationPage, guarded=True),
)
async def list_organisations(request: Call) -> Answer:
    paging = page_request(request)
    page = await request.services.organisations.page(request.principal, before=paging.before, limit=paging.limit)
    return await list_response(
        request, page, path="/v3/organisations", show=lambda each: _item(request, each), limit=paging.limit
    )


@get(
    "/v3/organisations/current",
    summary="The organisation that you act for",
    **requires(Scope.READ),
    tags=_TAGS,
    responses=answers(OrganisationItem, guarded=True),
)
async def current_organisation(request: Call) -> Answer:
    caller = request.principal
    return _answer(request, await request.services.organisations.get(caller, caller.organisation_id))


@get(
    "/v3/organisations/{organisation_id:str}",
    summary="One organisation: your own, or any for an operator",
    **requires(),
    tags=_TAGS,
    responses=answers(OrganisationItem, guarded=True),
)
async def get_organisation(request: Call, organisation_id: FromPath[str]) -> Answer:
    return _answer(request, await request.services.organisations.get(request.principal, path_id(organisation_id)))


@patch(
    "/v3/organisations/{organisation_id:str}",
    summary="Rename an organisation",
    **requires(Scope.ORGANISATIONS_ADMIN),
    tags=_TAGS,
    responses=answers(OrganisationItem, guarded=True, writes=True),
)
async def change_organisation(
    request: Call, organisation_id: FromPath[str], data: JSONBody[OrganisationChanges]
) -> Answer:
    organisations = request.services.organisations
    return _answer(request, await organisations.change(request.principal, path_id(organisation_id), data.name))


def _item(request: Call, organisation: Organisation) -> OrganisationItem:
    return OrganisationItem(
        id=request.services.addresses.organisation(organisation.id),
        name=organisation.name,
        created_at=organisation.created_at,
    )


def _answer(request: Call, organisation: Organisation) -> Answer:
    return json_answer(_item(request, organisation))


HANDLERS = (create_organisation, list_organisations, current_organisation, get_organisation, change_organisation)
"""The routes of this file."""

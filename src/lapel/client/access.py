"""Who may do what: organisations and their API keys."""

from __future__ import annotations

from lapel.client.asking import Ask, Page, PageAsk, at, changing, json_body, shape
from lapel.client.operation import Listing, Operation
from lapel.services.answers import ApiKeyItem, CreatedApiKeyItem, CreatedOrganisation, OrganisationItem
from lapel.services.requests import NewApiKey, NewOrganisation, OrganisationChanges

__all__ = ["AccessOperations"]


class AccessOperations:
    """``/v3/organisations`` and ``/v3/api-keys``."""

    @Operation
    def create_organisation(self, organisation: NewOrganisation) -> Ask[CreatedOrganisation]:
        """Create an organisation; its first key, an owner's, is shown this once."""
        headers, body = changing(None), json_body(organisation)
        return Ask("POST", "/v3/organisations", shape(CreatedOrganisation), headers=headers, content=body)

    @Listing
    def list_organisations(self, *, limit: int | None = None) -> PageAsk[OrganisationItem]:
        """Every organisation, newest first."""
        read, query = shape(Page[OrganisationItem]), {"limit": limit}
        return PageAsk(Ask("GET", "/v3/organisations", read, query=query, repeatable=True))

    @Operation
    def current_organisation(self) -> Ask[OrganisationItem]:
        """The organisation that you act for."""
        return Ask("GET", "/v3/organisations/current", shape(OrganisationItem), repeatable=True)

    @Operation
    def get_organisation(self, organisation: str) -> Ask[OrganisationItem]:
        """One organisation: your own, or any for an operator."""
        return Ask("GET", at("/v3/organisations/{}", organisation), shape(OrganisationItem), repeatable=True)

    @Operation
    def change_organisation(self, organisation: str, changes: OrganisationChanges) -> Ask[OrganisationItem]:
        """Rename an organisation."""
        path, body = at("/v3/organisations/{}", organisation), json_body(changes)
        return Ask("PATCH", path, shape(OrganisationItem), headers=changing(None), content=body)

    @Operation
    def create_api_key(self, key: NewApiKey) -> Ask[CreatedApiKeyItem]:
        """Make an API key, which may do nothing that you may not; it is shown this once."""
        headers, body = changing(None), json_body(key)
        return Ask("POST", "/v3/api-keys", shape(CreatedApiKeyItem), headers=headers, content=body)

    @Listing
    def list_api_keys(self, *, limit: int | None = None) -> PageAsk[ApiKeyItem]:
        """The organisation's API keys, newest first, revoked ones too."""
        read, query = shape(Page[ApiKeyItem]), {"limit": limit}
        return PageAsk(Ask("GET", "/v3/api-keys", read, query=query, repeatable=True))

    @Operation
    def get_api_key(self, key: str) -> Ask[ApiKeyItem]:
        """One API key."""
        return Ask("GET", at("/v3/api-keys/{}", key), shape(ApiKeyItem), repeatable=True)

    @Operation
    def revoke_api_key(self, key: str) -> Ask[ApiKeyItem]:
        """Revoke an API key: from now on it opens nothing; it stays in the list."""
        return Ask("DELETE", at("/v3/api-keys/{}", key), shape(ApiKeyItem), repeatable=True)

"""Who may do what, and who did what: organisations, their API keys, their audit logs."""

from __future__ import annotations

from datetime import datetime

from lapel.client.asking import Ask, Page, PageAsk, at, changing, json_body, shape
from lapel.client.operation import Listing, Operation
from lapel.domain.audit import Action
from lapel.services.answers import ApiKeyItem, AuditItem, CreatedApiKeyItem, CreatedOrganisation, OrganisationItem
from lapel.services.requests import NewApiKey, NewOrganisation, OrganisationChanges

__all__ = ["AccessOperations"]


class AccessOperations:
    """``/v3/organisations``, ``/v3/api-keys`` and ``/v3/audit-log``."""

    @Operation
    def create_organisation(self, organisation: NewOrganisation) -> Ask[CreatedOrganisation]:
        """Create an organisation; its first key, an owner's, is shown only this once."""
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
        """Create an API key, with no more rights than your own; it is shown only this once."""
        headers, body = changing(None), json_body(key)
        return Ask("POST", "/v3/api-keys", shape(CreatedApiKeyItem), headers=headers, content=body)

    @Listing
    def list_api_keys(self, *, limit: int | None = None) -> PageAsk[ApiKeyItem]:
        """The organisation's API keys, newest first, including revoked ones."""
        read, query = shape(Page[ApiKeyItem]), {"limit": limit}
        return PageAsk(Ask("GET", "/v3/api-keys", read, query=query, repeatable=True))

    @Operation
    def get_api_key(self, key: str) -> Ask[ApiKeyItem]:
        """One API key."""
        return Ask("GET", at("/v3/api-keys/{}", key), shape(ApiKeyItem), repeatable=True)

    @Operation
    def revoke_api_key(self, key: str) -> Ask[ApiKeyItem]:
        """Revoke an API key, at once and for good; it stays in the list."""
        return Ask("DELETE", at("/v3/api-keys/{}", key), shape(ApiKeyItem), repeatable=True)

    @Listing
    def list_audit_log(
        self,
        *,
        actor: str | None = None,
        action: Action | None = None,
        entity: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> PageAsk[AuditItem]:
        """What was done in the organisation, newest first.

        Args:
            entity: the id of something, or its address.
            since, until: with a time zone.
        """
        query: dict[str, str | int | None] = {
            "actor": actor,
            "action": action,
            "entity": entity,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "limit": limit,
        }
        return PageAsk(Ask("GET", "/v3/audit-log", shape(Page[AuditItem]), query=query, repeatable=True))

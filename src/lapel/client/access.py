"""Operations on organisations, their API keys and their audit logs."""

from __future__ import annotations

from datetime import datetime

from lapel.client.operation import Listing, Operation
from lapel.client.requests import ListRequest, Page, Request, as_json, change_headers, get, json_body, path_to
from lapel.domain.audit import Action
from lapel.services.answers import ApiKeyItem, AuditItem, CreatedApiKeyItem, CreatedOrganisation, OrganisationItem
from lapel.services.requests import NewApiKey, NewOrganisation, OrganisationChanges

__all__ = ["AccessOperations"]


class AccessOperations:
    """``/v3/organisations``, ``/v3/api-keys`` and ``/v3/audit-log``."""

    @Operation
    def create_organisation(self, organisation: NewOrganisation) -> Request[CreatedOrganisation]:
        """Create an organisation; its first key, an owner's, is shown only this once."""
        headers, body = change_headers(None), json_body(organisation)
        return Request("POST", "/v3/organisations", as_json(CreatedOrganisation), headers=headers, content=body)

    @Listing
    def list_organisations(self, *, limit: int | None = None) -> ListRequest[OrganisationItem]:
        """List every organisation, newest first."""
        read, query = as_json(Page[OrganisationItem]), {"limit": limit}
        return ListRequest(get("/v3/organisations", read, query=query))

    @Operation
    def current_organisation(self) -> Request[OrganisationItem]:
        """Get the organisation that you act for."""
        return get("/v3/organisations/current", as_json(OrganisationItem))

    @Operation
    def get_organisation(self, organisation: str) -> Request[OrganisationItem]:
        """Get an organisation: your own, or, as an operator, any."""
        return get(path_to("/v3/organisations/{}", organisation), as_json(OrganisationItem))

    @Operation
    def change_organisation(self, organisation: str, changes: OrganisationChanges) -> Request[OrganisationItem]:
        """Rename an organisation."""
        path, body = path_to("/v3/organisations/{}", organisation), json_body(changes)
        return Request("PATCH", path, as_json(OrganisationItem), headers=change_headers(None), content=body)

    @Operation
    def create_api_key(self, key: NewApiKey) -> Request[CreatedApiKeyItem]:
        """Create an API key, with no more rights than your own; it is shown only this once."""
        headers, body = change_headers(None), json_body(key)
        return Request("POST", "/v3/api-keys", as_json(CreatedApiKeyItem), headers=headers, content=body)

    @Listing
    def list_api_keys(self, *, limit: int | None = None) -> ListRequest[ApiKeyItem]:
        """List the organisation's API keys, newest first, including revoked ones."""
        read, query = as_json(Page[ApiKeyItem]), {"limit": limit}
        return ListRequest(get("/v3/api-keys", read, query=query))

    @Operation
    def get_api_key(self, key: str) -> Request[ApiKeyItem]:
        """Get an API key, without its secret."""
        return get(path_to("/v3/api-keys/{}", key), as_json(ApiKeyItem))

    @Operation
    def revoke_api_key(self, key: str) -> Request[ApiKeyItem]:
        """Revoke an API key, immediately and permanently; it stays in the list."""
        return Request("DELETE", path_to("/v3/api-keys/{}", key), as_json(ApiKeyItem), repeatable=True)

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
    ) -> ListRequest[AuditItem]:
        """List what was done in the organisation, newest first.

        Args:
            entity: the id or address of a record.
            since, until: must have a time zone.
        """
        query: dict[str, str | int | None] = {
            "actor": actor,
            "action": action,
            "entity": entity,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "limit": limit,
        }
        return ListRequest(get("/v3/audit-log", as_json(Page[AuditItem]), query=query))

"""``/credentials/status`` of the VC API: a credential's standing, by the id that the coordinator knows it by."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

from lapel.credentials.bitstring_status_list import ENTRY_TYPE
from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.identifiers import parse_id
from lapel.domain.json import JsonObject
from lapel.domain.ports import Store
from lapel.domain.status_list import StatusPurpose
from lapel.errors import InvalidInput, NotFound
from lapel.openbadges.problems import Problems
from lapel.services.issue_keys import IssueKeys
from lapel.services.status import Statuses
from lapel.services.vc_api.issue_keys import digest_of

__all__ = ["VcStatus"]

_MEMBERS: Final = frozenset({"credentialId", "credentialStatus", "status"})
_SET: Final = {
    StatusPurpose.REVOCATION.value: CredentialStatus.REVOKED,
    StatusPurpose.SUSPENSION.value: CredentialStatus.SUSPENDED,
}


class VcStatus:
    """Changes the standing of credentials for whoever speaks the VC API."""

    def __init__(self, *, store: Store, addresses: Addresses, statuses: Statuses, issue_keys: IssueKeys) -> None:
        self._store = store
        self._issue_keys = issue_keys
        self._addresses = addresses
        self._statuses = statuses

    async def change(self, principal: Principal, body: JsonObject) -> Credential:
        """Set or clear the bit of ``{"credentialId", "credentialStatus": {"type", "statusPurpose"}, "status"}``.

        Raises:
            InvalidInput: the request is not of that form.
            NotFound: the organisation has no credential of that id.
            Forbidden, Conflict: as `Statuses.change`.
        """
        principal.require(Scope.CREDENTIALS_STATUS)
        problems = Problems()
        named, entry, on = body.get("credentialId"), body.get("credentialStatus"), body.get("status")
        for name in body.keys() - _MEMBERS:
            problems.add(f"/{name[:80]}", "is not a member of this request", "unknown_option")
        if not isinstance(named, str) or not named:
            problems.add("/credentialId", "must be the id of a credential")
        if not isinstance(on, bool):
            problems.add("/status", "must be true or false")
        if not isinstance(entry, Mapping):
            problems.add("/credentialStatus", "must be an object with a type and a statusPurpose")
            entry = {}
        elif entry.get("type") != ENTRY_TYPE:
            problems.add("/credentialStatus/type", f"must be {ENTRY_TYPE}")
        wanted = _SET.get(str(entry.get("statusPurpose")))
        if wanted is None:
            problems.add("/credentialStatus/statusPurpose", f"must be {' or '.join(_SET)}")
        problems.raise_any()
        assert isinstance(named, str)  # or else there was a problem
        assert wanted is not None
        credential = await self._find(principal, named)
        if not on and wanted is CredentialStatus.REVOKED and credential.status is CredentialStatus.SUSPENDED:
            return credential  # that it is not revoked is so already, and does not reinstate it
        return await self._statuses.change(principal, credential.id, wanted if on else CredentialStatus.ACTIVE)

    async def _find(self, principal: Principal, named: str) -> Credential:
        """The organisation's credential at an address of ours, or that was issued under this ``credentialId``."""
        read = self._store.read().credentials
        own = self._addresses.own_id(named, collection="/v3/credentials")
        if own != named:
            with contextlib.suppress(InvalidInput):
                found = await read.find(parse_id(own))
                if found is not None and found.organisation_id == principal.organisation_id:
                    return found
        else:
            digest = digest_of(principal.organisation_id, named)
            for found in (await self._issue_keys.find(read, [digest])).values():
                return found
        raise NotFound(f"There is no credential {named[:200]}.")

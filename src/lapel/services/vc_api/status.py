"""``/credentials/status`` of the VC API: change the status of a credential, found by the coordinator's id."""

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
from lapel.errors import InvalidInput, NotFound, pointer_step
from lapel.openbadges.problems import Problems
from lapel.services.issue_keys import IssueKeys
from lapel.services.status import Statuses
from lapel.services.vc_api.credential_ids import digest_of

__all__ = ["VcStatuses"]

_MEMBERS: Final = frozenset({"credentialId", "credentialStatus", "status"})
_STATUSES: Final = {
    StatusPurpose.REVOCATION.value: CredentialStatus.REVOKED,
    StatusPurpose.SUSPENSION.value: CredentialStatus.SUSPENDED,
}


class VcStatuses:
    """Changes the status of credentials for clients of the VC API."""

    def __init__(self, *, store: Store, addresses: Addresses, statuses: Statuses, issue_keys: IssueKeys) -> None:
        self._store = store
        self._issue_keys = issue_keys
        self._addresses = addresses
        self._statuses = statuses

    async def change(self, principal: Principal, body: JsonObject) -> Credential:
        """Set or clear the bit of ``{"credentialId", "credentialStatus": {"type", "statusPurpose"}, "status"}``.

        Raises:
            InvalidInput: the request does not have that form.
            NotFound: the organisation has no credential with this id.
            Forbidden, Conflict: see `Statuses.change`.
        """
        principal.require(Scope.CREDENTIALS_STATUS)
        problems = Problems()
        credential_id, entry, value = body.get("credentialId"), body.get("credentialStatus"), body.get("status")
        for name in body.keys() - _MEMBERS:
            problems.add(f"/{pointer_step(name[:80])}", "is not a member of this request", "unknown_option")
        if not isinstance(credential_id, str) or not credential_id:
            problems.add("/credentialId", "must be the id of a credential")
        if not isinstance(value, bool):
            problems.add("/status", "must be true or false")
        if not isinstance(entry, Mapping):
            problems.add("/credentialStatus", "must be an object with a type and a statusPurpose")
            entry = {}
        elif entry.get("type") != ENTRY_TYPE:
            problems.add("/credentialStatus/type", f"must be {ENTRY_TYPE}")
        status = _STATUSES.get(str(entry.get("statusPurpose")))
        if status is None:
            problems.add("/credentialStatus/statusPurpose", f"must be {' or '.join(_STATUSES)}")
        problems.raise_any()
        assert isinstance(credential_id, str)  # otherwise a problem was raised
        assert status is not None
        credential = await self._find(principal, credential_id)
        if not value and status is CredentialStatus.REVOKED and credential.status is CredentialStatus.SUSPENDED:
            return credential  # its revocation bit is clear already, and clearing it must not reinstate it
        return await self._statuses.change(principal, credential.id, status if value else CredentialStatus.ACTIVE)

    async def _find(self, principal: Principal, name: str) -> Credential:
        """Return the organisation's credential with this address, or issued under this ``credentialId`` or ``id``."""
        read = self._store.read().credentials
        own = self._addresses.own_id(name, collection="/v3/credentials")
        if own != name:
            with contextlib.suppress(InvalidInput):
                if (found := principal.own(await read.find(parse_id(own)))) is not None:
                    return found
        else:
            digest = digest_of(principal.organisation_id, name)
            for found in (await self._issue_keys.find(read, [digest])).values():
                return found
        raise NotFound(f"There is no credential {name[:200]}.")

"""Read issued credentials."""

from __future__ import annotations

from uuid import UUID

from lapel.domain.access import Principal, Scope
from lapel.domain.credential import Credential
from lapel.domain.listing import ALL_CREDENTIALS, CredentialFilter
from lapel.domain.ports import Store
from lapel.errors import NotFound
from lapel.services.paging import DEFAULT_PAGE, Page, moment_key, moment_of, page_of
from lapel.services.recipient_look_up import RecipientLookUp, recipient_to_find

__all__ = ["Credentials", "own_credential"]


class Credentials:
    """Reads and lists issued credentials."""

    def __init__(self, *, store: Store, recipients: RecipientLookUp) -> None:
        self._store = store
        self._recipients = recipients

    async def get(self, credential_id: UUID) -> Credential:
        """Return the credential, of any organisation: anybody who has its address may read it. Raises NotFound."""
        return await self._store.read().credentials.get(credential_id)

    async def own(self, principal: Principal, credential_id: UUID) -> Credential:
        """Return the credential. Raises NotFound unless it belongs to the principal's organisation."""
        principal.require(Scope.READ)
        return await own_credential(self._store, principal, credential_id)

    async def page(
        self,
        principal: Principal,
        criteria: CredentialFilter = ALL_CREDENTIALS,
        *,
        before: UUID | None = None,
        key: bytes = b"",
        limit: int = DEFAULT_PAGE,
    ) -> Page[Credential]:
        """Return a page of the organisation's credentials: newest first, or by ``valid_from`` if filtered by it."""
        principal.require(Scope.READ)
        rows = await self._store.read().credentials.page(
            principal.organisation_id, criteria, before=before, valid_before=moment_of(key), limit=limit + 1
        )
        if criteria.by_validity:
            return page_of(rows, limit=limit, key=lambda credential: moment_key(credential.valid_from))
        return page_of(rows, limit=limit)

    def recipient_lookup(self, identity: str, kind: str | None = None) -> bytes:
        """Return the look-up value under which the credentials of this identity are stored.

        An e-mail address or a phone number may be written in any way, a DID or URL only as it is in the credentials.
        Credentials whose recipient was given only as a hash are not found, because the identity is unknown then.

        Args:
            kind: ``email``, ``did``, ``url`` or ``phone``; by default guessed from the identity's form.

        Raises:
            InvalidInput: the text is not an identity of this kind.
        """
        return self._recipients.value(recipient_to_find(kind or _kind_of(identity), identity))


async def own_credential(store: Store, principal: Principal, credential_id: UUID) -> Credential:
    """Return the credential. Raises NotFound unless it belongs to the principal's organisation."""
    credential = principal.own(await store.read().credentials.get(credential_id))
    if credential is None:
        raise NotFound(f"There is no credential {credential_id}.")
    return credential


def _kind_of(identity: str) -> str:
    if identity.startswith("did:"):
        return "did"
    if identity.startswith(("https://", "http://")):
        return "url"
    return "email" if "@" in identity else "phone"

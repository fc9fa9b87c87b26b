"""Read credentials back."""

from __future__ import annotations

from uuid import UUID

from lapel.credentials.key_storage.master_key import RECIPIENT_LOOK_UP, MasterKey
from lapel.domain.access import Principal, Scope
from lapel.domain.credential import Credential
from lapel.domain.listing import ALL_CREDENTIALS, CredentialFilter
from lapel.domain.ports import Store
from lapel.errors import NotFound
from lapel.openbadges.identity import lookup_hash, read_recipient
from lapel.openbadges.problems import Problems
from lapel.services.paging import DEFAULT_PAGE, Page, moment_key, moment_of, page_of

__all__ = ["Credentials"]


class Credentials:
    """Issued credentials."""

    def __init__(self, *, store: Store, master_key: MasterKey) -> None:
        self._store = store
        self._master_key = master_key

    async def get(self, credential_id: UUID) -> Credential:
        """The credential, of whatever organisation: whoever has its address may read it. Raises NotFound."""
        return await self._store.read().credentials.get(credential_id)

    async def own(self, principal: Principal, credential_id: UUID) -> Credential:
        """The credential, if it is the principal's organisation's. Raises NotFound."""
        principal.require(Scope.READ)
        credential = await self.get(credential_id)
        if credential.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no credential {credential_id}.")
        return credential

    async def page(
        self,
        principal: Principal,
        wanted: CredentialFilter = ALL_CREDENTIALS,
        *,
        before: UUID | None = None,
        key: bytes = b"",
        limit: int = DEFAULT_PAGE,
    ) -> Page[Credential]:
        """The organisation's credentials, newest first, or latest ``valid_from`` first if narrowed by that."""
        principal.require(Scope.READ)
        found = await self._store.read().credentials.page(
            principal.organisation_id, wanted, before=before, valid_before=moment_of(key), limit=limit + 1
        )
        if wanted.by_validity:
            return page_of(found, limit=limit, key=lambda credential: moment_key(credential.valid_from))
        return page_of(found, limit=limit)

    def recipient_lookup(self, identity: str, kind: str | None = None) -> bytes:
        """What the credentials of that identity are found by, however it is written.

        Those whose recipient was given as a hash only are not: nobody here knows whose it is.

        Args:
            kind: ``email``, ``did``, ``url`` or ``phone``; told from the identity's form unless given.

        Raises:
            InvalidInput: it is no such identity.
        """
        problems = Problems()
        recipient = read_recipient(
            problems, "", type=kind or _kind_of(identity), identity=identity, hashed=None, name=None
        )
        problems.raise_any()
        assert recipient is not None
        return lookup_hash(recipient, key=self._master_key.derive(RECIPIENT_LOOK_UP))


def _kind_of(identity: str) -> str:
    if identity.startswith("did:"):
        return "did"
    if identity.startswith(("https://", "http://")):
        return "url"
    return "email" if "@" in identity else "phone"

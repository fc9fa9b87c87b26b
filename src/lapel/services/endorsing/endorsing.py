"""Issue endorsements, in which an issuer vouches for an achievement, a profile or a credential (OB 3.0, 4.4)."""

from __future__ import annotations

from typing import Final

from lapel.credentials.constant_parts import SplitDocument
from lapel.credentials.key_storage.master_key import RECIPIENT_LOOK_UP, MasterKey
from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.identifiers import parse_id
from lapel.domain.ports import Clock, IdSource, Store, Transaction
from lapel.errors import InvalidInput
from lapel.openbadges import checks, v3
from lapel.openbadges.identity import Recipient, RecipientType, lookup_hash
from lapel.openbadges.problems import LONG, Problems
from lapel.services.auditing.recording import issued_by, store_issued
from lapel.services.idempotency import done_once
from lapel.services.issuer_choice import choose_issuer
from lapel.services.issuing.award_members import signed_members, validity
from lapel.services.issuing.credential_record import credential_record
from lapel.services.issuing.securing import Securing, Unsigned
from lapel.services.issuing.status_allocation import StatusAllocation
from lapel.services.issuing.status_entries import status_entry
from lapel.services.requests import NewEndorsement

__all__ = ["Endorsing"]

_NOT_FOUND: Final = "is an address of this server with nothing there that can be endorsed"


class Endorsing:
    """Issues endorsements. They are stored as credentials without an achievement."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: IdSource,
        addresses: Addresses,
        securing: Securing,
        allocation: StatusAllocation,
        master_key: MasterKey,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._addresses = addresses
        self._securing = securing
        self._allocation = allocation
        self._master_key = master_key

    async def issue(
        self, principal: Principal, request: NewEndorsement, once: IdempotentRequest | None = None
    ) -> Credential:
        """Issue one EndorsementCredential; it is durable when this returns.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            InvalidInput: with one FieldError per problem.
            DoneBefore: the request `once` was completed before.
        """
        principal.require(Scope.CREDENTIALS_ISSUE)
        problems = Problems()
        issuer = await choose_issuer(self._store, self._addresses, principal, problems, request.issuer)
        checks.iri(problems, request.endorsed, "/endorsed")
        name = None if problems else await self._name_of(problems, request.endorsed)
        problems.text(request.comment, "/comment", max_length=LONG)
        members = signed_members(problems, "", request)
        start, valid_until = validity(problems, "", request, now=self._clock())
        problems.raise_any()
        assert issuer is not None  # otherwise a problem was raised
        (entry,) = await self._allocation.take(issuer, suspendable=False)
        credential_id = self._new_id()
        document = v3.endorsement_document(
            id=self._addresses.credential(credential_id),
            name=f"Endorsement of {name}" if name else "Endorsement",
            issuer=v3.short_profile(issuer, self._addresses),
            endorsed=request.endorsed,
            comment=request.comment,
            valid_from=start,
            valid_until=valid_until,
            status=status_entry(entry.list_id, entry.status_index, self._addresses, suspendable=False),
            members=members,
        )
        signed = await self._securing.secure(Unsigned(SplitDocument(document), issuer, request.format))
        kind = RecipientType.DID if request.endorsed.startswith("did:") else RecipientType.URL
        credential = credential_record(
            signed,
            id=credential_id,
            issuer=issuer,
            format=request.format,
            recipient_type=kind.value,
            recipient_lookup=lookup_hash(
                Recipient(type=kind, identity=request.endorsed, hashed=False),
                key=self._master_key.derive(RECIPIENT_LOOK_UP),
            ),
            valid_from=start,
            valid_until=valid_until,
            created_at=self._clock(),
            entry=entry,
        )

        async def body(tx: Transaction) -> None:
            await self._require_unerased(tx, request.endorsed)
            await store_issued(tx, issued_by(principal, [credential]))

        await done_once(self._store, once, body, credential_id)
        return credential

    async def _require_unerased(self, tx: Transaction, endorsed: str) -> None:
        """Lock an endorsed credential of this server, and require that it is not erased: erasing would miss this."""
        own = self._addresses.own_id(endorsed, collection="/v3/credentials")
        if own == endorsed:
            return
        for credential in await tx.credentials.find_many([parse_id(own)], lock=True):
            if credential.erased_at is not None:
                problems = Problems()
                problems.add("/endorsed", _NOT_FOUND, "not_found")
                problems.raise_any()

    async def _name_of(self, problems: Problems, endorsed: str) -> str | None:
        """Return the name of an endorsed object of this server; None for another one, or after recording a problem."""
        if endorsed.startswith("did:"):
            issuer = await self._store.read().issuers.find_by_did(endorsed)
            return issuer.name if issuer is not None else None
        if not endorsed.startswith(f"{self._addresses.base}/"):
            return None
        for collection in ("/v3/achievements", "/v3/issuers", "/v3/credentials"):
            own = self._addresses.own_id(endorsed, collection=collection)
            if own != endorsed:
                name = await self._stored_name(collection, own)
                if name is not None:
                    return name
        problems.add("/endorsed", _NOT_FOUND, "not_found")
        return None

    async def _stored_name(self, collection: str, own: str) -> str | None:
        read = self._store.read()
        try:
            object_id = parse_id(own)
        except InvalidInput:
            return None
        if collection == "/v3/achievements":
            achievement = await read.achievements.find(object_id)
            return None if achievement is None else achievement.name
        if collection == "/v3/issuers":
            issuer = await read.issuers.find(object_id)
            return None if issuer is None else issuer.name
        credential = await read.credentials.find(object_id)
        return None if credential is None or credential.erased_at else f"credential {credential.id}"

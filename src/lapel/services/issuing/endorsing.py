"""Issue endorsements, in which an issuer vouches for an achievement, a profile or a credential (OB 3.0, 4.4)."""

from __future__ import annotations

from uuid import UUID

from lapel.credentials.constant_parts import SplitDocument
from lapel.domain.access import Principal, Scope
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.openbadges import checks, v3
from lapel.openbadges.problems import LONG, Problems
from lapel.services.issuer_choice import choose_issuer
from lapel.services.issuing.award_members import signed_members, validity
from lapel.services.issuing.credential_record import credential_record
from lapel.services.issuing.endorsement_writing import NOT_FOUND, store_endorsement
from lapel.services.issuing.means import IssuingMeans
from lapel.services.recipient_look_up import named_by
from lapel.services.requests import NewEndorsement
from lapel.services.securing import Unsigned

__all__ = ["Endorsing"]


class Endorsing:
    """Issues endorsements. They are stored as credentials without an achievement."""

    def __init__(self, means: IssuingMeans) -> None:
        self._means = means

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
        issuer = await choose_issuer(self._means.store, self._means.addresses, principal, problems, request.issuer)
        checks.iri(problems, request.endorsed, "/endorsed")
        name = None if problems else await self._name_of(problems, request.endorsed)
        problems.text(request.comment, "/comment", max_length=LONG)
        members = signed_members(problems, "", request)
        start, valid_until = validity(problems, "", request, now=self._means.clock())
        problems.raise_any()
        assert issuer is not None  # otherwise a problem was raised
        entry, status = await self._means.revocable(issuer)
        credential_id = self._means.new_id()
        document = v3.endorsement_document(
            id=self._means.addresses.credential(credential_id),
            name=f"Endorsement of {name}" if name else "Endorsement",
            issuer=v3.short_profile(issuer, self._means.addresses),
            endorsed=request.endorsed,
            comment=request.comment,
            valid_from=start,
            valid_until=valid_until,
            status=status,
            members=members,
        )
        signed = await self._means.securing.secure(Unsigned(SplitDocument(document), issuer, request.format))
        recipient = named_by(request.endorsed)
        credential = credential_record(
            signed,
            id=credential_id,
            issuer=issuer,
            format=request.format,
            recipient_type=recipient.type,
            recipient_lookup=self._means.recipients.value(recipient),
            valid_from=start,
            valid_until=valid_until,
            created_at=self._means.clock(),
            entry=entry,
        )

        await store_endorsement(
            self._means, credential, principal, once, endorsed=request.endorsed, pointer="/endorsed"
        )
        return credential

    async def _name_of(self, problems: Problems, endorsed: str) -> str | None:
        """Return the name of an endorsed object of this server; None for another one, or after recording a problem."""
        if endorsed.startswith("did:"):
            issuer = await self._means.store.read().issuers.find_by_did(endorsed)
            return issuer.name if issuer is not None else None
        if not self._means.addresses.is_own_url(endorsed):
            return None
        for collection in ("/v3/achievements", "/v3/issuers", "/v3/credentials"):
            object_id = self._means.addresses.exact_id(endorsed, collection=collection)
            if object_id is not None and (name := await self._stored_name(collection, object_id)) is not None:
                return name
        problems.add("/endorsed", NOT_FOUND, "not_found")
        return None

    async def _stored_name(self, collection: str, object_id: UUID) -> str | None:
        read = self._means.store.read()
        if collection == "/v3/achievements":
            achievement = await read.achievements.find(object_id)
            return None if achievement is None else achievement.name
        if collection == "/v3/issuers":
            issuer = await read.issuers.find(object_id)
            return None if issuer is None else issuer.name
        credential = await read.credentials.find(object_id)
        return None if credential is None or credential.erased_at else f"credential {credential.id}"

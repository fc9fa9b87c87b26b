"""``/credentials/issue`` of the VC API: sign any verifiable credential.

Missing members are added: the id, the issuer if the organisation has only one, the start of its validity, and an entry
in one of this server's status lists, so that it can be revoked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from lapel.credentials import data_integrity
from lapel.credentials.date_time import parse_timestamp
from lapel.domain.access import Principal, Scope
from lapel.domain.clock import format_timestamp
from lapel.domain.credential import Credential, CredentialFormat
from lapel.domain.idempotency import DoneBefore, IdempotentRequest
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import absolute_iri, as_list, id_of, text_of
from lapel.errors import Conflict
from lapel.openbadges.problems import Problems, has_control_characters
from lapel.openbadges.profile import issuer_iri
from lapel.services.issue_keys import IssueKeys
from lapel.services.issuer_choice import choose_issuer
from lapel.services.issuing.credential_record import credential_record
from lapel.services.issuing.credential_writing import CredentialWriting
from lapel.services.issuing.endorsement_writing import store_endorsement
from lapel.services.issuing.means import IssuingMeans
from lapel.services.issuing.status_allocation import AllocatedEntry
from lapel.services.recipient_look_up import named_by
from lapel.services.vc_api.credential_ids import digest_of
from lapel.services.vc_api.options import member, options_of, text
from lapel.services.vc_api.own_addresses import OwnAddresses, status_list_type
from lapel.services.verifying.data_model.rules import credential_problems, is_first_version
from lapel.services.verifying.drafts import Drafts
from lapel.services.verifying.linked_data.spelling import nodes_of
from lapel.services.verifying.offloading import offload_if_large

__all__ = ["UNNAMED", "AlreadyIssued", "VcIssuing"]

UNNAMED: Final = "unnamed"
"""The recipient type of a credential whose subject has no id."""

_MAX_PROBLEMS: Final = 100
_OPTIONS: Final = frozenset({"credentialId"})


class AlreadyIssued(Conflict):
    """A credential with this id has been issued already."""

    code = "already_issued"
    hint = "It is in the list of the organisation's credentials; use another id or credentialId for a new one."

    def __init__(self, location: str) -> None:
        super().__init__(f"A credential with this id has been issued already: {location}.")
        self.location = location


class VcIssuing:
    """Issues credentials of any kind."""

    def __init__(self, means: IssuingMeans, *, issue_keys: IssueKeys, drafts: Drafts) -> None:
        self._means = means
        self._writing = CredentialWriting(means.store)
        self._issue_keys = issue_keys
        self._drafts = drafts
        self._own = OwnAddresses(store=means.store, addresses=means.addresses)

    async def issue(self, principal: Principal, body: JsonObject, once: IdempotentRequest | None = None) -> Credential:
        """Issue the credential in ``{"credential", "options"}``; it is durable when this returns.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            InvalidInput: the request does not have that form or has an unknown option, or the credential does not
                conform to the data model; with one FieldError for each problem.
            DraftRefused: something in the credential has no defined meaning.
            AlreadyIssued: a credential with this ``credentialId``, or without one with this ``id``, was issued before.
            DoneBefore: the request `once` was completed before.
            Unavailable: the database is unavailable, or does not know yet whether one of the last two is the case.
            TooLarge: the signed credential would be too large.
        """
        principal.require(Scope.CREDENTIALS_ISSUE)
        _, given = member(body, "credential")
        options = options_of(body, known=_OPTIONS)
        # VCALM, 3.2.1: without a credentialId, "the issuer service will auto-populate its value from credential.id".
        issue_key = await self._issue_key(principal, text(options, "credentialId") or text_of(given.get("id")))
        credential_id, now = self._means.new_id(), self._means.clock()
        problems = Problems()
        issuer = await self._issuer(principal, problems, given)
        document = self._completed(given, issuer, self._means.addresses.credential(credential_id), now)
        await offload_if_large(document, self._check, problems, given, document)
        endorsed = await self._own.check(problems, given, principal)
        problems.raise_any()
        assert issuer is not None  # otherwise a problem was raised
        # Examined before it gets a status list entry, because no entry is allocated twice.
        draft = await self._drafts.examine(document)
        if (kind := status_list_type(document, await draft.canonical(document))) is not None:
            problems.add("/type", f"must not be that of a status list: {kind}", "not_allowed")
            problems.raise_any()
        entry: AllocatedEntry | None = None
        if not is_first_version(document) and "credentialStatus" not in document:
            entry, status = await self._means.revocable(issuer)
            document = {**document, "credentialStatus": status}
        signed = await self._means.securing.secure_foreign(document, issuer=issuer, canonical=draft.canonical)
        credential = self._record(signed, credential_id, document, issuer, entry, now, issue_key)
        try:
            if endorsed is None:
                await self._writing.write(credential, principal, once)
            else:
                await store_endorsement(
                    self._means, credential, principal, once, endorsed=endorsed, pointer="/credentialSubject/id"
                )
        except Conflict as error:
            if issue_key is None or isinstance(error, DoneBefore):
                raise
            await self._raise_if_issued(issue_key, error)  # by another request at the same moment
            raise
        return credential

    async def _issue_key(self, principal: Principal, credential_id: str | None) -> bytes | None:
        """Return the issue key that prevents a second credential with the same ``credentialId``.

        Raises:
            AlreadyIssued: there is one with it already.
        """
        if credential_id is None:
            return None
        digest = digest_of(principal.organisation_id, credential_id)
        await self._raise_if_issued(digest)
        return self._issue_keys.keyed(digest)

    async def _raise_if_issued(self, issue_key: bytes, cause: Conflict | None = None) -> None:
        """Raise AlreadyIssued if a credential has this issue key, or the issue key of this digest.

        Raises Unavailable if it cannot be made certain that the credential stays.
        """
        for found in (await self._issue_keys.find(self._means.store.read().credentials, [issue_key])).values():
            # The commit that stored it may have been answered with OutcomeUnknown.
            await self._means.store.make_durable()
            raise AlreadyIssued(self._means.addresses.credential(found.id)) from cause

    async def _issuer(self, principal: Principal, problems: Problems, given: JsonObject) -> Issuer | None:
        """Return the issuer, which the document must name by the exact IRI under which its keys are published."""
        if "issuer" not in given:
            return await choose_issuer(self._means.store, self._means.addresses, principal, problems, None)
        iri = id_of(given["issuer"])
        if iri is None or not absolute_iri(iri):
            return None  # `_check` records the problem, as the data model does not allow it
        issuer = await choose_issuer(self._means.store, self._means.addresses, principal, problems, iri)
        if issuer is not None and (published_iri := issuer_iri(issuer, self._means.addresses)) != iri:
            problems.add("/issuer", f"must be named as it is published: {published_iri}", "not_allowed")
            return None
        return issuer

    def _completed(self, given: JsonObject, issuer: Issuer | None, new_id: str, now: datetime) -> JsonObject:
        """Return the document with the missing members, except its status."""
        first = is_first_version(given)
        document: dict[str, JsonValue] = {**given}
        if given.get("credentialStatus") == []:
            del document["credentialStatus"]  # without an entry, it counts as missing
        contexts = given.get("@context")
        if first and isinstance(contexts, list) and data_integrity.CONTEXT not in contexts:
            document["@context"] = [*contexts, data_integrity.CONTEXT]  # the 2.0 context includes its terms
        document.setdefault("id", new_id)
        if issuer is not None:
            document.setdefault("issuer", issuer_iri(issuer, self._means.addresses))
        document.setdefault("issuanceDate" if first else "validFrom", format_timestamp(now.replace(microsecond=0)))
        return document

    def _check(self, problems: Problems, given: JsonObject, document: JsonObject) -> None:
        if "proof" in given:
            problems.add("/proof", "must be left out: the server adds it", "not_allowed")
        if any(has_control_characters(text) for node in nodes_of(given) for text in _texts_of(node)):
            problems.add("", "must not contain control characters but tabs and line ends", "bad_text")
        recorded = {problem.pointer for problem in problems.found}
        for problem in islice(credential_problems(document, strict=True), _MAX_PROBLEMS):
            if problem.pointer not in recorded:
                problems.add(problem.pointer, problem.detail, problem.code)

    def _record(
        self,
        signed: bytes,
        credential_id: UUID,
        document: JsonObject,
        issuer: Issuer,
        entry: AllocatedEntry | None,
        now: datetime,
        issue_key: bytes | None,
    ) -> Credential:
        first = is_first_version(document)
        subject = next((name for name in map(id_of, as_list(document["credentialSubject"])) if name), None)
        # A credential whose subject has no id is found by its own id.
        recipient = named_by(subject or str(document["id"]))
        return credential_record(
            signed,
            id=credential_id,
            issuer=issuer,
            format=CredentialFormat.EDDSA_RDFC_2022,
            recipient_type=recipient.type if subject else UNNAMED,
            recipient_lookup=self._means.recipients.value(recipient),
            valid_from=parse_timestamp(document["issuanceDate" if first else "validFrom"]) or now,
            valid_until=parse_timestamp(document.get("expirationDate" if first else "validUntil")),
            created_at=now,
            entry=entry,
            issue_key=issue_key,
        )


def _texts_of(node: JsonObject) -> Iterator[str]:
    """Yield the names of an object's members, and those of their values that are strings, alone or in an array."""
    for name, value in node.items():
        yield name
        yield from (item for item in as_list(value) if isinstance(item, str))

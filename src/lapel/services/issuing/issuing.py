"""Issue credentials: build, sign, store; once, for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final
from uuid import UUID

from lapel.credentials.constant_parts import ConstantPart, Reduced, constant_part
from lapel.credentials.master_key import RECIPIENT_LOOK_UP, MasterKey
from lapel.domain.access import Principal, Scope
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential
from lapel.domain.identifiers import parse_id
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.ports import Clock, IdSource, Store
from lapel.errors import InvalidInput, TooLarge
from lapel.openbadges import v3
from lapel.openbadges.identity import look_up
from lapel.openbadges.problems import Problems
from lapel.services.auditing.recording import issued_by, store_issued
from lapel.services.counted import ISSUED
from lapel.services.endorsing.endorsements import Endorsements, EndorsementsOfRequest, merged
from lapel.services.issuing.awards import Award, read_award
from lapel.services.issuing.credential_writing import CredentialWriting
from lapel.services.issuing.securing import Securing
from lapel.services.issuing.status_allocation import AllocatedEntry, StatusAllocation
from lapel.services.issuing.status_entries import status_entry
from lapel.services.issuing.stored import stored_credential
from lapel.services.recent import Recent
from lapel.services.requests import NewCredential

__all__ = ["LARGEST_BATCH", "Issuing"]

LARGEST_BATCH: Final = 1000

_CACHED_PARTS: Final = 2048
_CACHED_BYTES: Final = 2 * 1024 * 1024
_AT_ONCE: Final = 16
"""Credentials of a batch that are signed before other requests get their turn."""


class Issuing:
    """Awards achievements.

    Args:
        randomness: gives that many random bytes; salts are made of it.
    """

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
        randomness: Callable[[int], bytes],
        endorsements: Endorsements,
    ) -> None:
        self._store = store
        self._writing = CredentialWriting(store)
        self._clock = clock
        self._new_id = new_id
        self._addresses = addresses
        self._securing = securing
        self._allocation = allocation
        self._master_key = master_key
        self._randomness = randomness
        self._endorsements = endorsements
        self._parts: Recent[tuple[int, UUID, int], ConstantPart] = Recent(
            _CACHED_PARTS, most_weight=_CACHED_BYTES, weigh=lambda part: part.size
        )

    @cached_property
    def _look_up_key(self) -> bytes:
        # Not before the first use: what the master key derives may be kept in the database.
        return self._master_key.derive(RECIPIENT_LOOK_UP)

    @ISSUED.one
    async def issue(self, principal: Principal, request: NewCredential) -> Credential:
        """Issue one credential; it is durable when this returns.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            InvalidInput: with one FieldError per problem; an unknown achievement is one.
            TooLarge: the signed credential would be too large for a badge image.
        """
        principal.require(Scope.CREDENTIALS_ISSUE)
        ((achievement, award),) = await self._awards(principal, {"": request})
        issuer = await self._store.read().issuers.get(achievement.issuer_id)
        (entry,) = await self._allocation.take(issuer, suspendable=achievement.suspendable)
        # Whoever came at the same moment gets here first: then all of them sign one after another, and what signing
        # needs stays in the processor's cache, which is worth more than a twentieth of the whole request.
        await asyncio.sleep(0)
        credential = await self._credential(achievement, issuer, award, entry)
        await self._writing.write(credential, principal)
        return credential

    @ISSUED.each
    async def issue_many(self, principal: Principal, requests: Sequence[NewCredential]) -> Sequence[Credential]:
        """Issue up to LARGEST_BATCH credentials in one transaction: all of them, or none.

        Raises:
            TooLarge: there are more.
            InvalidInput: FieldErrors have pointers such as ``/17/recipient/identity``.
        """
        principal.require(Scope.CREDENTIALS_ISSUE)
        if len(requests) > LARGEST_BATCH:
            raise TooLarge(f"A batch may have at most {LARGEST_BATCH:,} credentials, not {len(requests):,}.")
        awards = await self._awards(principal, {f"/{index}": request for index, request in enumerate(requests)})
        issuers: dict[UUID, Issuer] = {}
        numbers = Counter((achievement.issuer_id, achievement.suspendable) for achievement, _ in awards)
        entries: dict[tuple[UUID, bool], list[AllocatedEntry]] = {}
        for (issuer_id, suspendable), number in numbers.items():
            issuers[issuer_id] = issuer = await self._store.read().issuers.get(issuer_id)
            entries[issuer_id, suspendable] = await self._allocation.take(issuer, number, suspendable=suspendable)
        credentials: list[Credential] = []
        for achievement, award in awards:
            issuer = issuers[achievement.issuer_id]
            entry = entries[issuer.id, achievement.suspendable].pop()
            credentials.append(await self._credential(achievement, issuer, award, entry))
            if len(credentials) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        if credentials:
            async with self._store.transaction() as tx:
                await store_issued(tx, issued_by(principal, credentials))
        return credentials

    async def sign_keyed(
        self, achievement: Achievement, issuer: Issuer, awards: Sequence[tuple[bytes, Award]]
    ) -> Sequence[Credential | InvalidInput | TooLarge]:
        """For each (issue key, award) the signed credential, not stored yet, or why it cannot be made.

        Nobody else gets a turn meanwhile: not for a server.
        """
        entries = await self._allocation.take(issuer, len(awards), suspendable=achievement.suspendable)

        async def signed(issue_key: bytes, award: Award, entry: AllocatedEntry) -> Credential | InvalidInput | TooLarge:
            try:
                return await self._credential(achievement, issuer, award, entry, issue_key)
            except (InvalidInput, TooLarge) as error:
                return error

        all_of_them = [signed(*keyed, entry) for keyed, entry in zip(awards, entries, strict=True)]
        if self._securing.signs_beside:
            return await asyncio.gather(*all_of_them)
        return [await one for one in all_of_them]

    def draft(self, achievement: Achievement, issuer: Issuer, award: Award) -> JsonObject:
        """What would be signed, but for its status entry; its id and salt are examples."""
        profile, earned = self._profile(issuer), self._earned(achievement)
        return self._document(self._new_id(), achievement, profile, earned, award, None).whole()

    def is_of(self, credential: Credential, award: Award) -> bool:
        """Whether the credential was issued to the award's recipient."""
        return credential.recipient_lookup == look_up(award.recipient, key=self._look_up_key)

    async def _awards(
        self, principal: Principal, requests: Mapping[str, NewCredential]
    ) -> list[tuple[Achievement, Award]]:
        """Every request, read. Raises InvalidInput with the problems of all of them, each under its pointer."""
        problems = Problems()
        now = self._clock()
        known: dict[str, Achievement | None] = {}
        found: list[tuple[Achievement, Award]] = []
        brought = EndorsementsOfRequest()
        for pointer, request in requests.items():
            if request.achievement not in known:
                known[request.achievement] = await self.achievement(principal, request.achievement)
            achievement = known[request.achievement]
            if achievement is None:
                detail = "must be the id or the address of an achievement of this organisation"
                problems.add(f"{pointer}/achievement", detail, "not_found")
            award = read_award(problems, pointer, request, achievement=achievement, now=now)
            if achievement is not None and award is not None:
                if request.endorsement or request.endorsement_jwt:
                    award = await self._endorsed(problems, pointer, request, achievement, award, brought)
                found.append((achievement, award))
        problems.raise_any()
        return found

    async def _endorsed(
        self,
        problems: Problems,
        pointer: str,
        request: NewCredential,
        achievement: Achievement,
        award: Award,
        brought: EndorsementsOfRequest,
    ) -> Award:
        """The award with the endorsements that the request brings along."""
        issuer = await self._store.read().issuers.get(achievement.issuer_id)
        about = {self._addresses.achievement(achievement.id), v3.issuer_iri(issuer, self._addresses)}
        if award.recipient.subject_id is not None:
            about.add(award.recipient.subject_id)
        members = await self._endorsements.read(
            problems,
            pointer,
            request.endorsement,
            request.endorsement_jwt,
            about=about,
            embedded=[achievement.details, issuer.profile],
            request=brought,
        )
        return replace(award, members=merged(award.members, members))

    async def achievement(self, principal: Principal, named: str) -> Achievement | None:
        """The newest version of the organisation's achievement that is named, if there is one."""
        try:
            achievement_id = parse_id(self._addresses.own_id(named, collection="/v3/achievements"))
        except InvalidInput:
            return None
        achievement = await self._store.read().achievements.find(achievement_id)
        if achievement is None or achievement.organisation_id != principal.organisation_id:
            return None
        return achievement

    async def _credential(
        self,
        achievement: Achievement,
        issuer: Issuer,
        award: Award,
        entry: AllocatedEntry,
        issue_key: bytes | None = None,
    ) -> Credential:
        """Build and sign; nothing is stored yet."""
        credential_id = self._new_id()
        profile, earned = self._profile(issuer), self._earned(achievement)
        signed = await self._securing.secure(
            self._document(credential_id, achievement, profile, earned, award, entry),
            issuer=issuer,
            format=award.format,
            jwt_algorithm=award.jwt_algorithm,
        )
        return stored_credential(
            signed,
            id=credential_id,
            issuer=issuer,
            achievement=achievement,
            format=award.format,
            recipient_type=award.recipient.type.value,
            recipient_lookup=look_up(award.recipient, key=self._look_up_key),
            valid_from=award.valid_from,
            valid_until=award.valid_until,
            created_at=self._clock(),
            entry=entry,
            issue_key=issue_key,
        )

    def _document(
        self,
        credential_id: UUID,
        achievement: Achievement,
        profile: ConstantPart,
        earned: ConstantPart,
        award: Award,
        entry: AllocatedEntry | None,
    ) -> Reduced:
        """The credential without a proof."""
        rest = v3.credential_document(
            id=self._addresses.credential(credential_id),
            name=achievement.name,
            issuer=profile.wire["id"],
            achievement={"id": earned.wire["id"]},
            recipient=award.recipient,
            salt=self._randomness(16).hex(),
            valid_from=award.valid_from,
            valid_until=award.valid_until,
            evidence=award.evidence,
            narrative=award.narrative,
            results=award.results,
            members=award.members,
            subject_members=award.subject_members,
            status=status_entry(entry.list_id, entry.index, self._addresses, suspendable=achievement.suspendable)
            if entry is not None
            else None,
        )
        return Reduced(rest, (profile, earned))

    def _profile(self, issuer: Issuer) -> ConstantPart:
        return self._part(issuer.id, issuer.version, lambda: v3.profile(issuer, self._addresses), "i")

    def _earned(self, achievement: Achievement) -> ConstantPart:
        return self._part(
            achievement.id,
            achievement.version,
            lambda: v3.achievement_object(achievement, self._addresses),
            "a",
        )

    def _part(self, id_: UUID, version: int, write: Callable[[], JsonObject], label: str) -> ConstantPart:
        key = (self._store.generation, id_, version)
        part = self._parts.get(key)
        if part is None:
            part = constant_part(write(), contexts=v3.CONTEXTS, label=label)
            self._parts[key] = part
        return part

"""Issue credentials: build, sign, store; once, for ever."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import Final, NamedTuple, ParamSpec, TypeAlias, TypeVar
from uuid import UUID

from lapel.credentials.constant_parts import ConstantPart, SplitDocument, constant_part
from lapel.credentials.key_storage.master_key import RECIPIENT_LOOK_UP, MasterKey
from lapel.domain.access import Principal, Scope
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.ports import Clock, IdSource, Store
from lapel.errors import Conflict, InvalidInput, TooLarge
from lapel.openbadges import v3
from lapel.openbadges.award import Award
from lapel.openbadges.identity import lookup_hash
from lapel.openbadges.problems import Problems
from lapel.services.endorsing.endorsements import Endorsements, EndorsementsOfRequest, merged
from lapel.services.issuing.awards import read_award
from lapel.services.issuing.credential_writing import CredentialWriting
from lapel.services.issuing.named_achievements import add_unknown, deleted_meanwhile, named_achievement
from lapel.services.issuing.securing import Securing, Unsigned
from lapel.services.issuing.status_allocation import AllocatedEntry, StatusAllocation
from lapel.services.issuing.status_entries import status_entry
from lapel.services.issuing.stored import stored_credential
from lapel.services.recent import Recent
from lapel.services.requests import NewCredential

__all__ = ["Asked", "Issuing"]

Asked: TypeAlias = tuple[Achievement, Award]
"""What a request asks for, checked."""
Given = ParamSpec("Given")
Made = TypeVar("Made")

_Refusal: TypeAlias = InvalidInput | TooLarge

_CACHED_PARTS: Final = 2048
_CACHED_BYTES: Final = 2 * 1024 * 1024
_AT_ONCE: Final = 50
"""Credentials of a batch that are read, or built and signed together, before other requests get their turn."""
_LARGE_PART: Final = 1024 * 1024
"""Bytes of what such credentials embed: of long ones fewer are built together, which would hold up all others."""
_UNDER_WAY: Final = 3
"""Such parts of a batch that are being signed."""
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of a batch's credentials together: a short request may ask for long ones, and all of them are in memory at once."""


class _Wanted(NamedTuple):
    """A credential that is to be made; `issue_key` is what it is issued for."""

    achievement: Achievement
    issuer: Issuer
    award: Award
    entry: AllocatedEntry
    issue_key: bytes | None = None


class _Draft(NamedTuple):
    """A credential that only lacks its signature."""

    id: UUID
    wanted: _Wanted
    unsigned: Unsigned


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

    async def issue(
        self, principal: Principal, request: NewCredential, once: IdempotentRequest | None = None
    ) -> Credential:
        """Issue one credential; it is durable when this returns.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            InvalidInput: with one FieldError per problem; an unknown achievement is one.
            TooLarge: the signed credential would be too large for a badge image.
            DoneBefore: `once` was done already.
        """
        with self._writing:
            (asked,) = (await self.read(principal, {"": request})).values()
            if isinstance(asked, InvalidInput):
                raise asked
            achievement, award = asked
            issuer = await self._store.read().issuers.get(achievement.issuer_id)
            (entry,) = await self._allocation.take(issuer, suspendable=achievement.suspendable)
            # Whoever came at the same moment gets here first: then all of them sign one after another, and what signing
            # needs stays in the processor's cache, which is worth more than a twentieth of the whole request.
            await asyncio.sleep(0)
            draft = self._draft(_Wanted(achievement, issuer, award, entry))
            credential = self._credential(draft, await self._securing.secure(draft.unsigned))
        try:
            await self._writing.write(credential, principal, once)
        except Conflict as error:
            for deleted in (await deleted_meanwhile(self._store, {"": achievement})).values():
                raise deleted from error
            raise
        return credential

    async def read(
        self, principal: Principal, requests: Mapping[str, NewCredential]
    ) -> Mapping[str, Asked | InvalidInput]:
        """What each request asks for, or what is wrong with it; by the pointer with which the problems begin.

        Raises:
            Forbidden: no scope ``credentials:issue``.
        """
        principal.require(Scope.CREDENTIALS_ISSUE)
        now = self._clock()
        known: dict[str, Achievement | None] = {}
        read: dict[str, Asked | InvalidInput] = {}
        brought: EndorsementsOfRequest | None = None
        for pointer, request in requests.items():
            problems = Problems()
            if request.achievement not in known:
                known[request.achievement] = await self.achievement(principal, request.achievement)
            achievement = known[request.achievement]
            if achievement is None:
                add_unknown(problems, pointer)
            award = read_award(problems, pointer, request, achievement=achievement, now=now)
            if achievement is not None and award is not None:
                if request.endorsement or request.endorsement_jwt:
                    brought = brought or EndorsementsOfRequest()
                    award = await self._endorsed(problems, pointer, request, achievement, award, brought)
                read[pointer] = achievement, award
            if problems:
                read[pointer] = problems.error()
            if len(read) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return read

    async def sign(self, asked: Sequence[Asked]) -> Sequence[Credential | _Refusal]:
        """For each the signed credential, not stored yet, or why it cannot be made; in their order.

        Others get their turn between a few and the next few.

        Raises:
            TooLarge: together they would have too many bytes.
        """
        issuers: dict[UUID, Issuer] = {}
        numbers = Counter((achievement.issuer_id, achievement.suspendable) for achievement, _ in asked)
        entries: dict[tuple[UUID, bool], list[AllocatedEntry]] = {}
        for (issuer_id, suspendable), number in numbers.items():
            issuers[issuer_id] = issuer = await self._store.read().issuers.get(issuer_id)
            entries[issuer_id, suspendable] = await self._allocation.take(issuer, number, suspendable=suspendable)
        wanted = [
            _Wanted(
                achievement,
                issuers[achievement.issuer_id],
                award,
                entries[achievement.issuer_id, achievement.suspendable].pop(),
            )
            for achievement, award in asked
        ]
        made: list[Credential | _Refusal] = []
        size = 0
        async with aclosing(self._in_parts(wanted)) as parts:
            async for part in parts:
                made += part
                size += sum(len(one.signed) for one in part if isinstance(one, Credential))
                if size > _MOST_BYTES:
                    raise TooLarge(
                        f"Together the credentials would be larger than {_MOST_BYTES:,} bytes.",
                        hint="Send them in several requests.",
                    )
        return made

    async def sign_keyed(
        self, achievement: Achievement, issuer: Issuer, awards: Sequence[tuple[bytes, Award]]
    ) -> Sequence[Credential | _Refusal]:
        """For each (issue key, award) the same as `sign`, however many bytes they have."""
        entries = await self._allocation.take(issuer, len(awards), suspendable=achievement.suspendable)
        wanted = [
            _Wanted(achievement, issuer, award, entry, issue_key)
            for (issue_key, award), entry in zip(awards, entries, strict=True)
        ]
        async with aclosing(self._in_parts(wanted)) as parts:
            return [one async for part in parts for one in part]

    async def _in_parts(self, wanted: Sequence[_Wanted]) -> AsyncGenerator[Sequence[Credential | _Refusal], None]:
        """`_made` of some after some: others get their turn, and the next are built while some are signed."""
        under_way: deque[asyncio.Task[Sequence[Credential | _Refusal]]] = deque()
        try:
            for part in self._divided(wanted):
                under_way.append(asyncio.create_task(self._made(part)))
                await asyncio.sleep(0)
                if len(under_way) == _UNDER_WAY:
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def _divided(self, wanted: Sequence[_Wanted]) -> Iterator[Sequence[_Wanted]]:
        """As many as are built together, in their order."""
        part: list[_Wanted] = []
        size = 0
        for one in wanted:
            part.append(one)
            size += self._embedded_bytes(one)
            if len(part) == _AT_ONCE or size >= _LARGE_PART:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _embedded_bytes(self, wanted: _Wanted) -> int:
        try:
            return self._profile(wanted.issuer).size + self._earned(wanted.achievement).size
        except (InvalidInput, TooLarge):  # nothing will come of it
            return 0

    async def _made(self, wanted: Sequence[_Wanted]) -> Sequence[Credential | _Refusal]:
        """Build and sign together; nothing is stored yet."""
        drafts = [_or_refusal(self._draft, one) for one in wanted]
        signed = iter(await self._securing.secure_all([one.unsigned for one in drafts if isinstance(one, _Draft)]))
        made: list[Credential | _Refusal] = []
        for draft in drafts:
            if not isinstance(draft, _Draft):
                made.append(draft)
                continue
            outcome = next(signed)
            made.append(_or_refusal(self._credential, draft, outcome) if isinstance(outcome, bytes) else outcome)
        return made

    def draft(self, achievement: Achievement, issuer: Issuer, award: Award) -> JsonObject:
        """What would be signed, but for its status entry; its id and salt are examples."""
        profile, earned = self._profile(issuer), self._earned(achievement)
        return self._document(self._new_id(), achievement, profile, earned, award, None).whole()

    def is_of(self, credential: Credential, award: Award) -> bool:
        """Whether the credential was issued to the award's recipient."""
        return credential.recipient_lookup == lookup_hash(award.recipient, key=self._look_up_key)

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
        return award._replace(members=merged(award.members, members))

    async def achievement(self, principal: Principal, named: str) -> Achievement | None:
        """The newest version of the organisation's achievement that is named, if there is one."""
        return await named_achievement(self._store, self._addresses, principal, named)

    def _draft(self, wanted: _Wanted) -> _Draft:
        credential_id = self._new_id()
        achievement, issuer, award, entry, _ = wanted
        profile, earned = self._profile(issuer), self._earned(achievement)
        document = self._document(credential_id, achievement, profile, earned, award, entry)
        return _Draft(credential_id, wanted, Unsigned(document, issuer, award.format, award.jwt_algorithm))

    def _credential(self, draft: _Draft, signed: bytes) -> Credential:
        achievement, issuer, award, entry, issue_key = draft.wanted
        return stored_credential(
            signed,
            id=draft.id,
            issuer=issuer,
            achievement=achievement,
            format=award.format,
            recipient_type=award.recipient.type,
            recipient_lookup=lookup_hash(award.recipient, key=self._look_up_key),
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
    ) -> SplitDocument:
        """The credential without a proof."""
        rest = v3.credential_document(
            award,
            id=self._addresses.credential(credential_id),
            name=achievement.name,
            issuer=profile.wire["id"],
            achievement={"id": earned.wire["id"]},
            salt=self._randomness(16).hex(),
            status=status_entry(entry.list_id, entry.status_index, self._addresses, suspendable=achievement.suspendable)
            if entry is not None
            else None,
        )
        return SplitDocument(rest, (profile, earned))

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


def _or_refusal(make: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Made | _Refusal:
    try:
        return make(*given, **named)
    except (InvalidInput, TooLarge) as refusal:
        return refusal

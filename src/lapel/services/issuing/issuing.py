"""Issue credentials: build, sign and store them. Once stored, a signed credential never changes."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Final, ParamSpec, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from lapel.credentials.constant_parts import ConstantPart, SplitDocument, constant_part
from lapel.domain.access import Principal, Scope
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.errors import Conflict, InvalidInput, TooLarge
from lapel.openbadges import v3
from lapel.openbadges.award import Award
from lapel.openbadges.problems import Problems
from lapel.services.bounded_cache import BoundedCache
from lapel.services.embedded_endorsements import Endorsements, EndorsementsOfRequest, with_endorsements
from lapel.services.issuing.awards import read_award
from lapel.services.issuing.credential_record import credential_record
from lapel.services.issuing.credential_writing import CredentialWriting
from lapel.services.issuing.means import IssuingMeans
from lapel.services.issuing.named_achievements import add_unknown, deleted_meanwhile, named_achievement
from lapel.services.issuing.status_allocation import AllocatedEntry
from lapel.services.issuing.status_entries import status_entry
from lapel.services.requests import NewCredential
from lapel.services.securing import Unsigned

__all__ = ["CheckedRequest", "Issuing"]

CheckedRequest: TypeAlias = tuple[Achievement, Award]
"""The achievement that a request names, and the award that it describes."""
Params = ParamSpec("Params")
Result = TypeVar("Result")

_Refusal: TypeAlias = InvalidInput | TooLarge

_CACHED_PARTS: Final = 2048
_CACHED_BYTES: Final = 2 * 1024 * 1024
_CHUNK: Final = 50
"""How many credentials of a batch are read, or built and signed, before other requests get their turn."""
_CHUNK_BYTES: Final = 1024 * 1024
"""How many embedded bytes end a chunk: of large credentials it has fewer, so that other requests do not wait long."""
_CONCURRENT_CHUNKS: Final = 3
"""How many chunks of a batch are being signed at once."""
_MAX_BYTES: Final = 32 * 1024 * 1024
"""The size limit of a batch's credentials together. A short request may lead to large ones, and all are in memory."""


class _Job(Struct, frozen=True):
    """A credential to build and sign, perhaps with an issue key."""

    achievement: Achievement
    issuer: Issuer
    award: Award
    entry: AllocatedEntry
    issue_key: bytes | None = None


class _Draft(Struct, frozen=True):
    """A credential that only lacks its signature."""

    id: UUID
    job: _Job
    unsigned: Unsigned


class Issuing:
    """Issues credentials for achievements.

    Args:
        randomness: returns the given number of random bytes, for salts.
    """

    def __init__(self, means: IssuingMeans, *, randomness: Callable[[int], bytes], endorsements: Endorsements) -> None:
        self._means = means
        self._writing = CredentialWriting(means.store)
        self._randomness = randomness
        self._endorsements = endorsements
        self._parts: BoundedCache[tuple[int, UUID, int], ConstantPart] = BoundedCache(
            _CACHED_PARTS, max_weight=_CACHED_BYTES, weigh=lambda part: part.size
        )

    async def issue(
        self, principal: Principal, request: NewCredential, once: IdempotentRequest | None = None
    ) -> Credential:
        """Issue one credential; it is durable when this returns.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            InvalidInput: with one FieldError per problem; an unknown achievement is one.
            TooLarge: the signed credential would be too large for a badge image.
            DoneBefore: the request `once` was completed before.
        """
        with self._writing:
            (checked,) = (await self.read(principal, {"": request})).values()
            if isinstance(checked, InvalidInput):
                raise checked
            achievement, award = checked
            issuer = await self._means.store.read().issuers.get(achievement.issuer_id)
            (entry,) = await self._means.allocation.take(issuer, suspendable=achievement.suspendable)
            # Requests of the same moment get here first. Then all of them sign one after another, and the signing code
            # and data stay in the processor's cache, which saves more than a twentieth of the whole request.
            await asyncio.sleep(0)
            draft = self._draft(_Job(achievement, issuer, award, entry))
            credential = self._credential(draft, await self._means.securing.secure(draft.unsigned))
        try:
            await self._writing.write(credential, principal, once)
        except Conflict as error:
            for deleted in (await deleted_meanwhile(self._means.store, {"": achievement})).values():
                raise deleted from error
            raise
        return credential

    async def read(
        self, principal: Principal, requests: Mapping[str, NewCredential]
    ) -> Mapping[str, CheckedRequest | InvalidInput]:
        """Check each request. The mappings' keys are the pointers with which the requests' problems begin.

        Raises:
            Forbidden: no scope ``credentials:issue``.
        """
        principal.require(Scope.CREDENTIALS_ISSUE)
        now = self._means.clock()
        achievements: dict[str, Achievement | None] = {}
        results: dict[str, CheckedRequest | InvalidInput] = {}
        endorsements: EndorsementsOfRequest | None = None
        for pointer, request in requests.items():
            problems = Problems()
            if request.achievement not in achievements:
                achievements[request.achievement] = await self.achievement(principal, request.achievement)
            achievement = achievements[request.achievement]
            if achievement is None:
                add_unknown(problems, pointer)
            award = read_award(problems, pointer, request, achievement=achievement, now=now)
            if achievement is not None and award is not None:
                if request.endorsement or request.endorsement_jwt:
                    endorsements = endorsements or EndorsementsOfRequest()
                    award = await self._endorsed(problems, pointer, request, achievement, award, endorsements)
                results[pointer] = achievement, award
            if problems:
                results[pointer] = problems.error()
            if len(results) % _CHUNK == 0:
                await asyncio.sleep(0)
        return results

    async def sign(self, requests: Sequence[CheckedRequest]) -> Sequence[Credential | _Refusal]:
        """Return each request's signed credential, not stored yet, or why there is none, in the order of the requests.

        Other requests get their turn between the chunks.

        Raises:
            TooLarge: together the credentials would have too many bytes.
        """
        issuers: dict[UUID, Issuer] = {}
        counts = Counter((achievement.issuer_id, achievement.suspendable) for achievement, _ in requests)
        entries: dict[tuple[UUID, bool], list[AllocatedEntry]] = {}
        for (issuer_id, suspendable), count in counts.items():
            issuers[issuer_id] = issuer = await self._means.store.read().issuers.get(issuer_id)
            entries[issuer_id, suspendable] = await self._means.allocation.take(issuer, count, suspendable=suspendable)
        jobs = [
            _Job(
                achievement,
                issuers[achievement.issuer_id],
                award,
                entries[achievement.issuer_id, achievement.suspendable].pop(),
            )
            for achievement, award in requests
        ]
        results: list[Credential | _Refusal] = []
        size = 0
        async with aclosing(self._in_chunks(jobs)) as chunks:
            async for chunk in chunks:
                results += chunk
                size += sum(len(result.signed) for result in chunk if isinstance(result, Credential))
                if size > _MAX_BYTES:
                    raise TooLarge(
                        f"Together the credentials would be larger than {_MAX_BYTES:,} bytes.",
                        hint="Send them in several requests.",
                    )
        return results

    async def sign_keyed(
        self, achievement: Achievement, issuer: Issuer, awards: Sequence[tuple[bytes, Award]]
    ) -> Sequence[Credential | _Refusal]:
        """Like `sign`, for pairs of issue key and award, and without a limit of bytes."""
        entries = await self._means.allocation.take(issuer, len(awards), suspendable=achievement.suspendable)
        jobs = [
            _Job(achievement, issuer, award, entry, issue_key)
            for (issue_key, award), entry in zip(awards, entries, strict=True)
        ]
        async with aclosing(self._in_chunks(jobs)) as chunks:
            return [result async for chunk in chunks for result in chunk]

    async def _in_chunks(self, jobs: Sequence[_Job]) -> AsyncGenerator[Sequence[Credential | _Refusal], None]:
        """Build and sign in chunks. Other requests get their turn, and one chunk is built while others are signed."""
        tasks: deque[asyncio.Task[Sequence[Credential | _Refusal]]] = deque()
        try:
            for chunk in self._chunks(jobs):
                tasks.append(asyncio.create_task(self._build_and_sign(chunk)))
                await asyncio.sleep(0)
                if len(tasks) == _CONCURRENT_CHUNKS:
                    yield await tasks.popleft()
            while tasks:
                yield await tasks.popleft()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _chunks(self, jobs: Sequence[_Job]) -> Iterator[Sequence[_Job]]:
        chunk: list[_Job] = []
        size = 0
        for job in jobs:
            chunk.append(job)
            size += self._embedded_bytes(job)
            if len(chunk) == _CHUNK or size >= _CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk

    def _embedded_bytes(self, job: _Job) -> int:
        try:
            return self._profile(job.issuer).size + self._embedded_achievement(job.achievement).size
        except (InvalidInput, TooLarge):  # building it will fail, too
            return 0

    async def _build_and_sign(self, jobs: Sequence[_Job]) -> Sequence[Credential | _Refusal]:
        drafts = [_result_or_refusal(self._draft, job) for job in jobs]
        unsigned = [draft.unsigned for draft in drafts if isinstance(draft, _Draft)]
        signed = iter(await self._means.securing.secure_all(unsigned))
        results: list[Credential | _Refusal] = []
        for draft in drafts:
            if not isinstance(draft, _Draft):
                results.append(draft)
                continue
            result = next(signed)
            results.append(_result_or_refusal(self._credential, draft, result) if isinstance(result, bytes) else result)
        return results

    def draft(self, achievement: Achievement, issuer: Issuer, award: Award) -> JsonObject:
        """Return the document that would be signed, without a status entry, and with an example id and salt."""
        profile, embedded = self._profile(issuer), self._embedded_achievement(achievement)
        return self._document(self._means.new_id(), achievement, profile, embedded, award, None).whole()

    def is_to_recipient(self, credential: Credential, award: Award) -> bool:
        """Return whether the credential was issued to the award's recipient."""
        return credential.recipient_lookup == self._means.recipients.value(award.recipient)

    async def _endorsed(
        self,
        problems: Problems,
        pointer: str,
        request: NewCredential,
        achievement: Achievement,
        award: Award,
        endorsements: EndorsementsOfRequest,
    ) -> Award:
        """Return the award with the request's endorsements."""
        issuer = await self._means.store.read().issuers.get(achievement.issuer_id)
        about = {self._means.addresses.achievement(achievement.id), v3.issuer_iri(issuer, self._means.addresses)}
        if award.recipient.subject_id is not None:
            about.add(award.recipient.subject_id)
        members = await self._endorsements.read(
            problems,
            pointer,
            request.endorsement,
            request.endorsement_jwt,
            about=about,
            embedded=[achievement.details, issuer.profile],
            request=endorsements,
        )
        return replace(award, members=with_endorsements(award.members, members))

    async def achievement(self, principal: Principal, named: str) -> Achievement | None:
        """Return the newest version of the organisation's achievement with this id or address, if there is one."""
        return await named_achievement(self._means.store, self._means.addresses, principal, named)

    def _draft(self, job: _Job) -> _Draft:
        credential_id = self._means.new_id()
        award, achievement = job.award, job.achievement
        profile, embedded = self._profile(job.issuer), self._embedded_achievement(achievement)
        document = self._document(credential_id, achievement, profile, embedded, award, job.entry)
        return _Draft(credential_id, job, Unsigned(document, job.issuer, award.format, award.jwt_algorithm))

    def _credential(self, draft: _Draft, signed: bytes) -> Credential:
        job, award = draft.job, draft.job.award
        return credential_record(
            signed,
            id=draft.id,
            issuer=job.issuer,
            achievement=job.achievement,
            format=award.format,
            recipient_type=award.recipient.type,
            recipient_lookup=self._means.recipients.value(award.recipient),
            valid_from=award.valid_from,
            valid_until=award.valid_until,
            created_at=self._means.clock(),
            entry=job.entry,
            issue_key=job.issue_key,
        )

    def _document(
        self,
        credential_id: UUID,
        achievement: Achievement,
        profile: ConstantPart,
        embedded: ConstantPart,
        award: Award,
        entry: AllocatedEntry | None,
    ) -> SplitDocument:
        """Return the credential without a proof."""
        rest = v3.credential_document(
            award,
            id=self._means.addresses.credential(credential_id),
            name=achievement.name,
            issuer=profile.wire["id"],
            achievement={"id": embedded.wire["id"]},
            salt=self._randomness(16).hex(),
            status=status_entry(
                entry.list_id, entry.status_index, self._means.addresses, suspendable=achievement.suspendable
            )
            if entry is not None
            else None,
        )
        return SplitDocument(rest, (profile, embedded))

    def _profile(self, issuer: Issuer) -> ConstantPart:
        return self._part(issuer.id, issuer.version, lambda: v3.profile(issuer, self._means.addresses), "i")

    def _embedded_achievement(self, achievement: Achievement) -> ConstantPart:
        return self._part(
            achievement.id,
            achievement.version,
            lambda: v3.achievement_object(achievement, self._means.addresses),
            "a",
        )

    def _part(self, id_: UUID, version: int, build: Callable[[], JsonObject], label: str) -> ConstantPart:
        key = (self._means.store.generation, id_, version)
        part = self._parts.get(key)
        if part is None:
            part = constant_part(build(), contexts=v3.CONTEXTS, label=label)
            self._parts[key] = part
        return part


def _result_or_refusal(
    function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
) -> Result | _Refusal:
    try:
        return function(*args, **kwargs)
    except (InvalidInput, TooLarge) as refusal:
        return refusal

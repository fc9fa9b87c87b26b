"""Issue one achievement to many, each row of a list once, however often and from where the list is begun again.

A row's key is stored in its credential (as `IssueKeys` says), in the same transaction, and is unique in the database. A
row whose key is there is not signed again; two that issue the same list at once cannot both store a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from lapel.domain.access import Principal, Scope
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.ports import Clock, Store, Transaction
from lapel.errors import Conflict, FieldError, InvalidInput, NotFound, TooLarge
from lapel.openbadges.award import Award
from lapel.openbadges.problems import Problems
from lapel.services.auditing.recording import issued_by, store_issued
from lapel.services.issue_keys import IssueKeys
from lapel.services.issuing.awards import read_award
from lapel.services.issuing.issuing import Issuing
from lapel.services.issuing.named_achievements import deleted_meanwhile
from lapel.services.requests import NewCredential

__all__ = ["BulkIssuing", "IssuedTo", "Row", "key_of_id", "key_of_position"]

_ATTEMPTS: Final = 4


class Row(NamedTuple):
    """One credential that is asked for.

    Attributes:
        key: by which it is known again, from `key_of_id` or `key_of_position`; no other row of a call has it.
    """

    key: bytes
    request: NewCredential


class IssuedTo(NamedTuple):
    """What became of a row: it has a credential, or problems; neither, where it was only looked at.

    Attributes:
        is_new: the credential was issued now.
        draft: what would be signed, where that was asked for.
    """

    credential: Credential | None = None
    is_new: bool = False
    problems: Sequence[FieldError] = ()
    draft: JsonObject | None = None


def key_of_id(achievement_id: UUID, row_id: str) -> bytes:
    """The key of a row that has an id of its own: the same in every list for that achievement."""
    return _digest(b"id", achievement_id.bytes) + _digest(row_id.encode())


def key_of_position(achievement_id: UUID, list_digest: bytes, number: int) -> bytes:
    """The key of a row that is known by its place in a list. Those of one list sort together, which is quick to store.

    Args:
        list_digest: SHA-256 of all of the list.
    """
    return _digest(b"position", achievement_id.bytes, list_digest) + number.to_bytes(8, "big")


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()[:16]


class BulkIssuing:
    """Awards one achievement to many."""

    def __init__(self, *, store: Store, clock: Clock, issuing: Issuing, issue_keys: IssueKeys) -> None:
        self._store = store
        self._issue_keys = issue_keys
        self._clock = clock
        self._issuing = issuing

    async def achievement(self, principal: Principal, named: str) -> Achievement:
        """The organisation's achievement of that id or address. Raises NotFound."""
        principal.require(Scope.CREDENTIALS_ISSUE)
        found = await self._issuing.achievement(principal, named)
        if found is None:
            raise _no_achievement(named)
        return found

    async def issue(self, principal: Principal, achievement_id: UUID, rows: Sequence[Row]) -> Sequence[IssuedTo]:
        """Issue to those of `rows` that have not got it yet, in one transaction. It is durable when this returns.

        Rows that are wrong are told so and left out. The outcomes are in the order of the rows.

        Raises:
            NotFound: the achievement is not there, or was deleted meanwhile; these rows are not issued.
            Unavailable: the database is away; nothing is known of what became of these rows. Ask again.
        """
        achievement, issuer = await self._current(principal, achievement_id)
        outcomes, awards = await self._read(achievement, rows)
        signed: dict[bytes, Credential] = {}
        keyed = [(self._issue_keys.keyed(key), award) for key, award in awards]
        for (key, _), made in zip(awards, await self._issuing.sign_keyed(achievement, issuer, keyed), strict=True):
            if isinstance(made, InvalidInput | TooLarge):
                outcomes[key] = IssuedTo(problems=made.errors or [FieldError("", made.detail, made.code)])
            else:
                signed[key] = made
        there = await self._stored(principal, achievement, signed) if signed else {}
        for key, award in awards:
            if (first := there.get(key)) is not None:
                outcomes[key] = self._issued_before(first, award)
            elif key in signed:
                outcomes[key] = IssuedTo(credential=signed[key], is_new=True)
        if any(found.credential is not None and not found.is_new for found in outcomes.values()):
            await self._store.make_durable()  # it may be there by a commit that was answered with "cannot be told"
        return [outcomes[row.key] for row in rows]

    async def look_at(
        self, principal: Principal, achievement_id: UUID, rows: Sequence[Row], *, drafts: int = 0
    ) -> Sequence[IssuedTo]:
        """What `issue` would find; nothing is signed or stored.

        Args:
            drafts: of how many rows to show what would be signed.
        """
        achievement, issuer = await self._current(principal, achievement_id)
        outcomes, awards = await self._read(achievement, rows)
        for key, award in awards:
            draft = self._issuing.draft(achievement, issuer, award) if drafts > 0 else None
            outcomes[key] = IssuedTo(draft=draft)
            drafts -= 1
        return [outcomes[row.key] for row in rows]

    async def _current(self, principal: Principal, achievement_id: UUID) -> tuple[Achievement, Issuer]:
        achievement = await self.achievement(principal, str(achievement_id))
        return achievement, await self._store.read().issuers.get(achievement.issuer_id)

    async def _read(
        self, achievement: Achievement, rows: Sequence[Row]
    ) -> tuple[dict[bytes, IssuedTo], list[tuple[bytes, Award]]]:
        """What became of some of the rows already, by their keys, and the awards of the others."""
        before = await self._issue_keys.find(self._store.read().credentials, [row.key for row in rows])
        now = self._clock()
        outcomes: dict[bytes, IssuedTo] = {}
        awards: list[tuple[bytes, Award]] = []
        for row in rows:
            problems = Problems()
            award = read_award(problems, "", row.request, achievement=achievement, now=now)
            if problems or award is None:
                outcomes[row.key] = IssuedTo(problems=problems.found)
            elif (credential := before.get(row.key)) is not None:
                outcomes[row.key] = self._issued_before(credential, award)
            else:
                awards.append((row.key, award))
        return outcomes, awards

    def _issued_before(self, credential: Credential, award: Award) -> IssuedTo:
        """What to say of a row whose key this credential has."""
        if credential.erased_at is not None:
            return IssuedTo(
                problems=[FieldError("", f"was issued as {credential.id}, which has been erased", "erased")]
            )
        if self._issuing.is_of(credential, award):
            return IssuedTo(credential=credential)
        detail = f"was used for another recipient's credential, {credential.id}"
        return IssuedTo(problems=[FieldError("/id", detail, "id_taken")])

    async def _stored(
        self, by: Principal, achievement: Achievement, credentials: Mapping[bytes, Credential]
    ) -> Mapping[bytes, Credential]:
        """Store them by their keys, but for those whose key somebody else has stored meanwhile; returns those."""

        async def body(tx: Transaction, *, look: bool = True) -> Mapping[bytes, Credential]:
            there = await self._issue_keys.find(tx.credentials, credentials) if look else {}
            new = [one for key, one in credentials.items() if key not in there]
            await store_issued(tx, issued_by(by, new))
            return there

        for attempt in range(_ATTEMPTS - 1):
            try:
                # At first not looked for again: it was a moment ago, and another process has rarely stored any since.
                return await self._store.run(partial(body, look=attempt > 0), idempotent=True)
            except Conflict as error:
                if await deleted_meanwhile(self._store, {"": achievement}):
                    raise _no_achievement(str(achievement.id)) from error
        return await self._store.run(body, idempotent=True)


def _no_achievement(named: str) -> NotFound:
    return NotFound(
        f"There is no achievement {named[:200]!r} here.",
        hint="Give its id or its address, as `POST /v3/achievements` answered it.",
    )

"""Issue one achievement to each row of a list, once for each row, however often the list is issued again.

A row's key is stored with its credential (see `IssueKeys`), in the same transaction, and is unique in the database. A
row whose key is stored is not signed again, and of two processes that issue the same list only one can store a row.
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

__all__ = ["BulkIssuing", "Row", "RowOutcome", "key_of_id", "key_of_position"]

_ATTEMPTS: Final = 4


class Row(NamedTuple):
    """One requested credential.

    Attributes:
        key: identifies the row, from `key_of_id` or `key_of_position`; unique among the rows of a call.
    """

    key: bytes
    request: NewCredential


class RowOutcome(NamedTuple):
    """The outcome of a row: a credential or problems; neither in a preview of a row that can be issued.

    Attributes:
        is_new: whether the credential was issued by this call.
        draft: the document that would be signed, if a preview was asked for it.
    """

    credential: Credential | None = None
    is_new: bool = False
    problems: Sequence[FieldError] = ()
    draft: JsonObject | None = None


def key_of_id(achievement_id: UUID, row_id: str) -> bytes:
    """Return the key of a row that has an id of its own: the same in every list for this achievement."""
    return _digest(b"id", achievement_id.bytes) + _digest(row_id.encode())


def key_of_position(achievement_id: UUID, list_digest: bytes, number: int) -> bytes:
    """Return the key of a row that is identified by its position. The keys of a list share a prefix: quick to index.

    Args:
        list_digest: SHA-256 of the whole list.
    """
    return _digest(b"position", achievement_id.bytes, list_digest) + number.to_bytes(8, "big")


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()[:16]


class BulkIssuing:
    """Issues one achievement to the rows of lists."""

    def __init__(self, *, store: Store, clock: Clock, issuing: Issuing, issue_keys: IssueKeys) -> None:
        self._store = store
        self._issue_keys = issue_keys
        self._clock = clock
        self._issuing = issuing

    async def achievement(self, principal: Principal, named: str) -> Achievement:
        """Return the organisation's achievement with this id or address. Raises NotFound."""
        principal.require(Scope.CREDENTIALS_ISSUE)
        achievement = await self._issuing.achievement(principal, named)
        if achievement is None:
            raise _no_achievement(named)
        return achievement

    async def issue(self, principal: Principal, achievement_id: UUID, rows: Sequence[Row]) -> Sequence[RowOutcome]:
        """Issue the rows that were not issued before, in one transaction. They are durable when this returns.

        Rows with problems are left out. The outcomes are in the order of the rows.

        Raises:
            NotFound: there is no such achievement, or it was deleted meanwhile; these rows are not issued.
            Unavailable: the database is unavailable, and these rows may or may not be issued; call it again.
        """
        achievement, issuer = await self._current(principal, achievement_id)
        outcomes, awards = await self._read(achievement, rows)
        signed: dict[bytes, Credential] = {}
        keyed = [(self._issue_keys.keyed(key), award) for key, award in awards]
        results = await self._issuing.sign_keyed(achievement, issuer, keyed)
        for (key, _), result in zip(awards, results, strict=True):
            if isinstance(result, InvalidInput | TooLarge):
                outcomes[key] = RowOutcome(problems=result.errors or [FieldError("", result.detail, result.code)])
            else:
                signed[key] = result
        stored_before = await self._store_new(principal, achievement, signed) if signed else {}
        for key, award in awards:
            if (first := stored_before.get(key)) is not None:
                outcomes[key] = self._issued_before(first, award)
            elif key in signed:
                outcomes[key] = RowOutcome(credential=signed[key], is_new=True)
        if any(outcome.credential is not None and not outcome.is_new for outcome in outcomes.values()):
            await self._store.make_durable()  # the commit that stored it may have been answered with OutcomeUnknown
        return [outcomes[row.key] for row in rows]

    async def preview(
        self, principal: Principal, achievement_id: UUID, rows: Sequence[Row], *, drafts: int = 0
    ) -> Sequence[RowOutcome]:
        """Return the outcomes that `issue` would have, as far as that is known without signing or storing anything.

        Args:
            drafts: for how many rows to return the document that would be signed.
        """
        achievement, issuer = await self._current(principal, achievement_id)
        outcomes, awards = await self._read(achievement, rows)
        for key, award in awards:
            draft = self._issuing.draft(achievement, issuer, award) if drafts > 0 else None
            outcomes[key] = RowOutcome(draft=draft)
            drafts -= 1
        return [outcomes[row.key] for row in rows]

    async def _current(self, principal: Principal, achievement_id: UUID) -> tuple[Achievement, Issuer]:
        achievement = await self.achievement(principal, str(achievement_id))
        return achievement, await self._store.read().issuers.get(achievement.issuer_id)

    async def _read(
        self, achievement: Achievement, rows: Sequence[Row]
    ) -> tuple[dict[bytes, RowOutcome], list[tuple[bytes, Award]]]:
        """Return the outcomes of the rows that are not to be issued, by key, and the awards of the others."""
        before = await self._issue_keys.find(self._store.read().credentials, [row.key for row in rows])
        now = self._clock()
        outcomes: dict[bytes, RowOutcome] = {}
        awards: list[tuple[bytes, Award]] = []
        for row in rows:
            problems = Problems()
            award = read_award(problems, "", row.request, achievement=achievement, now=now)
            if problems or award is None:
                outcomes[row.key] = RowOutcome(problems=problems.found)
            elif (credential := before.get(row.key)) is not None:
                outcomes[row.key] = self._issued_before(credential, award)
            else:
                awards.append((row.key, award))
        return outcomes, awards

    def _issued_before(self, credential: Credential, award: Award) -> RowOutcome:
        """Return the outcome of a row whose key this credential has."""
        if credential.erased_at is not None:
            detail = f"was issued as {credential.id}, which has been erased"
            return RowOutcome(problems=[FieldError("", detail, "erased")])
        if self._issuing.is_to_recipient(credential, award):
            return RowOutcome(credential=credential)
        detail = f"was used for another recipient's credential, {credential.id}"
        return RowOutcome(problems=[FieldError("/id", detail, "id_taken")])

    async def _store_new(
        self, by: Principal, achievement: Achievement, credentials: Mapping[bytes, Credential]
    ) -> Mapping[bytes, Credential]:
        """Store the credentials, by key. Return those that another process stored first under some of the keys."""

        async def body(tx: Transaction, *, check: bool = True) -> Mapping[bytes, Credential]:
            stored = await self._issue_keys.find(tx.credentials, credentials) if check else {}
            new = [credential for key, credential in credentials.items() if key not in stored]
            await store_issued(tx, issued_by(by, new))
            return stored

        for attempt in range(_ATTEMPTS - 1):
            try:
                # The first attempt does not check: `_read` did a moment ago, and a concurrent process is rare.
                return await self._store.run(partial(body, check=attempt > 0), idempotent=True)
            except Conflict as error:
                if await deleted_meanwhile(self._store, {"": achievement}):
                    raise _no_achievement(str(achievement.id)) from error
        return await self._store.run(body, idempotent=True)


def _no_achievement(named: str) -> NotFound:
    return NotFound(
        f"There is no achievement {named[:200]!r} here.",
        hint="Give its id or its address, as `POST /v3/achievements` answered it, and its --organisation.",
    )

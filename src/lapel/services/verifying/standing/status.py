"""Check the status: Bitstring Status List 1.0, 3.2 (validate), Status List 2021, and 1EdTech's revocation list.

A list is trusted only if it is the issuer's: its proof is verified like the badge's, and its issuer must be the
badge's. So a server can withhold the list, but not clear a bit. With a genuine list of another issuer the outcome is
unknown, because the badge's issuer may have delegated it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeAlias

from lapel.credentials import bitstring_status_list, status_list_2021
from lapel.credentials.bitstring_status_list import InvalidStatusEntry, OutsideStatusList, ShortStatusList, StatusEntry
from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, id_of, object_of, objects, text_of, types_of
from lapel.domain.status_list import StatusPurpose
from lapel.errors import LapelError
from lapel.services.verifying.data_model.structure import check_structure
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, Documents
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check
from lapel.services.verifying.standing.dates import check_validity, member_date
from lapel.services.verifying.standing.revocation_list import REVOCATION_LIST_TYPE, check_revocation_list

__all__ = ["SecuredList", "VerifyList", "check_status"]

_check: Final = partial(new_check, CheckCode.STATUS)

_MAX_ENTRIES: Final = 4
_NOT_SET: Final = {
    StatusPurpose.REVOCATION.value: "The issuer has not revoked it.",
    StatusPurpose.SUSPENSION.value: "The issuer has not suspended it.",
}


@dataclass(frozen=True, slots=True)
class SecuredList:
    """A status list credential and the checks of its proof; None if these say why it could not be read."""

    credential: JsonObject | None
    checks: Sequence[Check]


VerifyList: TypeAlias = Callable[[bytes], Awaitable[SecuredList]]
"""Reads and verifies the credential in these bytes. Raises LapelError if there is none."""


class _Decode(Protocol):
    def __call__(self, encoded: str, *, size: int = 1) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """The type names of a specification, and its functions for entries and lists."""

    entry_type: str
    credential_type: str
    list_type: str
    parse_entry: Callable[[JsonObject], StatusEntry]
    decode: _Decode


_KINDS: Final = tuple(
    _Kind(
        entry_type=module.ENTRY_TYPE,
        credential_type=module.CREDENTIAL_TYPE,
        list_type=module.LIST_TYPE,
        parse_entry=module.parse_entry,
        decode=module.decode,
    )
    for module in (bitstring_status_list, status_list_2021)
)


async def check_status(
    credential: JsonObject, *, verify_list: VerifyList, documents: Documents, now: datetime
) -> tuple[Check, ...]:
    """Return a check ``status`` for each entry; a skipped one if there is none."""
    entries = as_list(credential.get("credentialStatus"))
    if not entries:
        sentence = "It names no way to ask whether it has been revoked."
        return (Check(code=CheckCode.STATUS, outcome=Outcome.SKIP, sentence=sentence),)
    entry_check = _EntryCheck(credential, verify_list=verify_list, documents=documents, now=now)
    checks = [await entry_check.entry(entry) for entry in objects(entries)[:_MAX_ENTRIES]]
    if len(checks) < len(entries):
        sentence = "Not every status of the badge could be asked for."
        checks.append(_check(Outcome.UNKNOWN, sentence, Problem.STATUS_UNSUPPORTED))
    return tuple(checks)


class _EntryCheck:
    """Checks the status entries of one credential."""

    def __init__(self, credential: JsonObject, *, verify_list: VerifyList, documents: Documents, now: datetime) -> None:
        self._credential = credential
        self._verify_list = verify_list
        self._documents = documents
        self._now = now

    async def entry(self, raw: JsonObject) -> Check:
        types = types_of(raw)
        for kind in _KINDS:
            if kind.entry_type in types:
                return await self._bit({**raw, "type": kind.entry_type}, kind)
        if REVOCATION_LIST_TYPE in types:
            return await check_revocation_list(raw, self._credential, documents=self._documents)
        sentence = "The badge's status is published in a way that is not understood here."
        return _check(Outcome.UNKNOWN, sentence, Problem.STATUS_UNSUPPORTED, ", ".join(sorted(types))[:200])

    async def _bit(self, raw: JsonObject, kind: _Kind) -> Check:
        try:
            entry = kind.parse_entry(raw)
        except InvalidStatusEntry as error:
            sentence = "The badge's status entry cannot be used."
            return _check(Outcome.FAIL, sentence, Problem.MEMBER_INVALID, error.detail)
        value = await self._value(entry, kind)
        if isinstance(value, Check):
            return value
        if value and entry.purpose == StatusPurpose.SUSPENSION:
            # It is not valid in any case, but may be revoked for good.
            for revocation in _revocation_entries(entry, raw):
                if await self._value(revocation, kind) == 1:
                    return _verdict(1, revocation)
        return _verdict(value, entry)

    async def _value(self, entry: StatusEntry, kind: _Kind) -> int | Check:
        """Return the entry's value in the issuer's list, or a check that says why it is unknown."""
        try:
            fetched = await self._documents.get(entry.list_url, accept=ACCEPT_CREDENTIAL)
        except FetchFailed as error:
            sentence = "The issuer's status list cannot be fetched, so a revocation would not be known."
            return _check(Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail)
        try:
            secured = await self._verify_list(fetched.body)
            problem = _list_problem(secured, entry, kind, self._credential, self._now)
            if problem is not None:
                return problem
            status_list = object_of(secured.credential)
            fetched.expire_within(_seconds_current(status_list, self._now))
            subject = object_of(status_list.get("credentialSubject"))
            bits = kind.decode(text_of(subject.get("encodedList")) or "", size=entry.size)
            return bitstring_status_list.read(bits, entry.index, size=entry.size)
        except OutsideStatusList as error:
            sentence = "The badge's status entry lies outside of the status list."
            return _check(Outcome.FAIL, sentence, Problem.STATUS_OUTSIDE_LIST, error.detail)
        except ShortStatusList as error:
            sentence = "The issuer's status list is too short to be one."
            return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_SHORT, error.detail)
        except LapelError as error:
            sentence = "The issuer's status list cannot be read."
            return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, error.detail)


def _revocation_entries(entry: StatusEntry, raw: JsonObject) -> Iterator[StatusEntry]:
    """Yield the revocation entries to which a suspension entry refers: ``statusReference`` is a list's URL and index.

    Lapel's own credentials have these (`lapel.services.issuing.status_entries`). Other references, such as to a page
    for people, do not end with the entry's index.
    """
    for reference in as_list(raw.get("statusReference"))[:_MAX_ENTRIES]:
        url, _, fragment = (text_of(reference) or "").partition("#")
        if url and fragment == str(entry.index):
            yield StatusEntry(purpose=StatusPurpose.REVOCATION.value, index=entry.index, list_url=url)


def _list_problem(
    secured: SecuredList, entry: StatusEntry, kind: _Kind, credential: JsonObject, now: datetime
) -> Check | None:
    """Return a check that says why the list cannot be used; None if it can."""
    failed = [check for check in secured.checks if check.outcome is Outcome.FAIL]
    if failed:
        sentence = "The status list is not the issuer's: its own signature does not hold."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_UNTRUSTED, failed[0].sentence)
    unknown = [check for check in secured.checks if check.outcome is Outcome.UNKNOWN]
    if unknown:
        sentence = "Whether the status list is the issuer's could not be told."
        return _check(Outcome.UNKNOWN, sentence, Problem.NOT_CHECKED, unknown[0].sentence)
    status_list = object_of(secured.credential)
    if id_of(status_list.get("issuer")) != id_of(credential.get("issuer")):
        # Bitstring Status List 1.0, 2.2, allows another issuer, but nothing says whether this one is authorised.
        sentence = "The status list is somebody else's; whether the issuer left that to them could not be told."
        return _check(Outcome.UNKNOWN, sentence, Problem.STATUS_LIST_UNTRUSTED, id_of(status_list.get("issuer")))
    validity = check_validity(status_list, now=now)
    if validity.outcome is not Outcome.PASS:
        sentence = "The status list is not a current one, so a revocation may be missing from it."
        return _check(Outcome.UNKNOWN, sentence, Problem.STATUS_LIST_INVALID, validity.sentence)
    structure = check_structure(status_list)
    malformed = structure.detail if structure.outcome is Outcome.FAIL else _malformed(status_list, kind)
    if malformed is not None:
        sentence = "The status list is not built as its specification requires."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, malformed)
    mismatch = _mismatch(status_list, entry)
    if mismatch is not None:
        sentence = "The status list does not fit the badge's status entry."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_MISMATCH, mismatch)
    return None


def _seconds_current(status_list: JsonObject, now: datetime) -> float:
    """Return how long the list may be cached: until its end, and no longer than its ``ttl`` in milliseconds (2.2)."""
    end = member_date(status_list, "validUntil", "expirationDate")
    seconds = math.inf if end is None else (end - now).total_seconds()
    ttl = object_of(status_list.get("credentialSubject")).get("ttl")
    if isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl >= 0:
        seconds = min(seconds, ttl / 1000)
    return seconds


def _malformed(status_list: JsonObject, kind: _Kind) -> str | None:
    """Return what is wrong with the types and purposes of a list (2.2); its bits are read later."""
    subject = object_of(status_list.get("credentialSubject"))
    if kind.credential_type not in types_of(status_list) or kind.list_type not in types_of(subject):
        return f"It is not a {kind.credential_type}."
    purposes = as_list(subject.get("statusPurpose"))
    if not purposes or not all(isinstance(purpose, str) for purpose in purposes):
        return "Its statusPurpose is not a text, or several."
    return None


def _mismatch(status_list: JsonObject, entry: StatusEntry) -> str | None:
    """Return why the list is not the one that the entry names; None if it is."""
    subject = object_of(status_list.get("credentialSubject"))
    list_id = status_list.get("id")
    if list_id is not None and list_id != entry.list_url:
        return f"It is another list: {str(list_id)[:200]}."
    if entry.purpose not in as_list(subject.get("statusPurpose")):
        return f"It is not about {entry.purpose[:80]}."
    return None


def _verdict(value: int, entry: StatusEntry) -> Check:
    if value == 0:
        sentence = _NOT_SET.get(entry.purpose, f"The issuer has not set its {entry.purpose[:80]} status.")
        return _check(Outcome.PASS, sentence, None, f"#{entry.index}")
    if entry.purpose == StatusPurpose.REVOCATION:
        return _check(Outcome.FAIL, "The issuer has revoked it.", Problem.REVOKED)
    if entry.purpose == StatusPurpose.SUSPENSION:
        return _check(Outcome.FAIL, "The issuer has suspended it for the time being.", Problem.SUSPENDED)
    sentence = f"The issuer has set its {entry.purpose[:80]} status."
    unnamed = "set" if entry.size == 1 else hex(value)  # Bitstring Status List 1.0, 2.1, `statusMessage`
    return _check(Outcome.WARN, sentence, Problem.STATUS_MESSAGE, entry.messages.get(value, unnamed))

"""Has the issuer taken it back? Bitstring Status List 1.0, 3.2 (validate), and 1EdTech's revocation list.

A list is believed only if it is the issuer's: its own proof is verified like the badge's, and its issuer must be the
badge's. Whoever merely serves a list can withhold it, but not clear a bit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from lapel.credentials import bitstring_status_list
from lapel.credentials.bitstring_status_list import InvalidStatusEntry, StatusEntry
from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.errors import LapelError
from lapel.services.verifying.dates import check_validity
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, Documents
from lapel.services.verifying.members import as_list, id_of, object_of, objects, text_of, types_of
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem
from lapel.services.verifying.revocation_list import REVOCATION_LIST_TYPE, check_revocation_list

__all__ = ["SecuredList", "VerifyList", "check_status"]

_MOST_ENTRIES: Final = 4
_ENTRY_TYPE: Final = "BitstringStatusListEntry"


@dataclass(frozen=True, slots=True)
class SecuredList:
    """A status list credential, and the checks of how it is secured."""

    credential: JsonObject
    checks: Sequence[Check]


VerifyList: TypeAlias = Callable[[bytes], Awaitable[SecuredList]]
"""Reads and verifies the credential in these bytes. Raises LapelError if they hold none."""


async def check_status(
    credential: JsonObject, *, verify_list: VerifyList, documents: Documents, now: datetime
) -> tuple[Check, ...]:
    """One check ``status`` for each entry; a skipped one if there is none."""
    entries = as_list(credential.get("credentialStatus"))
    if not entries:
        sentence = "The issuer offers no way to ask whether it has been revoked."
        return (Check(code=CheckCode.STATUS, outcome=Outcome.SKIP, sentence=sentence),)
    checks = [
        await _check_entry(entry, credential, verify_list=verify_list, documents=documents, now=now)
        for entry in objects(entries)[:_MOST_ENTRIES]
    ]
    if len(checks) < len(entries):
        sentence = "Not every status of the badge could be asked for."
        checks.append(_check(Outcome.UNKNOWN, sentence, Problem.STATUS_UNSUPPORTED))
    return tuple(checks)


async def _check_entry(
    entry: JsonObject, credential: JsonObject, *, verify_list: VerifyList, documents: Documents, now: datetime
) -> Check:
    kinds = types_of(entry)
    if _ENTRY_TYPE in kinds:
        return await _check_bit(entry, credential, verify_list=verify_list, documents=documents, now=now)
    if REVOCATION_LIST_TYPE in kinds:
        return await check_revocation_list(entry, credential, documents=documents)
    sentence = "The badge's status is published in a way that is not understood here."
    return _check(Outcome.UNKNOWN, sentence, Problem.STATUS_UNSUPPORTED, ", ".join(sorted(kinds))[:200])


async def _check_bit(
    raw: JsonObject, credential: JsonObject, *, verify_list: VerifyList, documents: Documents, now: datetime
) -> Check:
    try:
        entry = bitstring_status_list.parse_entry({**raw, "type": _ENTRY_TYPE})
    except InvalidStatusEntry as error:
        sentence = "The badge's status entry cannot be used."
        return _check(Outcome.FAIL, sentence, Problem.MEMBER_INVALID, error.detail)
    try:
        fetched = await documents.get(entry.list_url, accept=ACCEPT_CREDENTIAL)
    except FetchFailed as error:
        sentence = "The issuer's status list cannot be fetched, so a revocation would not be known."
        return _check(Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail)
    try:
        secured = await verify_list(fetched.body)
        untrusted = _distrust(secured, entry, credential, now)
        if untrusted is not None:
            return untrusted
        subject = object_of(secured.credential.get("credentialSubject"))
        bits = bitstring_status_list.decode(text_of(subject.get("encodedList")) or "", size=entry.size)
        value = bitstring_status_list.read(bits, entry.index, size=entry.size)
    except InvalidStatusEntry as error:
        sentence = "The badge's status entry cannot be used."
        return _check(Outcome.FAIL, sentence, Problem.MEMBER_INVALID, error.detail)
    except LapelError as error:
        sentence = "The issuer's status list cannot be read."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, error.detail)
    return _verdict(value, entry, raw)


def _distrust(secured: SecuredList, entry: StatusEntry, credential: JsonObject, now: datetime) -> Check | None:
    """Why the list does not count; None if it does."""
    bad = [check for check in secured.checks if check.outcome is Outcome.FAIL]
    if bad:
        sentence = "The status list is not the issuer's: its own signature does not hold."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_UNTRUSTED, bad[0].sentence)
    if id_of(secured.credential.get("issuer")) != id_of(credential.get("issuer")):
        sentence = "The status list is not the issuer's: somebody else signed it."
        detail = id_of(secured.credential.get("issuer"))
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_UNTRUSTED, detail)
    open_questions = [check for check in secured.checks if check.outcome is Outcome.UNKNOWN]
    if open_questions:
        sentence = "Whether the status list is the issuer's could not be told."
        return _check(Outcome.UNKNOWN, sentence, Problem.NOT_CHECKED, open_questions[0].sentence)
    current = check_validity(secured.credential, now=now)
    if current.outcome is not Outcome.PASS:
        sentence = "The status list is not a current one, so a revocation may be missing from it."
        return _check(Outcome.UNKNOWN, sentence, Problem.STATUS_LIST_INVALID, current.sentence)
    wrong = _misfit(secured.credential, entry)
    if wrong is not None:
        sentence = "The status list does not fit the badge's status entry."
        return _check(Outcome.FAIL, sentence, Problem.STATUS_LIST_INVALID, wrong)
    return None


def _misfit(status_list: JsonObject, entry: StatusEntry) -> str | None:
    subject = object_of(status_list.get("credentialSubject"))
    if "BitstringStatusListCredential" not in types_of(status_list) or "BitstringStatusList" not in types_of(subject):
        return "It is not a BitstringStatusListCredential."
    list_id = status_list.get("id")
    if list_id is not None and list_id != entry.list_url:
        return f"It is another list: {str(list_id)[:200]}."
    if entry.purpose not in as_list(subject.get("statusPurpose")):
        return f"It is not about {entry.purpose[:80]}."
    return None


def _verdict(value: int, entry: StatusEntry, raw: JsonObject) -> Check:
    if value == 0:
        return _check(Outcome.PASS, f"Its {entry.purpose[:80]} status is in good standing.", None, f"#{entry.index}")
    if entry.purpose == "revocation":
        return _check(Outcome.FAIL, "The issuer has revoked it.", Problem.REVOKED)
    if entry.purpose == "suspension":
        return _check(Outcome.FAIL, "The issuer has suspended it for the time being.", Problem.SUSPENDED)
    sentence = f"The issuer has set its {entry.purpose[:80]} status."
    return _check(Outcome.WARN, sentence, Problem.STATUS_MESSAGE, _message(value, raw))


def _message(value: int, raw: JsonObject) -> str | None:
    """What the entry says that the value means (2.1, ``statusMessage``)."""
    for item in objects(raw.get("statusMessage")):
        written = text_of(item.get("status")) or ""
        try:
            meant = int(written, 16)
        except ValueError:
            continue
        if meant == value:
            return text_of(item.get("message"))
    return hex(value)


def _check(outcome: Outcome, sentence: str, problem: Problem | None, detail: str | None = None) -> Check:
    return Check(code=CheckCode.STATUS, outcome=outcome, sentence=sentence, problem=problem, detail=detail)

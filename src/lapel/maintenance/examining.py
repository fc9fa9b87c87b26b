"""Verifies a copy of a database: its schema, its integrity, and a sample of its credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from lapel.database.interface import Database
from lapel.database.schema.catalogue import Finding
from lapel.database.tables import metadata
from lapel.domain.credential import Credential
from lapel.domain.identifiers import first_id_at
from lapel.domain.organisation import Organisation
from lapel.errors import FieldError, InvalidInput
from lapel.maintenance import checking
from lapel.maintenance.counting import row_counts
from lapel.maintenance.verdict import damage_in, is_genuine
from lapel.services.erasing import Erasing
from lapel.services.keys.master_key import StoredMasterKey
from lapel.services.paging import all_pages
from lapel.services.verifying import Verifying

__all__ = [
    "CopyContents",
    "Database",
    "Installation",
    "Services",
    "UnsoundCopy",
    "examine",
    "findings_of",
]

_SAMPLE: Final = 25
"""For each organisation, this many of the newest credentials are verified, and as many from all over its lifetime."""


class UnsoundCopy(InvalidInput):
    """This copy of a database is not sound."""

    code = "unsound_copy"
    hint = "Use another one. `lapel db check` tells whether the database that it was made from is sound."


class Services(Protocol):
    """The services that verify and erase credentials in a database."""

    @property
    def erasing(self) -> Erasing: ...

    @property
    def verifying(self) -> Verifying: ...


class Installation(Protocol):
    """Access to copies of the configured database, and to its master key."""

    def open(self, file: Path) -> Database:
        """Return a database of the configured kind in that existing file, not connected."""
        ...

    def services(self, database: Database) -> AbstractAsyncContextManager[Services]:
        """Return the services on a connected database, which is disconnected at the end of the block."""
        ...

    def master_key(self) -> StoredMasterKey:
        """Return the configured master key, or the one beside the database. Raises `MissingMasterKey`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyContents:
    """The contents of a sound copy.

    Attributes:
        revision: the schema's revision.
        rows: the number of rows by table.
        verified: the number of verified credentials.
        newest: the time of the last audit log entry, after which nothing was changed; None if there is none.
    """

    revision: str
    rows: Mapping[str, int]
    verified: int
    newest: datetime | None


async def findings_of(database: Database, begin_step: Callable[[str], None]) -> Sequence[Finding]:
    """Return the problems of a database. If it needs a migration first, only those that its own checks find."""
    if (await database.migration_status()).pending:
        begin_step("the database's own checks")
        async with database.maintenance() as session, aclosing(database.catalogue.damage(session)) as findings:
            return [finding async for finding in findings]
    return [finding async for finding in checking.check(database, begin_step) if not finding.is_note]


async def examine(database: Database, services: Services | None, begin_step: Callable[[str], None]) -> CopyContents:
    """Verify a connected copy and return its contents.

    Args:
        services: the services on the copy; None if it needs a migration first, so that credentials cannot be verified.
        begin_step: called with the name of each step before it begins.

    Raises:
        UnsoundCopy: the copy has problems, which the error lists.
        NewerDatabase, ForeignDatabase: the copy is of a later version, or not Lapel's.
    """
    status = await database.migration_status()
    if status.current is None:
        raise UnsoundCopy("There is nothing in it.")
    if findings := await findings_of(database, begin_step):
        raise UnsoundCopy(
            f"{len(findings)} things are wrong with it; the first: {findings[0].detail}",
            errors=[FieldError(finding.about, finding.detail, finding.code) for finding in findings],
        )
    begin_step("the number of rows")
    rows, verified, newest = await _row_counts(database), 0, None
    if services is not None:
        begin_step("a sample of the credentials")
        async for organisation in all_pages(database.read().organisations.page):
            verified += await _verify_sample(database, services, organisation)
            page = await database.read().audit_log.page(organisation.id, before=None, limit=1)
            newest = max((*filter(None, (newest,)), *(entry.at for entry in page)), default=None)
    return CopyContents(revision=status.current, rows=rows, verified=verified, newest=newest)


async def _row_counts(database: Database) -> Mapping[str, int]:
    """Return the number of rows of each of Lapel's tables that exists, in one snapshot."""
    async with database.maintenance() as session:
        existing = await database.catalogue.tables(session)
        return await row_counts(session, sorted(metadata.tables.keys() & existing))


async def _verify_sample(database: Database, services: Services, organisation: Organisation) -> int:
    """Verify a sample of an organisation's credentials, and return their number. Raises `UnsoundCopy`."""
    sample = dict[object, Credential]()
    credentials, now = database.read().credentials, database.settings.clock()
    interval = (now - organisation.created_at) / _SAMPLE
    for number in range(_SAMPLE):
        before = first_id_at(now - number * interval) if number else None  # ids contain their time of creation
        page = await credentials.page(organisation.id, before=before, limit=1 if number else _SAMPLE)
        sample |= {each.id: each for each in page if each.erased_at is None and each.achievement_id is not None}
    verified, verify = 0, services.verifying.several(max_fetches=0)  # with the keys in this database only
    for credential in sample.values():
        checks = (await verify(credential.signed.decode())).checks
        if (damage := damage_in(checks)) is not None:
            raise UnsoundCopy(f"Credential {credential.id} does not verify: {damage.sentence}")
        verified += is_genuine(checks)
    return verified

"""Whether a copy of a database is worth something: its schema, its integrity, its master key, a sample."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from lapel.services.keys.master_key import KeptMasterKey
from lapel.services.verifying import Verifying

__all__ = [
    "Database",
    "Examined",
    "Services",
    "Surroundings",
    "UnsoundCopy",
    "examined",
    "findings_of",
    "organisations",
]

_SAMPLE: Final = 25
"""Of each organisation so many credentials are verified that are its newest, and as many spread over its time."""

_PAGE: Final = 500


class UnsoundCopy(InvalidInput):
    """This copy of a database is not sound."""

    code = "unsound_copy"
    hint = "Use another one. `lapel db check` tells whether the database that it was made from is sound."


class Services(Protocol):
    """What looks into a database, and changes it, by the rules."""

    @property
    def erasing(self) -> Erasing: ...

    @property
    def verifying(self) -> Verifying: ...


class Surroundings(Protocol):
    """What the settings say of the database, its copies and its master key."""

    def open(self, file: Path) -> Database:
        """The database of the configured kind in that file, which is there; not connected yet."""
        ...

    def services(self, database: Database) -> AbstractAsyncContextManager[Services]:
        """Those on a database that is connected, and is not any more when the block ends."""
        ...

    def master_key(self) -> KeptMasterKey:
        """The one that is set, or lies beside the configured database. Raises `MissingMasterKey`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a sound copy holds.

    Attributes:
        revision: of its schema.
        rows: of each table.
        verified: how many credentials were verified.
        newest: when the last entry of its audit log was written: nothing was changed in it since.
    """

    revision: str
    rows: Mapping[str, int]
    verified: int
    newest: datetime | None


async def findings_of(database: Database, tell: Callable[[str], None]) -> Sequence[Finding]:
    """What is wrong with it. Of one that is to be migrated first, only what its own checks find."""
    if (await database.migration_status()).pending:
        tell("the database's own checks")
        async with database.maintenance() as session, aclosing(database.catalogue.damage(session)) as found:
            return [finding async for finding in found]
    return [finding async for finding in checking.check(database, tell) if not finding.is_note]


async def examined(database: Database, services: Services | None, tell: Callable[[str], None]) -> Examined:
    """Read all of a copy that is connected.

    Args:
        services: on it; None where it is to be migrated first, so that nothing of it can be verified.
        tell: is told of each step before it begins.

    Raises:
        UnsoundCopy: something is wrong, all of which is told.
        NewerDatabase, ForeignDatabase: it is not for this version, or not Lapel's.
    """
    status = await database.migration_status()
    if status.current is None:
        raise UnsoundCopy("There is nothing in it.")
    if found := await findings_of(database, tell):
        raise UnsoundCopy(
            f"{len(found)} things are wrong with it; the first: {found[0].detail}",
            errors=[FieldError(finding.about, finding.detail, finding.code) for finding in found],
        )
    tell("the number of rows")
    rows, verified, newest = await _row_counts(database), 0, None
    if services is not None:
        tell("a sample of the credentials")
        async for organisation in organisations(database):
            verified += await _verify_sample(database, services, organisation)
            page = await database.read().audit_log.page(organisation.id, before=None, limit=1)
            newest = max((*filter(None, (newest,)), *(entry.at for entry in page)), default=None)
    return Examined(revision=status.current, rows=rows, verified=verified, newest=newest)


async def _row_counts(database: Database) -> Mapping[str, int]:
    """How many rows each of Lapel's tables has that is there, all at one moment."""
    async with database.maintenance() as session:
        there = await database.catalogue.tables(session)
        return await row_counts(session, sorted(metadata.tables.keys() & there))


async def organisations(database: Database) -> AsyncIterator[Organisation]:
    """All of them, newest first."""
    before = None
    while page := await database.read().organisations.page(before=before, limit=_PAGE):
        for one in page:
            yield one
        before = page[-1].id


async def _verify_sample(database: Database, services: Services, organisation: Organisation) -> int:
    """How many were verified. Raises `UnsoundCopy`."""
    sample = dict[object, Credential]()
    credentials, now = database.read().credentials, database.settings.clock()
    apart = (now - organisation.created_at) / _SAMPLE
    for number in range(_SAMPLE):
        before = first_id_at(now - number * apart) if number else None  # an id tells when it was made
        page = await credentials.page(organisation.id, before=before, limit=1 if number else _SAMPLE)
        sample |= {one.id: one for one in page if one.erased_at is None and one.achievement_id is not None}
    verified, verify = 0, services.verifying.several(max_fetches=0)  # by what this database publishes
    for one in sample.values():
        checks = (await verify(one.signed.decode())).checks
        if (damage := damage_in(checks)) is not None:
            raise UnsoundCopy(f"Credential {one.id} does not verify: {damage.sentence}")
        verified += is_genuine(checks)
    return verified

"""Build the application that the settings describe, start it and stop it. `lapel.parts` wires its parts together."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lapel.config import Settings
from lapel.credentials.jsonld import GeneralPath
from lapel.credentials.signing.outside_signer import OutsideSigner
from lapel.credentials.signing.process import SigningProcess
from lapel.database.errors import WrongSchema
from lapel.database.factory import DatabaseFactory
from lapel.database.interface import Database
from lapel.domain.addresses import PUBLIC_URL_FACT
from lapel.domain.clock import system_clock
from lapel.domain.identifiers import uuid7_source
from lapel.errors import Conflict
from lapel.fetching.caching import CachingFetcher
from lapel.from_settings import database_settings_of, master_key_of
from lapel.http.metrics import Peers
from lapel.http.services import Services
from lapel.logs import reason_of
from lapel.maintenance.copying import refuse_unfinished
from lapel.parts import Parts
from lapel.services.access.api_keys import CreatedApiKey
from lapel.services.issuing.bulk_issuing import BulkIssuing
from lapel.services.keys.master_key import StoredMasterKey
from lapel.verifier import open_verifying, start_settings

__all__ = [
    "Application",
    "PublicUrlDiffers",
    "build",
    "master_key_of",
    "open_database",
    "open_verifying",
    "reason_of",
    "start_settings",
]


class PublicUrlDiffers(Conflict):
    """The server issues under a different address than this command would."""

    code = "public_url_differs"
    hint = "Leave LAPEL_PUBLIC_URL unset to take the server's, or start the server under this one first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A wired application, with nothing opened yet. Use it as an asynchronous context manager, which closes it."""

    settings: Settings
    database: Database
    services: Services
    master_key: StoredMasterKey
    fetcher: CachingFetcher
    general_path: GeneralPath
    bulk_issuing: BulkIssuing
    signing_process: SigningProcess | None = None
    outside_signer: OutsideSigner | None = None

    async def start(self, *, make: bool = True) -> None:
        """Connect to the database, and check its schema and the master key.

        Args:
            make: migrate an embedded database first, and create the master key of a new one. A database that several
                processes share is never migrated here: several versions of Lapel may be running on it.

        Raises:
            WrongSchema: the database needs `lapel db migrate`.
            UnfinishedCopy: the database is the target of a `lapel db copy` that has not finished.
            WrongMasterKey: the database was created under another master key.
        """
        await self.database.connect()
        if make and not self.database.capabilities.several_processes:
            await self.database.migrate()
        status = await self.database.migration_status()
        if status.pending:
            pending = ", ".join(status.pending)
            raise WrongSchema(f"The database's tables are not those of this version; migrations to run: {pending}.")
        await refuse_unfinished(self.database)
        await self.master_key.establish(self.database, make=make)

    async def first_key(self) -> CreatedApiKey | None:
        """Make sure that there is an administrator's key: ``LAPEL_ADMIN_KEY``, or a new key on an empty database.

        Returns:
            The new key, if one was created. It has to be shown now: only its hash is stored.
        """
        if self.settings.admin_key is not None:
            await self.services.api_keys.ensure_admin(self.settings.admin_key.get_secret_value())
            return None
        return await self.services.api_keys.bootstrap()

    async def public_url_warning(self) -> str | None:
        """Store in the database the public URL under which this server issues badges. Call it after `start`.

        Returns:
            A warning for the operator if badges were issued under another public URL.
        """
        configured = self.settings.public_url
        async with self.database.transaction() as tx:
            stored = (await tx.server_facts.put_if_absent(PUBLIC_URL_FACT, configured.encode())).decode()
            if stored == configured:
                return None
            if await tx.issuers.default() is None:  # no badge carries the old URL
                await tx.server_facts.replace(PUBLIC_URL_FACT, configured.encode())
                return None
        return (
            f"The public URL is {configured}, but badges of this database were issued under {stored}. Those carry the"
            " old address: they cannot be opened or verified unless it answers."
            f" Set LAPEL_PUBLIC_URL back to {stored}, or keep {stored} answering from this server."
        )

    async def signer_warning(self) -> str | None:
        """Return a warning for the operator if an outside signer is configured and does not answer."""
        problem = None if self.outside_signer is None else await self.outside_signer.problem()
        return problem and (
            f"{problem} Until it does, what its keys should sign is answered with 503."
            " Is it running, and does LAPEL_SIGNER_SOCKET name its socket?"
        )

    async def under_stored_public_url(self) -> Application:
        """Return the application with which a command issues: under the public URL that the server has stored.

        That is this application if the two URLs agree, otherwise a second one on the same database. If no server has
        stored a URL yet, this one's is stored. Only a server replaces it.

        Raises:
            PublicUrlDiffers: LAPEL_PUBLIC_URL is set to another URL.
        """
        configured = self.settings.public_url
        stored = (
            await self.database.run(lambda tx: tx.server_facts.put_if_absent(PUBLIC_URL_FACT, configured.encode()))
        ).decode()
        if stored == configured:
            return self
        if not self.settings.public_url_is_default:
            raise PublicUrlDiffers(
                f"LAPEL_PUBLIC_URL is {configured}, but this database's server issues under {stored}."
            )
        settings = self.settings.model_copy(update={"public_url": stored})
        return build(settings, database=self.database, master_key=self.master_key)

    async def stop(self) -> None:
        """Close every part, even if closing one of them fails. A second call does nothing."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.database.disconnect)  # pushed first, so it runs last
            for part in (self.outside_signer, self.signing_process, self.general_path, self.fetcher):
                if part is not None:
                    stack.push_async_callback(part.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


def open_database(
    settings: Settings, *, serves: bool = False, make: bool = True, patience: float | None = None
) -> Database:
    """Return the configured database, not connected yet.

    Args:
        serves: the process is a server; an embedded database allows one at a time.
        make: create the file of an embedded database if there is none.
        patience: at most this many seconds to connect, for a command that somebody is waiting for.

    Raises:
        UnknownDatabaseType: DB_TYPE names no installed module.
    """
    database_settings = database_settings_of(settings, serves=serves, make=make, patience=patience)
    return DatabaseFactory.with_installed_modules().create(settings.db_type, database_settings)


def build(
    settings: Settings,
    *,
    serves: bool = False,
    make: bool = True,
    patience: float | None = None,
    database: Database | None = None,
    master_key: StoredMasterKey | None = None,
    peers: Peers | None = None,
) -> Application:
    """Wire an application. Nothing is connected yet.

    Args:
        serves, make, patience: as for `open_database`.
        database, master_key: use these in place of the configured ones.
        peers: the processes that serve together with this one, if there are others.

    Raises:
        UnknownDatabaseType: DB_TYPE names no installed module.
        MissingMasterKey: no master key is configured, and this database needs a configured one.
    """
    database = database or open_database(settings, serves=serves, make=make, patience=patience)
    master_key = master_key or master_key_of(settings, database)
    parts = Parts(
        settings,
        database=database,
        master_key=master_key.key,
        clock=system_clock,
        new_id=uuid7_source(),
        peers=peers,
    )
    return Application(
        settings=settings,
        database=database,
        services=parts.services,
        master_key=master_key,
        fetcher=parts.fetcher,
        general_path=parts.general_path,
        bulk_issuing=parts.bulk_issuing,
        signing_process=parts.signing_process,
        outside_signer=parts.outside_signer,
    )

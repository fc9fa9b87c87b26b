"""Verifies a sample of the copied credentials with the copied keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct, json

from lapel.credentials.jsonld import Contexts, GeneralPath
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.statement import Row
from lapel.database.tables import credentials
from lapel.domain.addresses import PUBLIC_URL_FACT, Addresses
from lapel.domain.clock import Clock
from lapel.domain.fetching import Fetched, FetchNotFound, FetchRefused
from lapel.domain.identifiers import parse_id
from lapel.domain.json import JsonObject
from lapel.errors import LapelError
from lapel.maintenance.copying.parity import CopyDiffers
from lapel.maintenance.verdict import SIGNATURE, damage_in, is_genuine
from lapel.openbadges import profile
from lapel.services.keys.published_keys import published_key
from lapel.services.verifying import Verifying

__all__ = ["Sample", "SampleResult"]

_SIZE: Final = 25
_NAMES: Final = [column.name for column in credentials.columns]
_ID, _SIGNED = _NAMES.index("id"), _NAMES.index("signed")


class SampleResult(Struct, frozen=True, kw_only=True):
    """The result of the verification.

    Attributes:
        sampled: the number of credentials in the sample.
        good: the number with a valid signature. The keys of the others are not in the database.
    """

    sampled: int
    good: int


class Sample:
    """A sample of credentials from all over the table.

    Args:
        rows: the number of the table's rows.
    """

    def __init__(self, rows: int) -> None:
        self._every = max(rows // _SIZE, 1)
        self._rows_seen = 0
        self._credentials: list[tuple[str, bytes]] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Sample the next rows, which are in their plain form."""
        for row in rows[-self._rows_seen % self._every :: self._every]:
            signed = row[_SIGNED]
            if isinstance(signed, bytes) and signed:  # empty if the credential is erased
                self._credentials.append((str(row[_ID]), signed))
        self._rows_seen += len(rows)

    async def verify(self, tables: RepositoryFactory, *, contexts: Contexts, clock: Clock) -> SampleResult:
        """Verify the signatures of the sample, without fetching anything.

        Raises:
            CopyDiffers: a signature is invalid.
        """
        public_url = await tables.server_facts.find(PUBLIC_URL_FACT)
        if public_url is None:
            return SampleResult(sampled=len(self._credentials), good=0)
        own = _Issuers(tables, Addresses(public_url.decode()))
        good = 0
        async with GeneralPath(contexts) as general_path:
            verifying = Verifying(
                fetcher=_NoNetwork(), clock=clock, contexts=contexts, general_path=general_path, own=own
            )
            for name, signed in self._credentials:
                good += await _is_good(verifying, name, signed)
        return SampleResult(sampled=len(self._credentials), good=good)


async def _is_good(verifying: Verifying, name: str, signed: bytes) -> bool:
    try:
        report = await verifying.verify(signed)
    except LapelError as error:
        raise CopyDiffers(f"Credential {name} cannot be read: {error.detail}", hint=_HINT) from error
    if damage_in(report.checks, among=SIGNATURE) is not None:
        raise CopyDiffers(f"The signature of credential {name} is not that of its issuer's key.", hint=_HINT)
    return is_genuine(report.checks)


_HINT: Final = (
    "Both databases hold the same: verify it on the source's server, and restore a backup from when it was good."
)


class _NoNetwork:
    """A `lapel.domain.ports.Fetcher` that refuses to fetch."""

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        raise FetchRefused("Nothing is fetched for a copy.")


class _Issuers:
    """The issuers' documents, created from the tables; implements `lapel.services.verifying.OwnDocuments`."""

    def __init__(self, tables: RepositoryFactory, addresses: Addresses) -> None:
        self._tables = tables
        self._addresses = addresses

    async def find(self, url: str) -> Fetched | None:
        start = f"{self._addresses.base}/v3/issuers/"
        if not url.startswith(start):
            return None
        try:
            document = await self._document(url.removeprefix(start).split("/"))
        except LapelError as error:
            raise FetchNotFound(status=404) from error
        body = json.encode(document)
        return Fetched(url=url, media_type="application/json", body=body, status=200, etag=None)

    async def _document(self, path: Sequence[str]) -> JsonObject:
        issuer_id: UUID = parse_id(path[0])
        issuer = await self._tables.issuers.get(issuer_id)
        keys = [published_key(key) for key in await self._tables.signing_keys.of_issuer(issuer_id)]
        match path[1:]:
            case []:
                return profile.issuer_document(issuer, keys, self._addresses)
            case ["did.json"]:
                return profile.did_document(issuer, keys, self._addresses)
            case ["keys", name]:
                for key in keys:
                    if key.id == parse_id(name):
                        return profile.key_document(key, issuer=issuer, addresses=self._addresses)
        raise FetchNotFound(status=404)

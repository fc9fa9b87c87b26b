"""This server's public documents, as somebody elsewhere fetches them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from lapel.credentials import bitstring_status_list
from lapel.credentials.jsonld import Contexts
from lapel.domain.credential import Credential, CredentialFormat
from lapel.domain.fetching import Fetched, FetchNotFound
from lapel.errors import Gone
from lapel.services.renditions import AssertionRevoked
from lapel.services.verifying import Outcome, Report, Verifying
from tests.unit.services.server import BASE, Server

__all__ = ["Site", "bit", "context_loader", "failures", "verify"]


class Site:
    """A fetcher that finds what the server publishes, and nothing else."""

    def __init__(
        self,
        server: Server,
        *,
        lists: CredentialFormat = CredentialFormat.EDDSA_RDFC_2022,
        replayed: Mapping[str, bytes] | None = None,
    ) -> None:
        self.server = server
        self.lists = lists  # how status lists are secured
        self.replayed = replayed or {}  # what somebody between shows in place of what is published

    async def fetch(self, url: str, *, accept: str = "", max_bytes: int | None = None) -> Fetched:
        if not url.startswith(f"{BASE}/"):
            raise FetchNotFound("404", status=404)
        try:
            body = await self.body(url)
        except AssertionRevoked as error:
            raise FetchNotFound("410", status=410, body=json.dumps(error.document).encode()) from error
        except Gone as error:
            raise FetchNotFound("410", status=410) from error
        return Fetched(url, "application/ld+json", body, 200, None)

    async def body(self, url: str) -> bytes:
        if url in self.replayed:
            return self.replayed[url]
        version, kind, name, *rest = url.removeprefix(f"{BASE}/").split("/")
        if (version, kind) == ("v3", "status-lists"):
            among = rest == ["revocations"]
            signed = await self.server.statuses.status_list(UUID(name), revocations=among, format=self.lists)
            return signed.content
        return json.dumps(await self.document(version, kind, UUID(name), rest)).encode()

    async def document(self, version: str, kind: str, name: UUID, rest: list[str]) -> Any:
        issuers, renditions = self.server.issuers, self.server.renditions
        match version, kind, rest:
            case "v3", "issuers", []:
                return await issuers.document(name)
            case "v3", "issuers", ["did.json"]:
                return await issuers.did_document(name)
            case "v3", "issuers", ["keys", key]:
                return await issuers.key_document(name, UUID(key))
            case "v2", "issuers", []:
                return await renditions.v2_issuer(name)
            case "v2", "issuers", ["revocations"]:
                return await renditions.v2_revocations(name)
            case "v2", "issuers", ["keys", key]:
                return await renditions.v2_key(name, UUID(key))
            case "v2", "badge-classes", []:
                return await renditions.v2_badge_class(name)
            case "v2", "assertions", []:
                return await renditions.v2_assertion(name)
        raise AssertionError(f"nothing is at {version}/{kind}/{name}/{rest}")


async def bit(server: Server, credential: Credential, *, revocations: bool = False) -> int:
    """The credential's bit as its list is published."""
    assert credential.status_list_id is not None
    assert credential.status_index is not None
    signed = await server.statuses.status_list(credential.status_list_id, revocations=revocations)
    bits = bitstring_status_list.decode(json.loads(signed.content)["credentialSubject"]["encodedList"])
    return bitstring_status_list.read(bits, credential.status_index)


async def verify(server: Server, badge: bytes | str, *, site: Site | None = None, **options: Any) -> Report:
    """What Lapel's own verifier, which knows only what is published, says of a badge."""
    verifying = Verifying(
        fetcher=site or Site(server), clock=lambda: server.now, contexts=Contexts.bundled(), general_path=None
    )
    return await verifying.verify(badge, **options)


def failures(report: Report) -> list[str]:
    """The checks that did not pass, for the message of an assertion."""
    return [f"{check.code}: {check.sentence}" for check in report.checks if check.outcome is not Outcome.PASS]


def context_loader(url: str, _: object = None) -> dict[str, Any]:
    """The pinned contexts, for PyLD."""
    return {"document": Contexts.bundled().document(url), "documentUrl": url, "contextUrl": None}

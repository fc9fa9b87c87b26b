"""This server's public documents, as somebody elsewhere fetches them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from lapel.credentials.jsonld import Contexts
from lapel.domain.fetching import Fetched, FetchNotFound
from lapel.errors import Gone
from lapel.services.renditions import AssertionRevoked
from lapel.services.verifying import Outcome, Report, Verifying
from tests.unit.services.server import BASE, Server

__all__ = ["Site", "context_loader", "failures", "verify"]


class Site:
    """A fetcher that finds what the server publishes, and nothing else."""

    def __init__(self, server: Server) -> None:
        self.server = server

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
        version, kind, name, *rest = url.removeprefix(f"{BASE}/").split("/")
        if (version, kind) == ("v3", "status-lists"):
            return (await self.server.statuses.status_list(UUID(name))).content
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


async def verify(server: Server, badge: bytes | str, **options: Any) -> Report:
    """What Lapel's own verifier, which knows only what is published, says of a badge."""
    verifying = Verifying(
        fetcher=Site(server), clock=lambda: server.now, contexts=Contexts.bundled(), general_path=None
    )
    return await verifying.verify(badge, **options)


def failures(report: Report) -> list[str]:
    """The checks that did not pass, for the message of an assertion."""
    return [f"{check.code}: {check.sentence}" for check in report.checks if check.outcome is not Outcome.PASS]


def context_loader(url: str, _: object = None) -> dict[str, Any]:
    """The pinned contexts, for PyLD."""
    return {"document": Contexts.bundled().document(url), "documentUrl": url, "contextUrl": None}

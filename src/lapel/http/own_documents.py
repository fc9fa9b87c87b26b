"""This server's own public documents, for verifications that need one: read from the services instead of over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from msgspec import json

from lapel.domain.addresses import Addresses
from lapel.domain.fetching import Fetched, FetchFailed, FetchNotFound
from lapel.domain.identifiers import parse_id
from lapel.domain.json import JsonObject
from lapel.errors import Gone, InvalidInput, LapelError, NotFound, Unavailable
from lapel.services.achievements import Achievements
from lapel.services.credentials import Credentials
from lapel.services.issuers import Issuers
from lapel.services.renditions import AssertionRevoked, Renditions
from lapel.services.status import Statuses

__all__ = ["OwnDocuments"]

_log = structlog.get_logger("lapel.http")

_MAX_REVOCATIONS = 10_000
"""The longest revocation list that is read; it is about as large as the longest that is fetched from another server."""

_SECTIONS = ("/v2/", "/v3/", "/.well-known/")


class OwnDocumentUnread(FetchFailed, Unavailable):
    """This server cannot read its own document right now."""

    code = "own_document_unread"
    hint = Unavailable.hint


class OwnDocuments:
    """Implements `lapel.services.verifying.documents.OwnDocuments`."""

    def __init__(
        self,
        *,
        addresses: Addresses,
        issuers: Issuers,
        achievements: Achievements,
        credentials: Credentials,
        statuses: Statuses,
        renditions: Renditions,
    ) -> None:
        self._base = addresses.base
        self._issuers = issuers
        self._achievements = achievements
        self._credentials = credentials
        self._statuses = statuses
        self._renditions = renditions

    async def find(self, url: str) -> Fetched | None:
        """Return the document that this server publishes at `url`; None if the URL is not one of this server's.

        Raises:
            FetchNotFound: this server has nothing at the URL (404), or no longer has anything there (410).
            OwnDocumentUnread: the document could not be read.
        """
        path = url[len(self._base) :].partition("?")[0] if url.startswith(f"{self._base}/") else ""
        if not path.startswith(_SECTIONS):
            return None
        try:
            body, media_type = await self._read(path.strip("/").split("/"))
        except (NotFound, InvalidInput) as error:
            raise FetchNotFound(error.detail, status=404) from error
        except Gone as error:
            document = error.document if isinstance(error, AssertionRevoked) else {}
            raise FetchNotFound(error.detail, status=410, body=json.encode(document)) from error
        except LapelError as error:
            # The error's text may name the database's host and user, and anybody can see this one.
            _log.warning("own_document_unread", url=url, code=error.code, detail=error.detail)
            raise OwnDocumentUnread from error
        return Fetched(url=url, media_type=media_type, body=body, status=200, etag=None)

    async def _read(self, path: list[str]) -> tuple[bytes, str]:
        """Return the content at a path, and its media type."""
        match path:
            case ["v3", "credentials", name, "image"]:
                baked = await self._renditions.baked_image(parse_id(name))
                return baked.content, baked.media_type
            case ["v2", "assertions", name, "image"]:
                baked = await self._renditions.v2_baked_image(parse_id(name))
                return baked.content, baked.media_type
        return await self._read_json(path), "application/json"

    async def _read_json(self, path: list[str]) -> bytes:
        documents: dict[tuple[str, str], Callable[..., Awaitable[JsonObject]]] = {
            ("v3", "issuers"): self._issuers.document,
            ("v3", "achievements"): self._achievements.document,
            ("v2", "issuers"): self._renditions.v2_issuer,
            ("v2", "badge-classes"): self._renditions.v2_badge_class,
            ("v2", "assertions"): self._renditions.v2_assertion,
        }
        match path:
            case ["v3", "credentials", name]:
                return (await self._credentials.get(parse_id(name))).signed
            case ["v3", "status-lists", name]:
                return (await self._statuses.status_list(parse_id(name))).content
            case ["v3", "status-lists", name, "revocations"]:
                return (await self._statuses.status_list(parse_id(name), revocations=True)).content
            case ["v3", "issuers", name, "did.json"]:
                return json.encode(await self._issuers.did_document(parse_id(name)))
            case ["v3", "issuers", name, "keys", key]:
                return json.encode(await self._issuers.key_document(parse_id(name), parse_id(key)))
            case ["v2", "issuers", name, "keys", key]:
                return json.encode(await self._renditions.v2_key(parse_id(name), parse_id(key)))
            case ["v2", "issuers", name, "revocations"]:
                return json.encode(await self._renditions.v2_revocations(parse_id(name), max_items=_MAX_REVOCATIONS))
            case [".well-known", "did.json"]:
                return json.encode(await self._issuers.default_did_document())
            case [".well-known", "jwks.json"]:
                return json.encode(await self._issuers.jwks())
            case [version, collection, name] if read := documents.get((version, collection)):
                return json.encode(await read(parse_id(name)))
        raise NotFound

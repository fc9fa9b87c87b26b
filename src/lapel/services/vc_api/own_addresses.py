"""Whose things a credential names: nothing of this server but the organisation's own, and never one of its lists.

A credential that names another organisation's achievement or issuer, or that is a status list itself, would speak in
somebody else's name, by a key that may issue credentials and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote
from uuid import UUID

from lapel.domain.access import Principal
from lapel.domain.addresses import Addresses
from lapel.domain.identifiers import parse_id
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.ports import Store
from lapel.errors import InvalidInput
from lapel.openbadges.problems import Problems
from lapel.services.verifying.apart import apart
from lapel.services.verifying.linked_data.spelling import expanded, nodes_of, prefixes_of
from lapel.services.verifying.members import as_list, id_of, objects

__all__ = ["OwnAddresses", "status_list_type"]

_LISTS: Final = frozenset(
    {
        *("BitstringStatusListCredential", "BitstringStatusList"),
        *("StatusList2021Credential", "StatusList2021"),
        *("RevocationList2020Credential", "RevocationList2020"),
        "1EdTechRevocationList",
    }
)
_TYPED: Final = re.compile(r"<http://www\.w3\.org/1999/02/22-rdf-syntax-ns#type> <([^>]*)>")
_SEPARATOR: Final = re.compile(r"[#/:]")
_MOST_NAMED: Final = 100
_ELSEWHERE: Final = "must not name anything that does not exist, or belongs to another organisation"


def status_list_type(document: JsonObject, canonical: str) -> str | None:
    """The first type by which the document, or something in it, is a status list; else None.

    Args:
        canonical: the document's canonical form, which says what its types mean, whatever they are called.
    """
    written = (kind for node in nodes_of(document) for kind in as_list(node.get("type")) if isinstance(kind, str))
    for kind in (*written, *_TYPED.findall(canonical)):
        if _SEPARATOR.split(kind)[-1] in _LISTS:
            return str(kind[:200])
    return None


class OwnAddresses:
    """Looks in a credential for addresses of this server."""

    def __init__(self, *, store: Store, addresses: Addresses) -> None:
        self._store = store
        self._addresses = addresses

    async def check(self, problems: Problems, given: JsonObject, principal: Principal) -> None:
        """Note as problems what the credential names of this server and may not."""
        ids, suspects = await apart(given, self._named, problems, given)
        if len(ids) + len(suspects) > _MOST_NAMED:
            detail = f"must not name more than {_MOST_NAMED} achievements of this server and creators by their DIDs"
            problems.add("/credentialSubject", detail, "too_many")
            return
        for name in ids:
            if not await self._has_achievement(principal, name or ""):
                problems.add("/credentialSubject/achievement/id", _ELSEWHERE, "not_allowed")
        for name in suspects:
            if not await self._may_create(principal, name or ""):
                problems.add("/credentialSubject/achievement/creator", _ELSEWHERE, "not_allowed")

    def _named(self, problems: Problems, given: JsonObject) -> tuple[set[str | None], set[str | None]]:
        """The ids of achievements that are this server's, and the creators that may be somebody's here."""
        prefixes = prefixes_of(given)
        if self._is_own(given.get("id"), prefixes):
            problems.add("/id", "must not be an address of this server: leave it out to get one", "not_allowed")
        if any(self._is_own(text, prefixes) for text in _texts(given.get("credentialStatus"))):
            detail = "must not be an entry of this server's lists: leave it out to get one"
            problems.add("/credentialStatus", detail, "not_allowed")
        subjects = objects(given.get("credentialSubject"))
        achievements = [one for subject in subjects for one in as_list(subject.get("achievement"))]
        ids = {name for name in map(id_of, achievements) if self._is_own(name, prefixes)}
        creators = {id_of(one) for each in objects(achievements) for one in as_list(each.get("creator"))}
        return ids, {name for name in creators if (name or "").startswith("did:") or self._is_own(name, prefixes)}

    def _is_own(self, value: JsonValue, prefixes: Mapping[str, str]) -> bool:
        return isinstance(value, str) and self._addresses.is_own_url(expanded(value, prefixes))

    async def _has_achievement(self, principal: Principal, named: str) -> bool:
        own = _id_in(named, f"{self._addresses.base}/v3/achievements/")
        found = None if own is None else await self._store.read().achievements.find(own)
        return found is not None and found.organisation_id == principal.organisation_id

    async def _may_create(self, principal: Principal, named: str) -> bool:
        """Whether that is an issuer of the organisation, or the DID of nobody here."""
        issuers = self._store.read().issuers
        if named.startswith("did:"):
            known = await issuers.find_by_did(named)
            if known is not None:
                return known.organisation_id == principal.organisation_id
            # An issuer's address is a `did:web`, too, where the issuer is published under another name.
            return not self._addresses.is_own_url(_web_address(named))
        own = _id_in(named, f"{self._addresses.base}/v3/issuers/")
        found = None if own is None else await issuers.find(own)
        return found is not None and found.organisation_id == principal.organisation_id


def _web_address(did: str) -> str:
    """The https address that a ``did:web`` stands for; the DID itself where it is another one (did:web, 2.5.2)."""
    name = did.removeprefix("did:web:")
    return did if name == did else f"https://{unquote(name.replace(':', '/'))}"


def _id_in(address: str, prefix: str) -> UUID | None:
    """The id in an address that is written exactly as this server writes it."""
    try:
        found = parse_id(address.removeprefix(prefix))
    except InvalidInput:
        return None
    return found if address == f"{prefix}{found}" else None


def _texts(value: JsonValue) -> Iterator[str]:
    """Every text in a value, at whatever depth."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, Sequence):
            waiting.extend(item)

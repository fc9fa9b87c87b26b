"""Checks which objects of this server a credential names: only the organisation's own, and never a status list.

A credential that names another organisation's achievement or issuer, or that is a status list itself, would speak in
another one's name, by an API key that may only issue credentials.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from lapel.domain.access import Principal
from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, id_of, objects
from lapel.domain.ports import Store
from lapel.openbadges.problems import Problems
from lapel.services.issuing.endorsement_writing import NOT_FOUND
from lapel.services.verifying.linked_data.spelling import expanded, nodes_of, prefixes_of
from lapel.services.verifying.offloading import offload_if_large

__all__ = ["OwnAddresses", "status_list_type"]

_STATUS_LIST_TYPES: Final = frozenset(
    {
        *("BitstringStatusListCredential", "BitstringStatusList"),
        *("StatusList2021Credential", "StatusList2021"),
        *("RevocationList2020Credential", "RevocationList2020"),
        "1EdTechRevocationList",
    }
)
_TYPE_QUAD: Final = re.compile(r"<http://www\.w3\.org/1999/02/22-rdf-syntax-ns#type> <([^>]*)>")
_SEPARATOR: Final = re.compile(r"[#/:]")
_CREDENTIALS: Final = ("/v3/credentials", "/v2/assertions")
_MAX_NAMED: Final = 100
_ELSEWHERE: Final = "must not name anything that does not exist, or belongs to another organisation"


def status_list_type(document: JsonObject, canonical: str) -> str | None:
    """Return the first type that makes the document, or an object in it, a status list; None without one.

    Args:
        canonical: the document's canonical form, which has the meaning of its types, whatever terms it uses.
    """
    terms = (term for node in nodes_of(document) for term in as_list(node.get("type")) if isinstance(term, str))
    for name in (*terms, *_TYPE_QUAD.findall(canonical)):
        if _SEPARATOR.split(name)[-1] in _STATUS_LIST_TYPES:
            return str(name[:200])
    return None


class OwnAddresses:
    """Checks the addresses of this server in a credential."""

    def __init__(self, *, store: Store, addresses: Addresses) -> None:
        self._store = store
        self._addresses = addresses

    async def check(self, problems: Problems, given: JsonObject, principal: Principal) -> str | None:
        """Record as problems the objects of this server that the credential must not name.

        Returns:
            The id of the credential of this server that it is about, if it is about one.
        """
        achievements, creators, endorsed = await offload_if_large(given, self._named, problems, given)
        if endorsed is not None and not await self._is_here(endorsed):
            problems.add("/credentialSubject/id", NOT_FOUND, "not_found")
        if len(achievements) + len(creators) > _MAX_NAMED:
            detail = f"must not name more than {_MAX_NAMED} achievements of this server and creators by their DIDs"
            problems.add("/credentialSubject", detail, "too_many")
            return endorsed
        for name in achievements:
            if not await self._has_achievement(principal, name or ""):
                problems.add("/credentialSubject/achievement/id", _ELSEWHERE, "not_allowed")
        for name in creators:
            if not await self._may_be_creator(principal, name or ""):
                problems.add("/credentialSubject/achievement/creator", _ELSEWHERE, "not_allowed")
        return endorsed

    def _named(self, problems: Problems, given: JsonObject) -> tuple[set[str | None], set[str | None], str | None]:
        """Return what may be this server's: ids of achievements and of creators, and of a credential it is about."""
        prefixes = prefixes_of(given)
        if self._is_own(given.get("id"), prefixes):
            problems.add("/id", "must not be an address of this server: leave it out to get one", "not_allowed")
        if any(self._is_own(text, prefixes) for text in _texts(given.get("credentialStatus"))):
            detail = "must not be an entry of this server's lists: leave it out to get one"
            problems.add("/credentialStatus", detail, "not_allowed")
        subjects = objects(given.get("credentialSubject"))
        achievements = [item for subject in subjects for item in as_list(subject.get("achievement"))]
        ids = {name for name in map(id_of, achievements) if self._is_own(name, prefixes)}
        creators = {
            id_of(item) for achievement in objects(achievements) for item in as_list(achievement.get("creator"))
        }
        creators = {name for name in creators if (name or "").startswith("did:") or self._is_own(name, prefixes)}
        return ids, creators, self._endorsed(problems, given, prefixes)

    def _is_own(self, value: JsonValue, prefixes: Mapping[str, str]) -> bool:
        return isinstance(value, str) and self._addresses.is_own_url(expanded(value, prefixes))

    def _endorsed(self, problems: Problems, given: JsonObject, prefixes: Mapping[str, str]) -> str | None:
        """Return the id of a credential of this server that it is about. Erasing that finds it by its first subject."""
        names = [name for name in map(id_of, as_list(given.get("credentialSubject"))) if name is not None]
        if names and expanded(names[0], prefixes) != names[0]:
            problems.add("/credentialSubject/id", "must be written in full, not with a prefix", "not_allowed")
        own = [name for name in names if self._is_own_credential(expanded(name, prefixes))]
        if any(name != names[0] for name in own):
            detail = "must not be a credential of this server beside another subject"
            problems.add("/credentialSubject/id", detail, "not_allowed")
        return own[0] if own else None

    def _is_own_credential(self, address: str) -> bool:
        return any(self._addresses.is_own_url(address, collection=collection) for collection in _CREDENTIALS)

    async def _is_here(self, endorsed: str) -> bool:
        credential_id = self._addresses.exact_id(endorsed, collection="/v3/credentials")
        credential = None if credential_id is None else await self._store.read().credentials.find(credential_id)
        return credential is not None and credential.erased_at is None

    async def _has_achievement(self, principal: Principal, address: str) -> bool:
        achievement_id = self._addresses.exact_id(address, collection="/v3/achievements")
        achievement = None if achievement_id is None else await self._store.read().achievements.find(achievement_id)
        return principal.own(achievement) is not None

    async def _may_be_creator(self, principal: Principal, name: str) -> bool:
        """Return whether it is an issuer of the organisation, or a DID that is not an issuer of this server."""
        issuers = self._store.read().issuers
        if name.startswith("did:"):
            issuer = await issuers.find_by_did(name)
            if issuer is not None:
                return principal.own(issuer) is not None
            # The address of an issuer with another identifier can be written as a `did:web`, too.
            return not self._addresses.is_own_url(_web_address(name))
        issuer_id = self._addresses.exact_id(name, collection="/v3/issuers")
        issuer = None if issuer_id is None else await issuers.find(issuer_id)
        return principal.own(issuer) is not None


def _web_address(did: str) -> str:
    """Return the https address of a ``did:web`` (did:web, 2.5.2), or another DID unchanged."""
    name = did.removeprefix("did:web:")
    return did if name == did else f"https://{unquote(name.replace(':', '/'))}"


def _texts(value: JsonValue) -> Iterator[str]:
    """Yield every string in a value, at any depth."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            pending.extend(item.values())
        elif isinstance(item, Sequence):
            pending.extend(item)

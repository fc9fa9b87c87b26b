"""Issuers: create, change, publish."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from lapel.credentials import keys
from lapel.credentials.did import InvalidDid, did_key, did_web
from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.issuer import IdentityMethod, Issuer
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.listing import fold_name
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.ports import Clock, IdSource, Isolation, Store, Transaction
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.errors import NotFound
from lapel.openbadges import checks, profile, profile_checks
from lapel.openbadges.problems import LONG, Problems
from lapel.openbadges.shapes import Address, Profile
from lapel.openbadges.stored_members import EXTENSIONS, IMAGE, image_object
from lapel.openbadges.syntax import email_problem, phone_problem
from lapel.services.auditing.recording import record
from lapel.services.changing import changing, require_version
from lapel.services.endorsing.endorsements import Endorsements, merged
from lapel.services.idempotency import done_once
from lapel.services.images import Images
from lapel.services.keys.key_ring import KeyRing
from lapel.services.keys.published_keys import published
from lapel.services.paging import DEFAULT_PAGE, Page, name_after, name_key, page_of
from lapel.services.patching import new_extensions, new_image, patched
from lapel.services.requests import IssuerChanges, NewIssuer

__all__ = ["Issuers"]

_MOST_IN_SET: Final = 250
"""How many keys ``/.well-known/jwks.json`` has of other issuers than the default one."""


class Issuers:
    """The profiles that award, and their public documents."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: IdSource,
        addresses: Addresses,
        key_ring: KeyRing,
        images: Images,
        endorsements: Endorsements,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._addresses = addresses
        self._key_ring = key_ring
        self._images = images
        self._endorsements = endorsements

    async def create(self, principal: Principal, request: NewIssuer, once: IdempotentRequest | None = None) -> Issuer:
        """Store a new issuer of the principal's organisation, with its Ed25519 key.

        Raises:
            Forbidden: no scope ``issuers:write``.
            InvalidInput: with one FieldError per problem.
            DoneBefore: `once` was done already.
        """
        principal.require(Scope.ISSUERS_WRITE)
        now = self._clock()
        blank = Issuer(
            id=self._new_id(),
            organisation_id=principal.organisation_id,
            version=1,
            name="",
            identity=request.identity,
            created_at=now,
            updated_at=now,
        )
        key = await self._key_ring.generate(blank.id, blank.organisation_id, KeyAlgorithm.ED25519)
        problems = Problems()
        issuer = _applied(problems, self._identified(problems, blank, key), request, self._addresses)
        image_id = await self._images.resolve(principal, problems, request.image)
        problems.raise_any()
        issuer = _completed(issuer, image_id, {})

        async def body(tx: Transaction) -> None:
            await tx.issuers.create(issuer)
            await record(tx, principal, Action.ISSUER_CREATED, issuer.id, after=issuer)
            await self._key_ring.add(tx, key, by=principal)

        await done_once(self._store, once, body, issuer.id, isolation=Isolation.SERIALIZABLE)
        return issuer

    async def get(self, issuer_id: UUID) -> Issuer:
        """The issuer, of whatever organisation: issuers are public. Raises NotFound."""
        return await self._store.read().issuers.get(issuer_id)

    async def id_of(self, did: str) -> UUID:
        """The id of the issuer that is published under that DID. Raises NotFound."""
        issuer = await self._store.read().issuers.find_by_did(did)
        if issuer is None:
            raise NotFound(f"There is no issuer {did[:200]}.", hint="`GET /v3/issuers` lists them.")
        return issuer.id

    async def own(self, principal: Principal, issuer_id: UUID) -> Issuer:
        """The issuer, if it is the principal's organisation's. Raises NotFound."""
        principal.require(Scope.READ)
        return _owned(principal, await self.get(issuer_id))

    async def page(
        self,
        principal: Principal,
        *,
        name: str | None = None,
        before: UUID | None = None,
        key: bytes = b"",
        limit: int = DEFAULT_PAGE,
    ) -> Page[Issuer]:
        """The organisation's issuers, newest first.

        Args:
            name: only those whose name begins so, in the order of their names.
        """
        principal.require(Scope.READ)
        issuers, organisation = self._store.read().issuers, principal.organisation_id
        if name is None:
            return page_of(await issuers.page(organisation, before=before, limit=limit + 1), limit=limit)
        found = await issuers.page_by_name(
            organisation, fold_name(name), after=name_after(key, before), limit=limit + 1
        )
        return page_of(found, limit=limit, key=name_key)

    async def change(
        self,
        principal: Principal,
        issuer_id: UUID,
        changes: IssuerChanges,
        *,
        expected_version: int | None = None,
    ) -> Issuer:
        """The changed issuer. Credentials that were issued stay as they are.

        Raises:
            PreconditionFailed: `expected_version` is given and is not the stored version.
        """
        principal.require(Scope.ISSUERS_WRITE)
        before, problems = _owned(principal, await self.get(issuer_id)), Problems()
        _applied(problems, before, changes, self._addresses)
        image, same = new_image(Problems(), changes.image, _image(before, self._addresses))
        image_id = UNSET if same else await self._images.resolve(principal, problems, image)
        endorsed = await self._endorsements.read(
            problems,
            "",
            changes.endorsement,
            changes.endorsement_jwt,
            about={profile.issuer_iri(before, self._addresses), self._addresses.issuer(before.id)},
        )
        problems.raise_any()

        async def body(tx: Transaction) -> Issuer:
            issuer = await tx.issuers.get(issuer_id)
            require_version("issuer", issuer, expected_version)
            anew = Problems()
            changed = _completed(_applied(anew, issuer, changes, self._addresses), image_id, endorsed)
            anew.raise_any()  # what somebody else has changed meanwhile may not go together with this
            if changed == issuer:
                return issuer
            changed = replace(changed, version=issuer.version + 1, updated_at=self._clock())
            await tx.issuers.update(changed, expected_version=issuer.version)
            await record(tx, principal, Action.ISSUER_CHANGED, issuer_id, before=issuer, after=changed)
            return changed

        return await changing(self._store, body, again=expected_version is None)

    async def delete(self, principal: Principal, issuer_id: UUID, *, expected_version: int | None = None) -> None:
        """Remove an issuer with its keys. Its image stays, for others may show it.

        Raises:
            InUse: it has achievements, or has issued credentials.
            PreconditionFailed: `expected_version` is given and is not the stored version.
        """
        principal.require(Scope.ISSUERS_WRITE)
        _owned(principal, await self.get(issuer_id))

        async def body(tx: Transaction) -> None:
            removed = await tx.issuers.delete(issuer_id)
            require_version("issuer", removed, expected_version)
            await record(tx, principal, Action.ISSUER_DELETED, issuer_id, before=removed)

        await self._store.run(body)

    # --- documents ---

    async def document(self, issuer_id: UUID) -> JsonObject:
        """The public document: Profile and controller document in one. Raises NotFound."""
        issuer = await self.get(issuer_id)
        return profile.issuer_document(issuer, await self._keys(issuer), self._addresses)

    async def did_document(self, issuer_id: UUID) -> JsonObject:
        """The document of a DID issuer's DID; of an ``https`` issuer, of the did:web that its URL gives.

        Raises:
            NotFound: no such issuer.
        """
        issuer = await self.get(issuer_id)
        other = self._did_web(self._addresses.issuer(issuer.id)) if issuer.did is None else None
        return profile.did_document(issuer, await self._keys(issuer), self._addresses, did=other)

    async def default_did_document(self) -> JsonObject:
        """``/.well-known/did.json``: the default issuer's, under the did:web of this server.

        Raises:
            NotFound: there is no issuer yet.
        """
        issuer = await self._default()
        own_host = self._did_web(self._addresses.base)
        return profile.did_document(issuer, await self._keys(issuer), self._addresses, did=own_host)

    async def jwks(self) -> JsonObject:
        """``/.well-known/jwks.json``: the public keys of the default organisation's issuers (RFC 7517); maybe none.

        First the default issuer's, then the newest of the others: 1EdTech's implementation guide ("Key provenance")
        looks here for the ``kid`` of whatever an issuer at this host has signed. What is older is found at its ``kid``.
        Without compromised ones: a JWK cannot say since when it is not to be believed.
        """
        read = self._store.read()
        default = await read.issuers.default()
        if default is None:
            return {"keys": []}
        newest = await read.signing_keys.newest(DEFAULT_ORGANISATION_ID, limit=_MOST_IN_SET)
        keys = {key.id: key for key in (*await self._key_ring.public_keys(default.id), *newest)}
        issuers = {issuer_id: await read.issuers.find(issuer_id) for issuer_id in {key.issuer_id for key in newest}}
        issuers[default.id] = default
        found = [
            profile.key_document(published(key), issuer=issuer, addresses=self._addresses)
            for key in keys.values()
            if key.compromised_at is None and (issuer := issuers[key.issuer_id]) is not None
        ]
        return {"keys": found}

    async def key_document(self, issuer_id: UUID, key_id: UUID) -> JsonObject:
        """One public key as a JWK: what a VC-JWT's ``kid`` dereferences to. Raises NotFound."""
        issuer = await self.get(issuer_id)
        for key in await self._keys(issuer):
            if key.id == key_id:
                return profile.key_document(key, issuer=issuer, addresses=self._addresses)
        raise NotFound(f"Issuer {issuer_id} has no key {key_id}.")

    async def _keys(self, issuer: Issuer) -> list[profile.PublishedKey]:
        return [published(key) for key in await self._key_ring.public_keys(issuer.id)]

    async def _default(self) -> Issuer:
        issuer = await self._store.read().issuers.default()
        if issuer is None:
            raise NotFound("There is no issuer yet.", hint="`POST /v3/issuers` creates one.")
        return issuer

    def _did_web(self, url: str) -> str | None:
        try:
            return did_web(url)
        except InvalidDid:  # plain http on a developer's machine
            return None

    # --- input ---

    def _identified(self, problems: Problems, issuer: Issuer, key: SigningKey) -> Issuer:
        """The issuer with its DID, where it is to have one."""
        if issuer.identity is IdentityMethod.DID_KEY:
            return replace(issuer, did=did_key(keys.load_public(key.public_key)).did)
        if issuer.identity is IdentityMethod.DID_WEB:
            did = self._did_web(self._addresses.issuer(issuer.id))
            if did is None:
                problems.add("/identity", "must not be did:web: the public URL has no https domain", "not_allowed")
            return replace(issuer, did=did)
        return issuer


def _owned(principal: Principal, issuer: Issuer) -> Issuer:
    if issuer.organisation_id != principal.organisation_id:
        raise NotFound(f"There is no issuer {issuer.id}.")
    return issuer


def _image(issuer: Issuer, addresses: Addresses) -> JsonObject:
    """Its Image object; empty where it has none."""
    return image_object(addresses.image(issuer.image_id), issuer.profile) if issuer.image_id else {}


def _applied(problems: Problems, issuer: Issuer, request: NewIssuer | IssuerChanges, addresses: Addresses) -> Issuer:
    """The issuer with the members that are given, but for its image; what is wrong with them is noted."""
    changed = replace(issuer, profile=_profile_members(problems, issuer.profile, request, _image(issuer, addresses)))
    if request.name is not UNSET:
        problems.text(request.name, "/name")
        changed = replace(changed, name=request.name)
    if request.url is not UNSET:
        checks.url(problems, request.url, "/url")
        changed = replace(changed, url=request.url)
    if request.email is not UNSET:
        if request.email is not None and (problem := email_problem(request.email)):
            problems.add("/email", problem, "bad_email")
        changed = replace(changed, email=request.email)
    if request.phone is not UNSET:
        if request.phone is not None and (problem := phone_problem(request.phone)):
            problems.add("/phone", problem, "bad_phone")
        changed = replace(changed, phone=request.phone)
    if request.description is not UNSET:
        problems.text(request.description, "/description", most=LONG)
        changed = replace(changed, description=request.description)
    return changed


def _completed(issuer: Issuer, image_id: UUID | UnsetType | None, endorsed: JsonObject) -> Issuer:
    """The issuer with what could not be told from the request alone."""
    completed = issuer if image_id is UNSET else replace(issuer, image_id=image_id)
    return replace(completed, profile=merged(completed.profile, endorsed)) if endorsed else completed


def _profile_members(
    problems: Problems, before: JsonObject, request: NewIssuer | IssuerChanges, image_before: JsonObject
) -> Mapping[str, JsonValue]:
    members: dict[str, JsonValue] = dict(before)
    if request.official is not UNSET:
        problems.text(request.official, "/official")
        members["official"] = request.official
    address = patched(problems, "/address", Address, request.address, before.get("address"))
    if address is not UNSET:
        members["address"] = None if address is None else checks.address(problems, address, "/address")
    if request.other_identifier is not UNSET:
        members["otherIdentifier"] = checks.other_identifiers(problems, request.other_identifier, "/otherIdentifier")
    parent = patched(problems, "/parentOrg", Profile, request.parent_org, before.get("parentOrg"))
    if parent is not UNSET:
        members["parentOrg"] = None if parent is None else profile_checks.profile(problems, parent, "/parentOrg")
    for name, attribute in profile_checks.PERSON_MEMBERS.items():
        value: str | date | UnsetType | None = getattr(request, attribute)
        if value is not UNSET:
            text = value.isoformat() if isinstance(value, date) else value
            problems.text(text, f"/{name}")
            members[name] = text
    image, _ = new_image(problems, request.image, image_before)
    if image is not UNSET:
        members[IMAGE] = profile_checks.image_members(problems, image)
    if request.extensions is not UNSET:
        there = before.get(EXTENSIONS, {}) if isinstance(request, IssuerChanges) else None
        members[EXTENSIONS] = new_extensions(problems, request.extensions, there)
    return {name: value for name, value in members.items() if value}

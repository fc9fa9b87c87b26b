"""Issuers: create, change and publish them."""

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
from lapel.openbadges.stored_members import image_object
from lapel.openbadges.syntax import email_problem, phone_problem
from lapel.services.auditing.recording import record
from lapel.services.embedded_endorsements import Endorsements, with_endorsements
from lapel.services.idempotency import done_once
from lapel.services.images import Images
from lapel.services.keys.key_ring import KeyRing
from lapel.services.keys.published_keys import published_key
from lapel.services.merge_patch import ResolvedMembers, patched_member, resolve_members, set_image_and_extensions
from lapel.services.paging import DEFAULT_PAGE, Page, name_after, name_key, page_of
from lapel.services.requests import IssuerChanges, NewIssuer
from lapel.services.versioned_updates import require_version, update_versioned

__all__ = ["Issuers"]

_MAX_IN_JWKS: Final = 250
"""How many keys of other issuers than the default one ``/.well-known/jwks.json`` has."""


class Issuers:
    """The issuers of all organisations, and their public documents."""

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
            DoneBefore: the request `once` was completed before.
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
        issuer = _completed(issuer, ResolvedMembers(image_id))

        async def body(tx: Transaction) -> None:
            await tx.issuers.create(issuer)
            await record(tx, principal, Action.ISSUER_CREATED, issuer.id, after=issuer)
            await self._key_ring.add(tx, key, by=principal)

        await done_once(self._store, once, body, issuer.id, isolation=Isolation.SERIALIZABLE)
        return issuer

    async def get(self, issuer_id: UUID) -> Issuer:
        """Return the issuer, of any organisation: issuers are public. Raises NotFound."""
        return await self._store.read().issuers.get(issuer_id)

    async def id_of(self, did: str) -> UUID:
        """Return the id of the issuer that is published under this DID. Raises NotFound."""
        issuer = await self._store.read().issuers.find_by_did(did)
        if issuer is None:
            raise NotFound(f"There is no issuer {did[:200]}.", hint="`GET /v3/issuers` lists them.")
        return issuer.id

    async def own(self, principal: Principal, issuer_id: UUID) -> Issuer:
        """Return the issuer. Raises NotFound unless it belongs to the principal's organisation."""
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
        """Return a page of the organisation's issuers, newest first.

        Args:
            name: restricts the list to names that begin with it, and orders it by name.
        """
        principal.require(Scope.READ)
        issuers, organisation = self._store.read().issuers, principal.organisation_id
        if name is None:
            return page_of(await issuers.page(organisation, before=before, limit=limit + 1), limit=limit)
        rows = await issuers.page_by_name(organisation, fold_name(name), after=name_after(key, before), limit=limit + 1)
        return page_of(rows, limit=limit, key=name_key)

    async def change(
        self,
        principal: Principal,
        issuer_id: UUID,
        changes: IssuerChanges,
        *,
        expected_version: int | None = None,
    ) -> Issuer:
        """Change the issuer, and return it. Credentials that were issued stay as they are.

        Raises:
            PreconditionFailed: `expected_version` is given and is not the stored version.
        """
        principal.require(Scope.ISSUERS_WRITE)
        before, problems = _owned(principal, await self.get(issuer_id)), Problems()
        _applied(problems, before, changes, self._addresses)
        image = _image(before, self._addresses)
        about = {profile.issuer_iri(before, self._addresses), self._addresses.issuer(before.id)}
        resolved = await resolve_members(
            self._images, self._endorsements, principal, problems, changes, image, about=about
        )
        problems.raise_any()

        def change(issuer: Issuer) -> Issuer:
            # Checked again, because another writer may have stored something that conflicts with these changes.
            conflicts = Problems()
            changed = _completed(_applied(conflicts, issuer, changes, self._addresses), resolved)
            conflicts.raise_any()
            return changed

        return await update_versioned(
            self._store,
            self._clock,
            principal,
            Action.ISSUER_CHANGED,
            lambda tx: tx.issuers,
            issuer_id,
            change,
            expected_version=expected_version,
        )

    async def delete(self, principal: Principal, issuer_id: UUID, *, expected_version: int | None = None) -> None:
        """Remove an issuer with its keys. Its image stays, because other objects may use it.

        Raises:
            InUse: the issuer has achievements, or has issued credentials.
            PreconditionFailed: `expected_version` is given and is not the stored version.
        """
        principal.require(Scope.ISSUERS_WRITE)
        _owned(principal, await self.get(issuer_id))

        async def body(tx: Transaction) -> None:
            removed = await tx.issuers.delete(issuer_id)
            require_version(removed, expected_version)
            await record(tx, principal, Action.ISSUER_DELETED, issuer_id, before=removed)

        await self._store.run(body)

    # --- documents ---

    async def document(self, issuer_id: UUID) -> JsonObject:
        """Return the public document, which is both Profile and controller document. Raises NotFound."""
        issuer = await self.get(issuer_id)
        return profile.issuer_document(issuer, await self._keys(issuer), self._addresses)

    async def did_document(self, issuer_id: UUID) -> JsonObject:
        """Return the DID document of the issuer's DID; for an ``https`` issuer, of the did:web made from its URL.

        Raises:
            NotFound: there is no such issuer.
        """
        issuer = await self.get(issuer_id)
        derived = self._did_web(self._addresses.issuer(issuer.id)) if issuer.did is None else None
        return profile.did_document(issuer, await self._keys(issuer), self._addresses, did=derived)

    async def default_did_document(self) -> JsonObject:
        """Return ``/.well-known/did.json``: the default issuer's keys, under the did:web of this server.

        Raises:
            NotFound: there is no issuer yet.
        """
        issuer = await self._default()
        own_host = self._did_web(self._addresses.base)
        return profile.did_document(issuer, await self._keys(issuer), self._addresses, did=own_host)

    async def jwks(self) -> JsonObject:
        """Return ``/.well-known/jwks.json``: the public keys of the default organisation's issuers (RFC 7517).

        The default issuer's keys come first, then the newest of the others; the set may be empty. 1EdTech's
        implementation guide ("Key provenance") looks here for the ``kid`` of anything signed by an issuer at this host.
        Older keys are found at their ``kid``. Compromised keys are left out, because a JWK cannot say since when its
        signatures are not to be trusted.
        """
        read = self._store.read()
        default = await read.issuers.default()
        if default is None:
            return {"keys": []}
        newest = await read.signing_keys.newest(DEFAULT_ORGANISATION_ID, limit=_MAX_IN_JWKS)
        keys = {key.id: key for key in (*await self._key_ring.public_keys(default.id), *newest)}
        others = await read.issuers.find_many(list({key.issuer_id for key in newest}))
        issuers = {issuer.id: issuer for issuer in (*others, default)}
        documents = [
            profile.key_document(published_key(key), issuer=issuer, addresses=self._addresses)
            for key in keys.values()
            if key.compromised_at is None and (issuer := issuers.get(key.issuer_id)) is not None
        ]
        return {"keys": documents}

    async def key_document(self, issuer_id: UUID, key_id: UUID) -> JsonObject:
        """Return one public key as a JWK, which a VC-JWT's ``kid`` dereferences to. Raises NotFound."""
        issuer = await self.get(issuer_id)
        for key in await self._keys(issuer):
            if key.id == key_id:
                return profile.key_document(key, issuer=issuer, addresses=self._addresses)
        raise NotFound(f"Issuer {issuer_id} has no key {key_id}.")

    async def _keys(self, issuer: Issuer) -> list[profile.PublishedKey]:
        return [published_key(key) for key in await self._key_ring.public_keys(issuer.id)]

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
        """Return the issuer with a DID, if its identity method asks for one."""
        if issuer.identity is IdentityMethod.DID_KEY:
            return replace(issuer, did=did_key(keys.load_public(key.public_key)).did)
        if issuer.identity is IdentityMethod.DID_WEB:
            did = self._did_web(self._addresses.issuer(issuer.id))
            if did is None:
                problems.add("/identity", "must not be did:web: the public URL has no https domain", "not_allowed")
            return replace(issuer, did=did)
        return issuer


def _owned(principal: Principal, issuer: Issuer) -> Issuer:
    if principal.own(issuer) is None:
        raise NotFound(f"There is no issuer {issuer.id}.")
    return issuer


def _image(issuer: Issuer, addresses: Addresses) -> JsonObject:
    """Return the issuer's Image object; empty if it has no image."""
    return image_object(addresses.image(issuer.image_id), issuer.profile) if issuer.image_id else {}


def _applied(problems: Problems, issuer: Issuer, request: NewIssuer | IssuerChanges, addresses: Addresses) -> Issuer:
    """Return the issuer with the members of the request, except the image; problems with them are recorded."""
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
        problems.text(request.description, "/description", max_length=LONG)
        changed = replace(changed, description=request.description)
    return changed


def _completed(issuer: Issuer, resolved: ResolvedMembers) -> Issuer:
    image_id = issuer.image_id if resolved.image_id is UNSET else resolved.image_id
    return replace(issuer, image_id=image_id, profile=with_endorsements(issuer.profile, resolved.endorsements))


def _profile_members(
    problems: Problems, before: JsonObject, request: NewIssuer | IssuerChanges, image_before: JsonObject
) -> Mapping[str, JsonValue]:
    members: dict[str, JsonValue] = dict(before)
    if request.official is not UNSET:
        problems.text(request.official, "/official")
        members["official"] = request.official
    address = patched_member(problems, "/address", Address, request.address, before.get("address"))
    if address is not UNSET:
        members["address"] = None if address is None else checks.address(problems, address, "/address")
    if request.other_identifier is not UNSET:
        members["otherIdentifier"] = checks.other_identifiers(problems, request.other_identifier, "/otherIdentifier")
    parent = patched_member(problems, "/parentOrg", Profile, request.parent_org, before.get("parentOrg"))
    if parent is not UNSET:
        members["parentOrg"] = None if parent is None else profile_checks.profile(problems, parent, "/parentOrg")
    for name, attribute in profile_checks.PERSON_MEMBERS.items():
        value: str | date | UnsetType | None = getattr(request, attribute)
        if value is not UNSET:
            text = value.isoformat() if isinstance(value, date) else value
            problems.text(text, f"/{name}")
            members[name] = text
    set_image_and_extensions(problems, members, request, image_before)
    return {name: value for name, value in members.items() if value}

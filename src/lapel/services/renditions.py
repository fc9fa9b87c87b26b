"""Other forms of stored credentials, issuers and achievements: Open Badges 2.0 documents, and baked images."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from lapel.credentials.baking import png, svg
from lapel.credentials.baking.carrier import BakedVersion
from lapel.credentials.cryptographic_key import to_pem
from lapel.credentials.jose import vc_jwt
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus, Withdrawn
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, id_of, objects
from lapel.domain.ports import Store
from lapel.domain.signing_key import KeyAlgorithm, KeyState
from lapel.errors import Gone, NotFound, TooLarge
from lapel.openbadges import v2
from lapel.services.images import Images, Picture

__all__ = ["REVOCATIONS_AT_ONCE", "AssertionRevoked", "BakedImage", "Renditions", "credential_content"]

REVOCATIONS_AT_ONCE: Final = 100
"""How many entries of a RevocationList are in memory at once."""


class AssertionRevoked(Gone):
    """This badge is not valid: it has been revoked or suspended.

    Attributes:
        document: the body of OB 2.0's 410 response: ``{"@context", "id", "revoked": true, "revocationReason"}``.
    """

    code = "assertion_revoked"

    def __init__(self, document: JsonObject) -> None:
        super().__init__()
        self.document = document


@dataclass(frozen=True, slots=True)
class BakedImage:
    """A badge image with its credential inside.

    Attributes:
        media_type: ``image/png`` or ``image/svg+xml``.
    """

    content: bytes
    media_type: str


def credential_content(credential: Credential) -> JsonObject:
    """Return the credential as a JSON object, however it is secured: with its proof, or as the claims of its VC-JWT."""
    if credential.format is CredentialFormat.VC_JWT:
        return vc_jwt.decode(credential.signed.decode("ascii")).credential
    content: JsonObject = msgspec.json.decode(credential.signed)
    return content


class Renditions:
    """Derives documents and images from stored records; the results are not stored."""

    def __init__(self, *, store: Store, addresses: Addresses, images: Images) -> None:
        self._store = store
        self._addresses = addresses
        self._images = images

    # --- Open Badges 2.0 ---

    async def v2_issuer(self, issuer_id: UUID) -> JsonObject:
        """Return the OB 2.0 Profile. Raises NotFound, also for an issuer without an e-mail address, which has none."""
        read = self._store.read()
        issuer = await read.issuers.get(issuer_id)
        keys = [
            key.id
            for key in await read.signing_keys.of_issuer(issuer_id)
            if key.algorithm is KeyAlgorithm.RSA and key.state is not KeyState.COMPROMISED
        ]
        return v2.issuer_profile(
            issuer, self._addresses, keys=keys, endorsements=await self._endorsements(issuer.profile)
        )

    async def v2_badge_class(self, achievement_id: UUID) -> JsonObject:
        """Return the OB 2.0 BadgeClass of the newest version. Raises NotFound."""
        read = self._store.read()
        achievement = await read.achievements.get(achievement_id)
        return v2.badge_class(
            achievement,
            await read.issuers.get(achievement.issuer_id),
            self._addresses,
            endorsements=await self._endorsements(achievement.details),
        )

    async def v2_assertion(self, credential_id: UUID) -> JsonObject:
        """Return the OB 2.0 hosted Assertion of a badge, or the Endorsement of an endorsement.

        Raises:
            NotFound: no such credential, or it has no 2.0 form (its recipient is a DID, its issuer has no e-mail).
            AssertionRevoked: it is revoked or suspended; the answer is 410 with the error's `document`.
        """
        return (await self._assertion(credential_id))[1]

    async def v2_key(self, issuer_id: UUID, key_id: UUID) -> JsonObject:
        """Return the OB 2.0 CryptographicKey. Raises NotFound."""
        read = self._store.read()
        issuer = await read.issuers.get(issuer_id)
        for key in await read.signing_keys.of_issuer(issuer_id):
            if key.id == key_id:
                return v2.cryptographic_key(issuer, key_id, to_pem(key.public_key), self._addresses)
        raise NotFound(f"Issuer {issuer_id} has no key {key_id}.")

    async def v2_revocations(self, issuer_id: UUID, *, max_items: int = REVOCATIONS_AT_ONCE) -> JsonObject:
        """Return the OB 2.0 RevocationList. Raises NotFound, and TooLarge if it has more than `max_items` entries."""
        read = self._store.read()
        issuer = await read.issuers.get(issuer_id)
        v2.require_email(issuer)
        withdrawn = await read.credentials.withdrawn(issuer_id, before=None, limit=max_items + 1)
        if len(withdrawn) > max_items:
            raise TooLarge(f"This issuer has withdrawn more than {max_items:,} badges.")
        return v2.revocation_list(issuer, withdrawn, self._addresses)

    async def v2_revocations_in_parts(self, issuer_id: UUID) -> AsyncIterator[bytes]:
        """Yield the same list, of any length, as JSON in parts, with one page of rows in memory.

        No connection is held between the parts, because the client may be slow. Credentials that are withdrawn or
        reinstated meanwhile may be in the list or not.
        """
        read, before = self._store.read(), None
        empty = msgspec.json.encode(v2.revocation_list(await read.issuers.get(issuer_id), (), self._addresses))
        end = b"]}"
        yield empty.removesuffix(end)
        while page := await read.credentials.withdrawn(issuer_id, before=before, limit=REVOCATIONS_AT_ONCE):
            entries = msgspec.json.encode(v2.revoked_entries(page, self._addresses))[1:-1]
            yield entries if before is None else b"," + entries
            before = page[-1].credential_id
        yield end

    async def _assertion(self, credential_id: UUID) -> tuple[Credential, JsonObject]:
        read = self._store.read()
        credential = await read.credentials.get(credential_id)
        issuer = await read.issuers.get(credential.issuer_id)
        v2.require_email(issuer)
        content = credential_content(credential)
        postdated = credential.valid_from > credential.created_at
        if credential.achievement_id is None:
            document = v2.endorsement(credential.id, issuer, content, self._addresses, postdated=postdated)
        else:
            document = v2.assertion(
                credential.id,
                credential.achievement_id,
                content,
                self._addresses,
                postdated=postdated,
                endorsements=await self._endorsements(content),
            )
        if credential.status is not CredentialStatus.ACTIVE:
            withdrawn = Withdrawn(credential.id, credential.status, credential.status_reason)
            raise AssertionRevoked(v2.withdrawn_assertion(withdrawn, self._addresses))
        return credential, document

    async def _endorsements(self, members: JsonObject) -> list[str]:
        """Return the addresses of the embedded endorsements that this server hosts as OB 2.0."""
        read, ids = self._store.read(), _ids_of_endorsements(members, self._addresses)
        hosted = {
            credential.id
            for credential in await read.credentials.find_many(ids)
            if credential.status is CredentialStatus.ACTIVE
            and (await read.issuers.get(credential.issuer_id)).email is not None
        }
        return [self._addresses.v2_assertion(endorsement_id) for endorsement_id in ids if endorsement_id in hosted]

    # --- images ---

    async def baked_image(self, credential_id: UUID) -> BakedImage:
        """Return the achievement's image with the signed OB 3.0 credential in it. Raises NotFound."""
        credential = await self._store.read().credentials.get(credential_id)
        return await _baked(await self.picture(credential), credential.signed.decode(), BakedVersion.OB_3_0)

    async def v2_baked_image(self, credential_id: UUID) -> BakedImage:
        """Return the achievement's image with the hosted OB 2.0 assertion in it. Raises NotFound, AssertionRevoked."""
        credential, document = await self._assertion(credential_id)
        payload = msgspec.json.encode(document).decode()
        return await _baked(await self.picture(credential), payload, BakedVersion.OB_2_0)

    async def picture(self, credential: Credential) -> Picture:
        """Return the image of the achievement version that the credential was issued for. Raises NotFound."""
        if credential.achievement_id is None:
            raise NotFound("This credential is not for an achievement, and has no image.")
        achievement = await self._store.read().achievements.get(
            credential.achievement_id, version=credential.achievement_version
        )
        return await self._images.image_of(achievement)


async def _baked(picture: Picture, payload: str, version: BakedVersion) -> BakedImage:
    if picture.media_type == png.MEDIA_TYPE:
        return BakedImage(png.bake(picture.content, payload, version=version), picture.media_type)
    # In a thread, because parsing and writing XML takes a while, and other requests should not wait for it.
    return BakedImage(await asyncio.to_thread(svg.bake, picture.content, payload, version=version), picture.media_type)


def _ids_of_endorsements(members: JsonObject, addresses: Addresses) -> list[UUID]:
    """Return the ids of the embedded endorsements that are credentials of this server."""
    tokens = as_list(members.get("endorsementJwt"))
    contents = [*objects(members.get("endorsement"))]
    contents += [vc_jwt.decode(token).credential for token in tokens if isinstance(token, str)]
    named = [addresses.exact_id(id_of(content) or "", collection="/v3/credentials") for content in contents]
    return [credential_id for credential_id in named if credential_id is not None]

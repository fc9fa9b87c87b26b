"""Turn an unsigned credential into the bytes that are stored and served for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from lapel.credentials import eddsa_rdfc_2022
from lapel.credentials.constant_parts import ProofOptions, SplitDocument
from lapel.credentials.jose import vc_jwt
from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.credentials.signing.process import SigningJob, SigningProcess
from lapel.domain.addresses import Addresses
from lapel.domain.credential import CredentialFormat, JwtAlgorithm
from lapel.domain.issuer import IdentityMethod, Issuer
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.ports import Clock
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import FieldError, InvalidInput, TooLarge
from lapel.openbadges.profile import issuer_iri, verification_method
from lapel.services.keys.key_ring import KeyRing, LoadedKey
from lapel.services.keys.published_keys import published
from lapel.services.metrics.counting import SIGNED
from lapel.services.recent import Recent

__all__ = ["Securing", "Unsigned"]

_CACHED_OPTIONS: Final = 1024
_IN_A_TURN: Final = 16
"""Signatures of many that are made here before other requests get their turn."""
_WAITED_FOR: Final = 5
"""Of many, so many at a time are asked of an outside signer, for which each may be far away, or made on threads."""


class Unsigned(NamedTuple):
    """A document to be signed in its issuer's name; `jwt_algorithm` signs a VC-JWT, None for what suits the issuer."""

    document: SplitDocument
    issuer: Issuer
    format: CredentialFormat
    jwt_algorithm: JwtAlgorithm | None = None


@dataclass(frozen=True, slots=True)
class _LastOptions:
    """The options of a proof: the same for all of the same contexts that one key signs within one second."""

    created: datetime
    contexts: JsonValue
    options: ProofOptions


class Securing:
    """Signs documents in an issuer's name.

    Args:
        beside: where documents with constant parts are signed when many come at once; None to sign all of them here.
    """

    def __init__(
        self, *, key_ring: KeyRing, addresses: Addresses, clock: Clock, beside: SigningProcess | None = None
    ) -> None:
        self._key_ring = key_ring
        self._addresses = addresses
        self._clock = clock
        self._beside = beside
        self._contexts = Contexts.bundled()
        self._last_options: Recent[UUID, _LastOptions] = Recent(_CACHED_OPTIONS)

    async def secure(self, unsigned: Unsigned) -> bytes:
        """The UTF-8 JSON with its proof, or the compact JWS. Never call it inside a transaction: a signer may be slow.

        Raises:
            JsonLdError, UnencodableCredential: the document cannot be signed whole.
            InvalidInput: the issuer cannot sign with that algorithm.
        """
        started = perf_counter()
        signed = None
        if self._beside is not None and (wanted := await self._to_sign(unsigned)) is not None:
            (signed,) = await self._beside.sign([wanted])
        if signed is None:
            signed = await self._secure_here(unsigned)
        SIGNED.took(perf_counter() - started)
        return signed

    async def secure_all(self, unsigned: Sequence[Unsigned]) -> Sequence[bytes | InvalidInput | TooLarge]:
        """What `secure` gives of each, or raises of it, in their order. Many together take less time.

        Others get their turn between some and the next.
        """
        started = perf_counter()
        wanted = [await self._to_sign(one) for one in unsigned]
        sent = [one for one in wanted if one is not None]
        answers = iter([None] * len(sent) if self._beside is None else await self._beside.sign(sent))
        others = [one for one, known in zip(unsigned, wanted, strict=True) if known is None]
        waited = iter(await self._waited_for(others))
        secured: list[bytes | InvalidInput | TooLarge] = []
        here = 0
        for one, known in zip(unsigned, wanted, strict=True):
            if known is None:
                secured.append(next(waited))
            elif (signed := next(answers)) is not None:
                secured.append(signed)
            else:
                secured.append(await self._outcome(one))
                here += 1
                if here % _IN_A_TURN == 0:
                    await asyncio.sleep(0)
        SIGNED.took(perf_counter() - started, sum(isinstance(one, bytes) for one in secured))
        return secured

    async def secure_foreign(
        self, document: JsonObject, *, issuer: Issuer, canonical: Callable[[JsonObject], Awaitable[str]]
    ) -> bytes:
        """The UTF-8 JSON of a document that somebody else has written, contexts included, with an embedded proof.

        Args:
            canonical: the canonical form of a document under whatever contexts it has.
        """
        loaded = await self._key_ring.ensure(issuer, KeyAlgorithm.ED25519)
        options = eddsa_rdfc_2022.proof_options(
            document, verification_method=self._method(issuer, loaded), created=self._clock()
        )
        data = eddsa_rdfc_2022.hash_data(await canonical(options), await canonical(document))
        value = eddsa_rdfc_2022.encode_proof_value(await loaded.signer.sign(data))
        return msgspec.json.encode({**document, "proof": eddsa_rdfc_2022.with_value(options, value)})

    async def key_id(self, issuer: Issuer, format: CredentialFormat) -> UUID:  # noqa: A002 - the member's own name
        """Which key `secure` signs with now."""
        return (await self._key(issuer, format)).key.id

    async def _key(self, issuer: Issuer, format_: CredentialFormat) -> LoadedKey:
        by_key = issuer.identity is IdentityMethod.DID_KEY
        edwards = by_key or format_ is CredentialFormat.EDDSA_RDFC_2022
        return await self._key_ring.ensure(issuer, KeyAlgorithm.ED25519 if edwards else KeyAlgorithm.RSA)

    async def _to_sign(self, unsigned: Unsigned) -> SigningJob | None:
        """What whoever has the private key signs; None where that is elsewhere, and for what has no embedded proof."""
        document, issuer, format_, _ = unsigned
        if format_ is CredentialFormat.VC_JWT or not document.parts:
            return None
        loaded = await self._key_ring.ensure(issuer, KeyAlgorithm.ED25519)
        if loaded.private is None:
            return None
        return SigningJob(document, self._proof_options(document.rest, issuer, loaded), loaded.private)

    async def _waited_for(self, unsigned: Sequence[Unsigned]) -> Sequence[bytes | InvalidInput | TooLarge]:
        """`_outcome` of each, where most of the time is spent waiting."""
        secured: list[bytes | InvalidInput | TooLarge] = []
        for first in range(0, len(unsigned), _WAITED_FOR):
            secured += await asyncio.gather(*map(self._outcome, unsigned[first : first + _WAITED_FOR]))
        return secured

    async def _outcome(self, unsigned: Unsigned) -> bytes | InvalidInput | TooLarge:
        try:
            return await self._secure_here(unsigned)
        except (InvalidInput, TooLarge) as error:
            return error

    async def _secure_here(self, unsigned: Unsigned) -> bytes:
        document, issuer, format_, jwt_algorithm = unsigned
        if format_ is CredentialFormat.VC_JWT:
            return await self._vc_jwt(document.whole(), issuer, jwt_algorithm)
        loaded = await self._key_ring.ensure(issuer, KeyAlgorithm.ED25519)
        options = self._proof_options(document.rest, issuer, loaded)
        signature = await loaded.signer.sign(options.digest + document.digest())
        return document.signed(options, eddsa_rdfc_2022.encode_proof_value(signature))

    def _proof_options(self, document: JsonObject, issuer: Issuer, loaded: LoadedKey) -> ProofOptions:
        created, contexts = self._clock().replace(microsecond=0), document.get("@context")
        last = self._last_options.get(loaded.key.id)
        if last is not None and last.created == created and last.contexts == contexts:
            return last.options
        method = self._method(issuer, loaded)
        written = eddsa_rdfc_2022.proof_options(document, verification_method=method, created=created)
        digest = eddsa_rdfc_2022.digest(canonicalise(to_quads(written, contexts=self._contexts)))
        proof = {name: str(value) for name, value in written.items() if name != "@context"}
        options = ProofOptions(proof, digest)
        self._last_options[loaded.key.id] = _LastOptions(created, contexts, options)
        return options

    def _method(self, issuer: Issuer, loaded: LoadedKey) -> str:
        return f"{issuer_iri(issuer, self._addresses)}#{loaded.multibase}"

    async def _vc_jwt(self, document: JsonObject, issuer: Issuer, wanted: JwtAlgorithm | None) -> bytes:
        """A VC-JWT (OB 3.0, 8.2): RS256, which every verifier must know; EdDSA where the key is the issuer's name.

        Its ``kid`` is the key's entry in the issuer's DID document, or the address of the bare JWK.
        """
        if wanted is None:
            loaded = await self._key(issuer, CredentialFormat.VC_JWT)
        elif issuer.identity is IdentityMethod.DID_KEY and wanted is not JwtAlgorithm.EDDSA:
            detail = "must be EdDSA: this issuer is a did:key, and that key is Ed25519"
            raise InvalidInput(
                "The issuer cannot sign with that algorithm.",
                errors=[FieldError("/jwtAlgorithm", detail, "not_allowed")],
            )
        else:
            loaded = await self._key_ring.ensure(issuer, vc_jwt.KEY_OF[wanted])
        kid = (
            self._addresses.issuer_key(issuer.id, loaded.key.id)
            if issuer.did is None
            else verification_method(published(loaded.key), controller=issuer.did)
        )
        data = vc_jwt.signing_input(document, kid=kid, algorithm=loaded.key.algorithm, issued_at=self._clock())
        return vc_jwt.assemble(data, await loaded.signer.sign(data)).encode("ascii")

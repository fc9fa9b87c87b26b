"""Signs credentials: turns an unsigned document into the bytes that are stored and served for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Final
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
from lapel.services.bounded_cache import BoundedCache
from lapel.services.keys.key_ring import KeyRing, LoadedKey
from lapel.services.keys.published_keys import published_key
from lapel.services.metrics.counting import SIGNED

__all__ = ["Securing", "Unsigned"]

_CACHED_OPTIONS: Final = 1024
_CHUNK: Final = 16
"""How many of many signatures are made in this process before other requests get their turn."""
_MAX_CONCURRENT: Final = 5
"""How many of many signatures are made concurrently by a remote signer, or on threads."""


class Unsigned(msgspec.Struct, frozen=True):
    """A document to be signed in its issuer's name; without a `jwt_algorithm`, a VC-JWT gets the one for the issuer."""

    document: SplitDocument
    issuer: Issuer
    format: CredentialFormat
    jwt_algorithm: JwtAlgorithm | None = None


@dataclass(frozen=True, slots=True)
class _LastOptions:
    """The proof options of all documents with the same contexts that one key signs within the same second."""

    created: datetime
    contexts: JsonValue
    options: ProofOptions


class Securing:
    """Signs documents in an issuer's name.

    Args:
        process: signs documents with constant parts when many come at once; without it all are signed here.
    """

    def __init__(
        self, *, key_ring: KeyRing, addresses: Addresses, clock: Clock, process: SigningProcess | None = None
    ) -> None:
        self._key_ring = key_ring
        self._addresses = addresses
        self._clock = clock
        self._process = process
        self._contexts = Contexts.bundled()
        self._last_options: BoundedCache[UUID, _LastOptions] = BoundedCache(_CACHED_OPTIONS)

    async def secure(self, unsigned: Unsigned) -> bytes:
        """Sign the document. Never call it inside a transaction, because a signer may be slow.

        Returns:
            UTF-8 JSON with its proof, or a compact JWS.

        Raises:
            JsonLdError, UnencodableCredential: not every member of the document can be signed.
            InvalidInput: the issuer cannot sign with that algorithm.
        """
        start = perf_counter()
        signed = None
        if self._process is not None and (job := await self._to_sign(unsigned)) is not None:
            (proof_value,) = await self._process.sign([job])
            signed = None if proof_value is None else job.signed(proof_value)
        if signed is None:
            signed = await self._secure_here(unsigned)
        SIGNED.observe(perf_counter() - start)
        return signed

    async def secure_all(self, unsigned: Sequence[Unsigned]) -> Sequence[bytes | InvalidInput | TooLarge]:
        """Return, for each document, what `secure` returns or raises. Quicker than many calls of `secure`.

        Other requests get their turn in between.
        """
        start = perf_counter()
        jobs = [await self._to_sign(document) for document in unsigned]
        sent = [job for job in jobs if job is not None]
        proof_values = iter([None] * len(sent) if self._process is None else await self._process.sign(sent))
        not_sent = [document for document, job in zip(unsigned, jobs, strict=True) if job is None]
        concurrent = iter(await self._secure_concurrently(not_sent))
        results: list[bytes | InvalidInput | TooLarge] = []
        signed_here = 0
        for document, job in zip(unsigned, jobs, strict=True):
            if job is None:
                results.append(next(concurrent))
            elif (proof_value := next(proof_values)) is not None:
                results.append(job.signed(proof_value))
            else:
                results.append(await self._result(document))
                signed_here += 1
                if signed_here % _CHUNK == 0:
                    await asyncio.sleep(0)
        SIGNED.observe(perf_counter() - start, sum(isinstance(result, bytes) for result in results))
        return results

    async def secure_foreign(
        self, document: JsonObject, *, issuer: Issuer, canonical: Callable[[JsonObject], Awaitable[str]]
    ) -> bytes:
        """Sign a document written by somebody else, with any contexts. Returns UTF-8 JSON with an embedded proof.

        Args:
            canonical: returns the canonical form of a document under its own contexts.
        """
        loaded = await self._key_ring.ensure(issuer, KeyAlgorithm.ED25519)
        options = eddsa_rdfc_2022.proof_options(
            document, verification_method=self._method(issuer, loaded), created=self._clock()
        )
        data = eddsa_rdfc_2022.hash_data(await canonical(options), await canonical(document))
        value = eddsa_rdfc_2022.encode_proof_value(await loaded.signer.sign(data))
        return msgspec.json.encode({**document, "proof": eddsa_rdfc_2022.with_value(options, value)})

    async def key_id(self, issuer: Issuer, format: CredentialFormat) -> UUID:  # noqa: A002 - the member's own name
        """Return the id of the key that `secure` signs with now."""
        return (await self._key(issuer, format)).key.id

    async def _key(self, issuer: Issuer, format_: CredentialFormat) -> LoadedKey:
        by_key = issuer.identity is IdentityMethod.DID_KEY
        edwards = by_key or format_ is CredentialFormat.EDDSA_RDFC_2022
        return await self._key_ring.ensure(issuer, KeyAlgorithm.ED25519 if edwards else KeyAlgorithm.RSA)

    async def _to_sign(self, unsigned: Unsigned) -> SigningJob | None:
        """Return the job for the signing process; None if a signer has the private key, or the format has no proof."""
        document = unsigned.document
        if unsigned.format is CredentialFormat.VC_JWT or not document.parts:
            return None
        loaded = await self._key_ring.ensure(unsigned.issuer, KeyAlgorithm.ED25519)
        if loaded.private is None:
            return None
        return SigningJob(document, self._proof_options(document.rest, unsigned.issuer, loaded), loaded.private)

    async def _secure_concurrently(self, unsigned: Sequence[Unsigned]) -> Sequence[bytes | InvalidInput | TooLarge]:
        results: list[bytes | InvalidInput | TooLarge] = []
        for first in range(0, len(unsigned), _MAX_CONCURRENT):
            results += await asyncio.gather(*map(self._result, unsigned[first : first + _MAX_CONCURRENT]))
        return results

    async def _result(self, unsigned: Unsigned) -> bytes | InvalidInput | TooLarge:
        try:
            return await self._secure_here(unsigned)
        except (InvalidInput, TooLarge) as error:
            return error

    async def _secure_here(self, unsigned: Unsigned) -> bytes:
        document, issuer = unsigned.document, unsigned.issuer
        if unsigned.format is CredentialFormat.VC_JWT:
            return await self._vc_jwt(document.whole(), issuer, unsigned.jwt_algorithm)
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
        members = eddsa_rdfc_2022.proof_options(document, verification_method=method, created=created)
        digest = eddsa_rdfc_2022.digest(canonicalise(to_quads(members, contexts=self._contexts)))
        proof = {name: str(value) for name, value in members.items() if name != "@context"}
        options = ProofOptions(proof, digest)
        self._last_options[loaded.key.id] = _LastOptions(created, contexts, options)
        return options

    def _method(self, issuer: Issuer, loaded: LoadedKey) -> str:
        return f"{issuer_iri(issuer, self._addresses)}#{loaded.multibase}"

    async def _vc_jwt(self, document: JsonObject, issuer: Issuer, algorithm: JwtAlgorithm | None) -> bytes:
        """Return a VC-JWT (OB 3.0, 8.2): by default EdDSA for a did:key, else RS256, which all verifiers must support.

        Its ``kid`` is the key's entry in the issuer's DID document, or the address of the bare JWK.
        """
        if algorithm is None:
            loaded = await self._key(issuer, CredentialFormat.VC_JWT)
        elif issuer.identity is IdentityMethod.DID_KEY and algorithm is not JwtAlgorithm.EDDSA:
            detail = "must be EdDSA: this issuer is a did:key, and that key is Ed25519"
            raise InvalidInput(
                "The issuer cannot sign with that algorithm.",
                errors=[FieldError("/jwtAlgorithm", detail, "not_allowed")],
            )
        else:
            loaded = await self._key_ring.ensure(issuer, vc_jwt.KEY_OF[algorithm])
        kid = (
            self._addresses.issuer_key(issuer.id, loaded.key.id)
            if issuer.did is None
            else verification_method(published_key(loaded.key), controller=issuer.did)
        )
        data = vc_jwt.signing_input(document, kid=kid, algorithm=loaded.key.algorithm, issued_at=self._clock())
        return vc_jwt.assemble(data, await loaded.signer.sign(data)).encode("ascii")
